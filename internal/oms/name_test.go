package oms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

func TestCheckPath(t *testing.T) {
	tests := []struct{ path, problem string }{
		{"model.safetensors", ""},
		{"a/b/c", ""},
		{".gitignore", ""},
		{"...", ""},
		{"..a/b..", ""},
		{"with space", ""},
		{"new\nline", ""},
		{"\x1b[31mred", ""},
		{`back\slash`, ""},
		{`C:\model`, ""},
		{"a:0:5", ""},
		{"é", ""},
		{"e\u0301", ""},
		{"😀", ""},
		{"\ufffd", ""},
		{strings.Repeat("a", oms.MaxPathLength), ""},

		{"", `"": path is empty`},
		{"/", `"/": path is absolute`},
		{"/etc/passwd", "path is absolute"},
		{"a/", "path ends in a slash"},
		{"a//b", "path has an empty part"},
		{".", `path has a "." part`},
		{"./a", `path has a "." part`},
		{"a/./b", `path has a "." part`},
		{"a/.", `path has a "." part`},
		{"..", `path has a ".." part`},
		{"../a", `path has a ".." part`},
		{"a/../b", `"a/../b": path has a ".." part`},
		{"a/..", `path has a ".." part`},
		{"a\x00b", `"a\x00b": path has a NUL byte`},
		{"a\xff", `"a\xff": path is not valid UTF-8`},
		{"\xed\xa0\x80", "path is not valid UTF-8"}, // a surrogate
		{strings.Repeat("a", oms.MaxPathLength+1), "path is longer than 4096 bytes"},
	}
	for _, tt := range tests {
		err := oms.CheckPath(tt.path)
		if tt.problem == "" {
			if err != nil {
				t.Errorf("%q: %v", tt.path, err)
			}
			continue
		}
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%q: %v, expected %s", tt.path, err, tt.problem)
		}
	}
}

// What an error repeats of a name must not reach a terminal as it is.
func TestErrorsAreSafeToPrint(t *testing.T) {
	for _, path := range []string{"\x1b[2J/", "\u202egnp.exe/", "a\nb/", strings.Repeat("\x07", 3000) + "/"} {
		err := oms.CheckPath(path)
		if err == nil {
			t.Fatalf("%q was taken", path)
		}
		if text := err.Error(); strings.ContainsAny(text, "\x1b\u202e\n\x07") || len(text) > 2000 {
			t.Errorf("unsafe text: %q", text)
		}
	}
}

func TestIgnored(t *testing.T) {
	ignore := oms.NewIgnored(oms.DefaultIgnored(), []string{"cache", "a/b", ".", "..", "", "/abs", "../x", "*.bin", "dir/"})
	for path, want := range map[string]bool{
		".git":                true,
		".git/config":         true,
		".gitignore":          true,
		".gitattributes":      true,
		".github/workflows/x": true,
		"cache":               true,
		"cache/x/y":           true,
		"a/b":                 true,
		"a/b/c":               true,
		".gitmodules":         false,
		"sub/.git":            false,
		"sub/cache":           false,
		"cache2":              false,
		"a":                   false,
		"a/bc":                false,
		"model.bin":           false,
		"Cache":               false,
		"dir":                 false,
		"abs":                 false,
		oms.SingleFile:        false,
	} {
		if got := ignore.Has(path); got != want {
			t.Errorf("Has(%q) = %v", path, got)
		}
	}
}
