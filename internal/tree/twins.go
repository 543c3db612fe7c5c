package tree

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrTwin says that two names are one on some file systems.
var ErrTwin = errors.New("collides")

// warnOfTwins names the files that a file system would take for one another, or
// for a folder of the model, because it does not tell upper from lower case or
// one Unicode form from another. A checkout there holds only one of them.
func (t *Tree) warnOfTwins() {
	files := make(map[string]string, len(t.Files))
	for _, f := range t.Files {
		folded := fold(f.Path)
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
			if other, taken := files[fold(dir)]; taken {
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

// fold maps names that some file system takes for the same to one text: it is
// the same for all forms of a letter and for all cases of it.
func fold(path string) string {
	ascii := strings.IndexFunc(path, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if ascii {
		return strings.ToUpper(path) // as smallestCase does with these letters
	}
	return norm.NFC.String(strings.Map(smallestCase, norm.NFD.String(path)))
}

// smallestCase is the first of all letters that differ from r in case only.
func smallestCase(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
