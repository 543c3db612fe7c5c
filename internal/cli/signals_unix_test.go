//go:build unix

package cli

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// A program that a signal ends is told so, and can clean up.
func TestMainEndsBySignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		code := Main(func(ctx context.Context, _ []string, _ *ui.Terminal) int {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ctx.Done():
				return 7
			case <-time.After(10 * time.Second):
				return 8
			}
		})
		if code != 7 {
			t.Errorf("%v does not end the context", s)
		}
	}
}

// What nohup started goes on without its terminal.
func TestMainKeepsNohup(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if slices.Contains(ending(), os.Signal(syscall.SIGHUP)) {
		t.Error("listens to a signal that is ignored")
	}
}
