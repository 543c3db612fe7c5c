//go:build unix

package bounded_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// A reader that waited here would wait for ever.
func TestReadRegularDoesNotWaitForAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := bounded.ReadRegular(name, 10); !errors.Is(err, bounded.ErrNotRegular) {
		t.Errorf("got %v, want ErrNotRegular", err)
	}
}
