package download

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Another file that takes a name after it was looked at is not the one that was found fit to be read, or written to.
func TestOpenListed(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := newStore(root, "")
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	info, err := s.lookAt("a")
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.openListed("a", info, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if f, err := s.openListed("a", info, os.O_RDWR); !errors.Is(err, ErrChanged) {
		t.Errorf("%v, %v, want %v", f, err, ErrChanged)
	}
}
