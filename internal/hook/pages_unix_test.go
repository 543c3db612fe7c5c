//go:build !windows

package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/docs/man"
)

// TestManual has man find the pages where Install puts them.
func TestManual(t *testing.T) {
	need(t, "man", "git model-sign --help runs it")
	h := newHome(t)
	o := h.options(Global, "")
	o.ManDir = ""
	before := h.snapshot(false, h.root)
	r := h.install(o)
	want := filepath.Join(h.root, "share", "man", "man1", "git-model-sign.1")
	if path, _ := pageFound(t.Context()); path != want {
		t.Errorf("man finds %q, want %q; %+v", path, want, r)
	}
	out, code := h.run(h.root, "git", "model-sign", "--help")
	if code != 0 || !strings.Contains(out, "GIT-MODEL-SIGN(1)") {
		t.Errorf("git model-sign --help: exit status %d\n%.300s", code, out)
	}
	if out, code := h.run(h.root, "man", "hf-model-verify"); code != 0 || !strings.Contains(out, "HF-MODEL-VERIFY(1)") {
		t.Errorf("man hf-model-verify: exit status %d\n%.300s", code, out)
	}
	h.uninstall(o)
	h.same(before, h.snapshot(false, h.root))
}

// TestManualElsewhere installs a program that is not on PATH, and one in a folder that the user cannot write.
func TestManualElsewhere(t *testing.T) {
	h := newHome(t)
	o := h.options(Global, "")
	o.ManDir = ""
	o.Executable = filepath.Join(h.root, "far", "bin", "git-model-sign")
	h.place(o.Executable)
	t.Setenv("XDG_DATA_HOME", filepath.Join(h.dir, "data"))
	before := h.snapshot(false, h.root)
	r := h.install(o)
	if _, err := os.Stat(filepath.Join(h.dir, "data", "man", "man1", "git-model-sign.1")); err != nil {
		t.Error(err)
	}
	if len(r.Hints) == 0 {
		t.Error("no word about where man looks")
	}
	// What was installed from here is also found from elsewhere.
	o.Executable = h.executable()
	h.uninstall(o)
	h.same(before, h.snapshot(false, h.root))
}

// TestManualMoved uninstalls with a program that has moved since, at home; pages outside of it belong to others.
func TestManualMoved(t *testing.T) {
	need(t, "man", "it finds the pages")
	for name, ours := range map[string]bool{"home": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			o := h.options(Global, "")
			o.ManDir = ""
			old := filepath.Join(h.root, name, "tools", "bin")
			t.Setenv("PATH", old+string(filepath.ListSeparator)+os.Getenv("PATH"))
			o.Executable = filepath.Join(old, "git-model-sign")
			h.place(o.Executable)
			h.install(o)
			page := filepath.Join(h.root, name, "tools", "share", "man", "man1", "git-model-sign.1")
			if found, _ := pageFound(t.Context()); found != page {
				t.Fatalf("man finds %q, want %q", found, page)
			}
			o.Executable = h.executable()
			h.uninstall(o)
			if _, err := os.Stat(page); (err != nil) != ours {
				t.Errorf("%s: %v", page, err)
			}
		})
	}
}

func TestManualOfOthers(t *testing.T) {
	h := newHome(t)
	o := h.options(Global, "")
	packaged, err := man.Page("git-model-sign.1")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.ManDir, "git-model-sign.1")
	h.write(path, string(packaged)+".\\\" a package's\n")
	before := h.snapshot(true, o.ManDir)
	h.install(o)
	// Another scope finds them there, and does not take them away.
	system := h.options(System, "")
	h.install(system)
	h.uninstall(system)
	if _, err := os.Stat(filepath.Join(o.ManDir, "hf-model-verify.1")); err != nil {
		t.Error(err)
	}
	h.uninstall(o)
	delete(before, o.ManDir)
	after := h.snapshot(true, o.ManDir)
	delete(after, o.ManDir)
	h.same(before, after)
}

func TestManualCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	h := newHome(t)
	o := h.options(Global, "")
	if err := os.Mkdir(filepath.Dir(o.ManDir), 0o555); err != nil {
		t.Fatal(err)
	}
	if r := h.install(o); len(r.Notes) == 0 {
		t.Error("no word about the manual")
	}
	h.uninstall(o)
}
