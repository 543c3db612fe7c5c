package tree

import (
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/git-model-sign/git-model-sign/internal/fold"
)

// ErrTwin says that two names are one on some file systems.
var ErrTwin = errors.New("collides")

// warnOfTwins names the files that a file system would take for one another, or
// for a folder of the model, because it does not tell upper from lower case or
// one Unicode form from another. A checkout there holds only one of them.
func (t *Tree) warnOfTwins() {
	files := make(map[string]string, len(t.Files))
	for _, f := range t.Files {
		folded := fold.Path(f.Path)
		if other, taken := files[folded]; taken && other != f.Path {
			t.twins(f.Path, other)
			continue
		}
		files[folded] = f.Path
	}
	seen := make(map[string]bool)
	for _, f := range t.Files {
		for dir := parent(f.Path); dir != "" && !seen[dir]; dir = parent(dir) {
			seen[dir] = true
			if other, taken := files[fold.Path(dir)]; taken {
				t.twins(dir, other)
			}
		}
	}
}

func (t *Tree) twins(path, other string) {
	err := fmt.Errorf("%w with %q on file systems that ignore case", ErrTwin, other)
	if norm.NFC.String(path) == norm.NFC.String(other) {
		// They look the same.
		err = fmt.Errorf("%w with %+q on file systems that normalise Unicode", ErrTwin, other)
	}
	t.Warnings = append(t.Warnings, Problem{Path: path, Err: err})
}
