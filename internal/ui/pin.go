package ui

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// pinName is what a token's PIN stands behind in a PKCS #11 URI. What was meant as
// such a URI and taken for a file's name is printed with the error.
var pinName = regexp.MustCompile(`pin-value(?:=|%3[Dd])`)

// hidden stands for a PIN.
const hidden = "..."

// pinIn finds where a PIN begins in s, or -1.
func pinIn(s string) int {
	if !strings.Contains(s, "pin-value") {
		return -1 // nearly always, and cheap
	}
	if at := pinName.FindStringIndex(s); at != nil {
		return at[1]
	}
	return -1
}

// hidePIN takes the PIN out of a name, or a text about one, and all that stands behind
// it there.
func hidePIN(name string) string {
	if at := pinIn(name); at >= 0 {
		return name[:at] + hidden
	}
	return name
}

// hidePINs takes PINs out of a text, each with the rest of its line: nobody can say
// where it ends, as it may hold any character. Only what hidePIN has left is as long
// as it is.
func hidePINs(text string) string {
	at := pinIn(text)
	if at < 0 {
		return text
	}
	var b strings.Builder
	for ; at >= 0; at = pinIn(text) {
		b.WriteString(text[:at])
		text = text[at:]
		if rest, is := strings.CutPrefix(text, hidden); is && (rest == "" || strings.ContainsRune(" \"'`:;,)\n", rune(rest[0]))) {
			text = rest
		} else if end := strings.IndexByte(text, '\n'); end >= 0 {
			text = text[end:]
		} else {
			text = ""
		}
		b.WriteString(hidden)
	}
	return b.String() + text
}

// errorText is the text of an error without PINs. Where it is known which part is a
// file's name, what is said behind that stays.
func errorText(err error) string {
	text := err.Error()
	if path := (*fs.PathError)(nil); errors.As(err, &path) && pinIn(path.Path) >= 0 {
		text = strings.ReplaceAll(text, path.Path, hidePIN(path.Path))
	}
	return hidePINs(text)
}

// hideAll is hidePIN for each of several texts.
func hideAll(texts []string) []string {
	out := slices.Clone(texts)
	for i, text := range out {
		out[i] = hidePIN(text)
	}
	return out
}
