package man_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/docs/man"
)

// TestPages holds the pages to what man(1) needs, and to what an administrator looks for first.
func TestPages(t *testing.T) {
	for _, name := range man.Names() {
		page, err := man.Page(name)
		if err != nil {
			t.Fatal(err)
		}
		title := strings.ToUpper(strings.TrimSuffix(name, ".1"))
		for _, want := range []string{".Dt " + title + " 1\n", ".Sh NAME\n", ".Sh SYNOPSIS\n", ".Sh DESCRIPTION\n", ".Sh EXIT STATUS\n", ".Sh EXAMPLES\n"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, r := range string(page) {
			if r > '~' {
				t.Errorf("%s: %q is not ASCII, which old formatters cannot read", name, r)
			}
		}
	}
	if _, err := man.Page("git.1"); err == nil {
		t.Error("there is a page git.1")
	}
}

// TestLint has the formatter look at the pages.
func TestLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not on PATH; it checks manual pages")
	}
	for _, name := range man.Names() {
		page, err := man.Page(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), mandoc, "-T", "lint", "-W", "warning", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
