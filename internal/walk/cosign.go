package walk

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// The names of signatures that stand beside [SignatureName], for the same folder: model.<name>.sig.
const (
	coSignaturePrefix = "model."
	maxSignerName     = 40
)

// CoSignatureName is the name of the signature that a signer who is called so makes
// beside those of others. Names are in lower case, so that no file system takes two
// for one.
func CoSignatureName(signer string) (string, error) {
	name := coSignaturePrefix + signer + ".sig"
	if !isCoSignatureName(name) {
		return "", ui.Usage("a name has up to 40 of the characters a-z, 0-9, - and _; the signature is model.NAME.sig",
			"--co-sign %s: no name for a signature", ui.Quote(signer))
	}
	return name, nil
}

// isCoSignatureName says whether a path may be that of a signature for its folder
// beside others: it is one if it is a bundle, and no file of the same name without
// ".sig" is there, whose own signature it would be.
func isCoSignatureName(name string) bool {
	signer, prefixed := strings.CutPrefix(path.Base(name), coSignaturePrefix)
	signer, suffixed := strings.CutSuffix(signer, ".sig")
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	return prefixed && suffixed && signer != "" && len(signer) <= maxSignerName && !strings.ContainsFunc(signer, odd)
}

// signs says whether a file may be a signature for the folder that it is in, where
// holds tells which other files are there. Its content has the last word.
func signs(name string, holds func(name string) bool) bool {
	return isSignatureName(name) || isCoSignatureName(name) && !holds(strings.TrimSuffix(name, ".sig"))
}

// CoSign has the signature of p made under another name beside those of others.
func (p *Place) CoSign(signer string) error {
	name, err := CoSignatureName(signer)
	switch {
	case err != nil:
		return err
	case p.Single:
		return ui.Usage("sign the folder that it is in", "--co-sign: %s is a single file, which has one signature", ui.Quote(p.Name))
	}
	p.Signature = filepath.Join(p.Path, name)
	if _, err := os.Lstat(strings.TrimSuffix(p.Signature, ".sig")); !notExist(err) {
		return ui.Usage("choose another name", "--co-sign %s: %s would be taken for the signature of the file beside it", ui.Quote(signer), ui.Quote(name))
	}
	return nil
}
