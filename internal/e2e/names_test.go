package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// oddNames are n names of files that a file system for Unix takes and that programs stumble over, all different, all UTF-8.
func oddNames(n int) []string {
	// %d makes a pattern's name different each time it comes round.
	patterns := []string{
		"plain %d.bin", " leading space %d", "trailing space %d ", "two  spaces %d", "tab\t%d", "new\nline %d", "cr\r%d",
		"'single' %d", `"double" %d`, "`back` %d", `back\slash %d`, `\n not a newline %d`, "$HOME %d", "$(touch %d)", "%%2e%%2e %d", "%%s%%n %d",
		"-rf %d", "--amend %d", "~root %d", "#hash %d", "!bang %d", ":(glob) %d", "colon:%d", "a:0:%d", "C:\\%d", "*?[%d]", "{a,b} %d", "a;b|c&d %d", "<x> %d",
		"é composed %d", "e\u0301 decomposed %d", "\u0301 alone %d", "ﬁ ligature %d", "İstanbul ı %d", "ß ẞ %d", "文字 %d", "עברית %d", "\u202eright-to-left %d",
		"🤗 %d", "👩‍💻 %d", "\u200bzero width %d", "\ufeffmark %d", "\u00a0no break %d", "\x01control %d", "\x1b[31mred %d", "\x7fdelete %d", "\u0085next line %d",
		".hidden %d", "..dots %d", "...%d", "dot.%d.", ".git %d", ".gitignore%d", "git~%d", "CON.%d", "nul%d", "model.sig%d", "%d.oms.sig.txt", "%d",
		"sub folder %d/file", "a/b/c/d/e/f/%d", "ord/er%d", "ord.er%d", "ord/er/%d.x", "-dash %d/-file", "new\nfolder %d/new\nfile", "🤗/%d", strings.Repeat("long", 60) + "%d",
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(patterns[i%len(patterns)], i)
	}
	return names
}

// writeOddNames makes a model of n files with odd names in the session's folder dir.
func writeOddNames(t *testing.T, s *session, dir string, n int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("this system takes few of the names")
	}
	for _, name := range oddNames(n) {
		file := filepath.Join(s.path(dir), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOddNames signs and verifies a repository of 1,000 odd names with git, and wants the wrong one among them to be told.
func TestOddNames(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.keyPair("key", "P-256")
	writeOddNames(t, s, "model", 1000)
	s.exits(0, "git", "init", "-q", s.path("model"))
	s.exits(0, "git", "-C", s.path("model"), "add", ".")
	s.exits(0, "git", "-C", s.path("model"), "commit", "-qm", "Add odd names")
	s.exits(0, "git", "-C", s.path("model"), "model-sign", "--private-key", s.path("key.pem"))
	s.exits(0, "git", "clone", "-q", s.path("model"), s.path("clone"))
	s.exits(0, "git", "-C", s.path("clone"), "model-sign", "verify", "--public-key", s.path("key.pub"))

	// A name must not be able to write to the terminal in our name: no line but ours may come of it.
	for _, name := range []string{"new\nline 5", "\x1b[31mred 44", "\u202eright-to-left 37"} {
		if err := flipByte(filepath.Join(s.path("clone"), name)); err != nil {
			t.Fatal(err)
		}
	}
	r := s.exits(1, "git", "-C", s.path("clone"), "model-sign", "verify", "--public-key", s.path("key.pub"))
	for _, want := range []string{`new\nline 5`, `\x1b[31mred 44`, `\u202eright-to-left 37`} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the report does not name %s:\n%s", want, r.said())
		}
	}
	if strings.ContainsAny(r.said(), "\x1b\u202e\r\x07") {
		t.Errorf("the report lets a file's name act on the terminal:\n%q", r.said())
	}
}
