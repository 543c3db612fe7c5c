// Package fold tells which file names some file system takes for one another,
// because it does not tell upper from lower case or one Unicode form from
// another. It looks at no file, so it cannot say what the one at hand does.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Path maps names that some file system takes for the same to one text: it is
// the same for all forms of a letter and for all cases of it.
func Path(path string) string {
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
