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

// ErrCrashed says that the helper ended, or answered nonsense: the module has crashed, or is none.
var ErrCrashed = errors.New("PKCS #11 module failed")

// endPatience is how long a helper may take to log out and end.
const endPatience = 2 * time.Second

// helper is a running helper program.
type helper struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	lines   *Lines
	stderr  *tail
	ended   bool
	endless error // how it ended
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
func startHelper(ctx context.Context, program string) (*helper, error) {
	h := &helper{cmd: exec.CommandContext(ctx, program), stderr: new(tail)}
	h.cmd.Env = secretenv.Without(os.Environ())
	h.cmd.Stderr, h.cmd.WaitDelay = h.stderr, endPatience
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdin, h.lines = stdin, NewLines(stdout)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", plain.Quote(program), err)
	}
	return h, nil
}

// ask sends a request and waits for its answer. Where the helper answers a failure, the error is a *Failure; where it does
// not answer properly it is ended, and the error wraps ErrCrashed.
func (h *helper) ask(ctx context.Context, r Request) (*Response, error) {
	if h.ended {
		return nil, h.endless
	}
	answer := new(Response)
	if err := WriteLine(h.stdin, r); err != nil {
		return nil, h.crashed(ctx)
	}
	if err := h.lines.Read(answer); errors.Is(err, io.EOF) {
		return nil, h.crashed(ctx)
	} else if err != nil {
		h.close()
		h.endless = fmt.Errorf("%w: no sensible answer from the program that had loaded it: %s", ErrCrashed, plain.Line(err.Error()))
		return nil, h.endless
	}
	if answer.Failure != nil {
		return nil, answer.Failure
	}
	return answer, nil
}

// crashed says why a helper has ended.
func (h *helper) crashed(ctx context.Context) error {
	status := h.wait()
	switch why := h.stderr.why(); {
	case context.Cause(ctx) != nil:
		h.endless = context.Cause(ctx)
	case why != "":
		h.endless = fmt.Errorf("%w: it crashed: %s", ErrCrashed, why)
	case status != nil:
		h.endless = fmt.Errorf("%w: it ended the program that had loaded it: %s", ErrCrashed, status)
	default:
		h.endless = fmt.Errorf("%w: it ended the program that had loaded it", ErrCrashed)
	}
	return h.endless
}

// close ends the helper, which logs out.
func (h *helper) close() {
	if h.ended {
		return
	}
	h.endless = errors.New("the session on the token was closed")
	h.wait() // whether a module can be left without trouble is no concern any more
}

// wait has a helper end, by force if it does not by itself.
func (h *helper) wait() error {
	h.ended = true
	h.stdin.Close()
	kill := time.AfterFunc(endPatience, func() { h.cmd.Process.Kill() })
	defer kill.Stop()
	return h.cmd.Wait()
}

// tail keeps the beginning of what a helper and its module say on standard error. None of it is shown, but for how Go tells
// of a crash: modules that are being debugged write PINs there.
type tail struct{ kept bytes.Buffer }

const maxTail = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	if room := maxTail - t.kept.Len(); room > 0 {
		t.kept.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// why is the line by which Go says that a program has crashed.
func (t *tail) why() string {
	for line := range strings.Lines(t.kept.String()) {
		if strings.HasPrefix(line, "SIG") || strings.HasPrefix(line, "fatal error: ") {
			return plain.Line(strings.TrimSpace(line))
		}
	}
	return ""
}
