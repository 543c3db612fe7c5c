// Package plain makes foreign text safe to show: a name out of a certificate, a server's answer, a library's error. What it
// returns is one line of bounded length without control characters, so that whoever wrote the text can neither move a
// terminal's cursor nor forge a line of ours. It does not translate, and is no defence for text that goes anywhere but to people.
package plain

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName = 256 // runes; the longest name that a certificate authority of the field gives is far below
	maxLine = 400 // runes; an error is read in a terminal
)

// Name returns s as it is where every character of it is printable, else quoted as Go quotes strings. Characters that
// reorder text (bidirectional controls) count as not printable. A longer name than 256 characters is cut, marked by "…".
func Name(s string) string {
	s = cut(s, maxName)
	if printable(s) {
		return s
	}
	return strconv.Quote(s)
}

// Quote returns s in quotes, as Go quotes strings, likewise cut.
func Quote(s string) string { return strconv.Quote(cut(s, maxName)) }

// Line returns s in one line: runs of white space become one space, other unprintable characters are escaped, and what is
// longer than 400 characters is cut, marked by "…".
func Line(s string) string {
	s = strings.Join(strings.Fields(cut(s, 4*maxLine)), " ")
	s = cut(s, maxLine)
	if printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// cut keeps the first limit characters of s.
func cut(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
