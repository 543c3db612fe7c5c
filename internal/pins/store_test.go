package pins_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/pins"
)

// addVariable names the file to which this program, run by its own test, adds a
// pin for the signature that addSignature names.
const addVariable, addSignature = "MODELSIGN_TEST_ADD_TO", "MODELSIGN_TEST_ADD"

func TestMain(m *testing.M) {
	name := os.Getenv(addVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	err := pins.Store(name).Update(context.Background(), func(f *pins.File) error {
		return f.Set(pin(os.Getenv(addSignature), "alice@example.com"))
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Many clones that end at the same time lose nothing of each other, nor of what was there.
func TestProcesses(t *testing.T) {
	const processes = 50
	name := filepath.Join(t.TempDir(), "new", "known_signers")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var running []*exec.Cmd
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), addVariable+"="+name, fmt.Sprintf("%s=%d/model.sig", addSignature, i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	f, err := pins.Store(name).Load()
	if err != nil || len(f.All()) != processes {
		t.Errorf("%d pins, %v; want %d", len(f.All()), err, processes)
	}
	for i := range processes {
		if len(f.Get(url, fmt.Sprintf("%d/model.sig", i))) != 1 {
			t.Errorf("pin %d is lost", i)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v; want the file and its lock", entries, err)
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	store := pins.Store(filepath.Join(dir, "known_signers"))
	if f, err := store.Load(); err != nil || len(f.All()) != 0 {
		t.Errorf("no file: %v, %v", f, err)
	}
	refused := errors.New("refused")
	if err := store.Update(t.Context(), func(*pins.File) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(string(store)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused change made a file: %v", err)
	}
	set := func(s pins.Store) error {
		return s.Update(t.Context(), func(f *pins.File) error { return f.Set(pin("model.sig", "alice@example.com")) })
	}
	if err := set(store); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(string(store))
	if err != nil || !strings.HasPrefix(string(b), "# ") || !strings.HasSuffix(string(b), pin("model.sig", "alice@example.com").Line()+"\n") {
		t.Errorf("%s%v", b, err)
	}
	if info, err := os.Stat(string(store)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	// A file that cannot be understood is left as it is.
	const broken = "not a pin\n"
	if err := os.WriteFile(string(store), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := set(store); !errors.Is(err, pins.ErrFile) || !strings.Contains(err.Error(), "known_signers") || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(string(store)); err != nil || string(b) != broken {
		t.Errorf("%q, %v", b, err)
	}
}

// People keep their configuration elsewhere, and link to it.
// A file is not let grow so large that the signers in it could not be read again.
func TestStoreFull(t *testing.T) {
	store := pins.Store(filepath.Join(t.TempDir(), "known_signers"))
	full := "#" + strings.Repeat("x", 16<<20-2) + "\n"
	if err := os.WriteFile(string(store), []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	err := store.Update(t.Context(), func(f *pins.File) error { return f.Set(pin("model.sig", "alice@example.com")) })
	if err == nil || !strings.Contains(err.Error(), "would have") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(string(store)); err != nil || string(b) != full {
		t.Errorf("the file has %d bytes now, %v", len(b), err)
	}
}

func TestStoreBehindLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "dotfiles"), filepath.Join(dir, "known_signers")
	if err := os.WriteFile(target, []byte(sample), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := pins.Store(link).Update(t.Context(), func(f *pins.File) error { return f.Set(pin("new.sig", "a")) }); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(target)
	if info, lerr := os.Lstat(link); err != nil || lerr != nil || info.Mode().Type() != os.ModeSymlink || !strings.Contains(string(b), "new.sig") {
		t.Errorf("%s, %v, %v", b, err, lerr)
	}
}

func TestStoreBehindBrokenLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "known_signers")
	if err := os.Symlink("gone", link); err != nil {
		t.Skip(err)
	}
	err := pins.Store(link).Update(t.Context(), func(f *pins.File) error { return f.Set(pin("new.sig", "a")) })
	if info, lerr := os.Lstat(link); err == nil || lerr != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("got %v, %v", err, lerr)
	}
}
