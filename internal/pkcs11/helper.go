package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/secretenv"
)

// HelperName is the program that loads modules.
const HelperName = "git-model-sign-pkcs11"

// ErrHelper says that the helper program is not installed.
var ErrHelper = errors.New("the program " + HelperName + ", which loads PKCS #11 modules, is not installed")

// ErrFailed says that a module failed: it crashed, hung, answered nonsense, or could not have its token do what was asked.
var ErrFailed = errors.New("PKCS #11 module failed")

// EndPatience is how long a helper may take to log out and end.
const EndPatience = 2 * time.Second

// defaultPatience is how long a module may take for one request: somebody may have to touch the token, or type its PIN on it.
const defaultPatience = 5 * time.Minute

// helper is a running helper program.
type helper struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	stdout   io.Closer
	lines    *Lines
	stderr   *tail
	patience time.Duration
	ended    error // why there are no more answers
}

// findHelper returns the path of the helper: beside this program, where it was installed with it, or on PATH.
func findHelper() (string, error) {
	name := HelperName
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if own, err := os.Executable(); err == nil {
		if own, err = filepath.EvalSymlinks(own); err == nil {
			if beside, err := exec.LookPath(filepath.Join(filepath.Dir(own), name)); err == nil {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath(HelperName) // never one of the current folder
	if err != nil {
		return "", ErrHelper
	}
	return path, nil
}

// startHelper starts a helper, which ends with ctx or when its standard input does: with this program at the latest.
func startHelper(ctx context.Context, program string, patience time.Duration) (*helper, error) {
	h := &helper{cmd: exec.CommandContext(ctx, program), stderr: new(tail), patience: patience}
	// Modules look for configuration in the current folder, which may be a clone of anybody's.
	h.cmd.Dir = filepath.Dir(program)
	h.cmd.Env = append(secretenv.Without(os.Environ()), "PWD="+h.cmd.Dir)
	h.cmd.Stderr, h.cmd.WaitDelay = h.stderr, EndPatience
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdin, h.stdout, h.lines = stdin, stdout, NewLines(stdout)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", plain.Quote(program), err)
	}
	return h, nil
}

// ask sends a request and waits for its answer. Where the helper answers a failure, the error is a *Failure; where it does
// not answer properly or in time it is ended, and the error wraps ErrFailed.
func (h *helper) ask(ctx context.Context, r Request) (*Response, error) {
	if h.ended != nil {
		return nil, h.ended
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.patience, fmt.Errorf("%w: it did not answer for %s", ErrFailed, h.patience))
	defer cancel()
	defer context.AfterFunc(ctx, h.kill)()
	answer := new(Response)
	err := WriteLine(h.stdin, r)
	if err != nil {
		err = io.EOF // the helper does not listen any more
	} else {
		err = h.lines.Read(answer)
	}
	if err != nil {
		h.ended = h.failure(ctx, err)
		return nil, h.ended
	}
	if answer.Failure != nil {
		return nil, answer.Failure
	}
	return answer, nil
}

// kill ends the helper at once. What the module has started may hold the pipes open, and is not waited for.
func (h *helper) kill() {
	h.cmd.Process.Kill()
	h.stdin.Close()
	h.stdout.Close()
}

// failure ends a helper that has not answered, and says why it has not.
func (h *helper) failure(ctx context.Context, err error) error {
	status := h.wait()
	why := h.stderr.why()
	switch cause := context.Cause(ctx); { // only now: the helper's end is seen before that of a context beneath the one that ended it
	case cause != nil:
		return cause
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: no sensible answer from the program that had loaded it: %s", ErrFailed, plain.Line(err.Error()))
	case why != "":
		return fmt.Errorf("%w: it crashed: %s", ErrFailed, why)
	case status != nil:
		return fmt.Errorf("%w: it ended the program that had loaded it: %s", ErrFailed, status)
	}
	return fmt.Errorf("%w: it ended the program that had loaded it", ErrFailed)
}

// close ends the helper, which logs out.
func (h *helper) close() {
	if h.ended != nil {
		return
	}
	h.ended = errors.New("the session on the token was closed")
	h.wait() // whether a module can be left without trouble is no concern any more
}

// wait has a helper end, by force if it does not by itself.
func (h *helper) wait() error {
	h.stdin.Close()
	kill := time.AfterFunc(EndPatience, h.kill)
	defer kill.Stop()
	return h.cmd.Wait()
}

// tail keeps the beginning of what a helper and its module say on standard error. None of it is shown: modules that are being
// debugged write PINs there.
type tail struct{ kept bytes.Buffer }

const maxTail = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	if room := maxTail - t.kept.Len(); room > 0 {
		t.kept.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// signals are how Go begins the line by which it tells that a program has crashed, and in what words.
var signals = []string{
	"SIGSEGV: segmentation violation", "SIGBUS: bus error", "SIGABRT: abort", "SIGILL: illegal instruction",
	"SIGFPE: floating-point exception", "SIGTRAP: trace trap", "SIGSYS: bad system call",
	"Exception 0xc0000005", // Windows: an access violation
}

// why says how a program has crashed, or nothing.
func (t *tail) why() string {
	for line := range strings.Lines(t.kept.String()) {
		for _, signal := range signals {
			if strings.HasPrefix(line, signal) {
				return signal
			}
		}
	}
	return ""
}
