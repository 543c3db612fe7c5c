//go:build unix

package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
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

// stuckVariable has the test's own program do what does not end with its context.
const stuckVariable = "CLI_TEST_STUCK"

// A program that does not notice the first signal is ended by the second.
func TestMainIsEndedByTheSecondSignal(t *testing.T) {
	if os.Getenv(stuckVariable) != "" {
		Main(func(ctx context.Context, _ []string, _ *ui.Terminal) int {
			for i := range 100 { // not at once: the first is dealt with beside this
				syscall.Kill(os.Getpid(), syscall.SIGINT)
				time.Sleep(time.Duration(i) * time.Millisecond)
			}
			return 0
		})
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), stuckVariable+"=1")
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("the program ended with %v, want by the signal", err)
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
