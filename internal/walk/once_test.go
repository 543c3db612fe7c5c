package walk

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// A digest is given back for the same file by any name, and not once it was written to, or for another of its size and time.
func TestReadOnce(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "a"), filepath.Join(dir, "other")
	at := time.Now().Add(-time.Hour)
	for _, file := range []string{name, other} {
		if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	linked := filepath.Join(dir, "linked")
	if err := os.Symlink("a", linked); err != nil {
		linked = name
	}
	r := new(readOnce)
	recall := func(name string, a digest.Algorithm, offset, length int64) string {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return string(r.Recall(f, a, offset, length))
	}
	if got := recall(name, digest.SHA256, 0, -1); got != "" {
		t.Errorf("recalled %q before anything was read", got)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	watched, keep := r.Watch(f)
	watched.Close()
	keep(digest.SHA256, 0, -1, []byte("digest"))
	for what, test := range map[string]struct{ got, want string }{
		"the same":          {recall(linked, digest.SHA256, 0, -1), "digest"},
		"another range":     {recall(linked, digest.SHA256, 0, 2), ""},
		"another algorithm": {recall(linked, digest.BLAKE3, 0, -1), ""},
		"another file":      {recall(other, digest.SHA256, 0, -1), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: recalled %q, want %q", what, test.got, test.want)
		}
	}
	if err := os.WriteFile(name, []byte("TEXT"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := recall(name, digest.SHA256, 0, -1); got != "" {
		t.Errorf("recalled %q of what was written to since", got)
	}
}
