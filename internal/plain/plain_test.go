package plain

import (
	"strings"
	"testing"
	"unicode"
)

var hostile = []string{
	"", "alice@example.com", "CN=Ärger, O=\"a b\"", "a\x1b[2Jb", "line\nline", "tab\there", "bad\xffutf", "rtl\u202egnp.exe", "nul\x00", "\u00a0", "\r\n \t",
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com":      "alice@example.com",
		`CN=a "quoted", O=Größe`: `CN=a "quoted", O=Größe`,
		"a\x1b[2Jb":              `"a\x1b[2Jb"`,
		"a\nb":                   `"a\nb"`,
		"a\u202eb":               `"a\u202eb"`,
		"a\xff":                  `"a\xff"`,
		strings.Repeat("é", 300): strings.Repeat("é", 256) + "…",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"P-256":                  `"P-256"`,
		"a\x1b[2J\n":             `"a\x1b[2J\n"`,
		strings.Repeat("é", 300): `"` + strings.Repeat("é", 256) + `…"`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"one\ntwo\t three  ":      "one two three",
		"a\x1b[2Jb":               `a\x1b[2Jb`,
		"a\xffb\u202e":            `a\xffb\u202e`,
		strings.Repeat("x ", 500): strings.Repeat("x ", 200) + "…",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{Name(s), Quote(s), Line(s)} {
			if strings.ContainsFunc(out, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is shown as %q", s, out)
			}
		}
	})
}
