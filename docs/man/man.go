// Package man holds the manual pages, which `git model-sign install` puts where
// `git model-sign --help` finds them.
package man

import (
	"embed"
	"fmt"
)

//go:embed *.1
var pages embed.FS

// Names returns the file names of the pages, all of section 1.
func Names() []string {
	return []string{"git-model-sign.1", "hf-model-verify.1"}
}

// Page returns a page's source.
func Page(name string) ([]byte, error) {
	b, err := pages.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("no manual page %q", name)
	}
	return b, nil
}
