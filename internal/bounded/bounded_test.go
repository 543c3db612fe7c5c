package bounded_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]error{6: nil, 5: nil, 4: bounded.ErrTooLarge, 0: bounded.ErrTooLarge} {
		for _, read := range []func(string, int64) ([]byte, error){bounded.ReadFile, bounded.ReadRegular} {
			b, err := read(name, limit)
			if !errors.Is(err, want) || err == nil && string(b) != "12345" {
				t.Errorf("limit %d: %q, %v; want %v", limit, b, err, want)
			}
		}
	}
	if _, err := bounded.ReadRegular(dir, 10); !errors.Is(err, bounded.ErrNotRegular) {
		t.Errorf("a folder: %v, want ErrNotRegular", err)
	}
	if _, err := bounded.ReadRegular(filepath.Join(dir, "gone"), 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
