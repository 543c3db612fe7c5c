package gitrepo

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/secretenv"
)

// CommandError is a git command that failed.
type CommandError struct {
	Args     []string // without the program; secrets in URLs are taken out
	Stderr   string   // what git said, trimmed and bounded
	ExitCode int      // -1 if git did not exit by itself
	Err      error    // the cause, nil where it is only the exit status
}

// Error names the command and ends with what git said.
func (e *CommandError) Error() string {
	said := e.Stderr
	if said == "" && e.Err != nil {
		said = e.Err.Error()
	}
	if said == "" {
		said = fmt.Sprintf("exit status %d", e.ExitCode)
	}
	return fmt.Sprintf("git %s: %s", e.name(), said)
}

// Unwrap gives the cause, for example the end of a context.
func (e *CommandError) Unwrap() error { return e.Err }

// name is the command's first word that is not an option of git itself.
func (e *CommandError) name() string {
	for i := 0; i < len(e.Args); i++ {
		switch {
		case e.Args[i] == "-c":
			i++
		case !strings.HasPrefix(e.Args[i], "-"):
			return e.Args[i]
		}
	}
	return strings.Join(e.Args, " ")
}

const (
	// maxStderr bounds what is kept of git's error output: its beginning, where
	// git says what went wrong.
	maxStderr = 8 << 10
	// killDelay is how long git may take to end after it was asked to, before it
	// is killed. A git that writes needs it to take its lock files away.
	killDelay = 5 * time.Second
)

// git is how to run git: where, and with which environment.
type git struct {
	dir string
	env []string
}

// command prepares git. The caller sets its streams.
func (g git) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGit, err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = g.dir
	cmd.Env = g.env
	cmd.WaitDelay = killDelay
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	return cmd, nil
}

// noMonitor keeps git from starting an fsmonitor, or believing one: an empty
// value turns it off in every version, where older ones take "false" for the
// name of a program.
const noMonitor = "core.fsmonitor="

// reading prepares git for a command that only reads.
func (g git) reading(ctx context.Context, args ...string) (*exec.Cmd, error) {
	return g.command(ctx, append([]string{"-c", noMonitor}, args...)...)
}

// output runs a reading command and returns its standard output, also where it
// failed.
func (g git) output(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd, err := g.reading(ctx, args...)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = stdin, &out
	err = run(ctx, cmd)
	return out.Bytes(), err
}

// stream runs a reading command and hands its standard output to read while it
// runs. An error of read ends git and is what stream returns.
func (g git) stream(ctx context.Context, stdin io.Reader, read func(*bufio.Reader) error, args ...string) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := g.reading(running, args...)
	if err != nil {
		return err
	}
	said := &bounded{max: maxStderr}
	cmd.Stdin, cmd.Stderr = stdin, said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return commandError(ctx, cmd, err, said)
	}
	readErr := read(bufio.NewReaderSize(out, 64<<10))
	if readErr != nil {
		cancel()
	}
	err = commandError(ctx, cmd, cmd.Wait(), said)
	// Where git failed first, its own words say more than that its output ended.
	if readErr == nil || errors.Is(readErr, io.ErrUnexpectedEOF) && err != nil {
		return err
	}
	return readErr
}

// run runs cmd, its standard error going into the error.
func run(ctx context.Context, cmd *exec.Cmd) error {
	said := &bounded{max: maxStderr}
	if cmd.Stderr != nil {
		cmd.Stderr = io.MultiWriter(cmd.Stderr, said)
	} else {
		cmd.Stderr = said
	}
	return commandError(ctx, cmd, cmd.Run(), said)
}

// commandError dresses the outcome of a command that has ended.
func commandError(ctx context.Context, cmd *exec.Cmd, err error, said *bounded) error {
	if err == nil {
		return nil
	}
	e := &CommandError{Args: redact(cmd.Args[1:]), Stderr: redactText(strings.TrimSpace(said.buf.String())), ExitCode: -1, Err: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.ExitCode, e.Err = exit.ExitCode(), nil
	}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
	}
	return e
}

// bounded keeps the first max bytes that are written to it.
type bounded struct {
	buf bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.max - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// openError gives the failures of finding a repository their names.
func openError(err error) error {
	var e *CommandError
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case strings.Contains(e.Stderr, "dubious ownership"), strings.Contains(e.Stderr, "unsafe repository"):
		return fmt.Errorf("%w: %s", ErrDubiousOwnership, strings.TrimPrefix(e.Stderr, "fatal: "))
	case strings.Contains(strings.ToLower(e.Stderr), "not a git repository"):
		said := strings.TrimPrefix(e.Stderr, "fatal: ")
		if rest, same := strings.CutPrefix(said, ErrNotRepository.Error()); same {
			return fmt.Errorf("%w%s", ErrNotRepository, rest)
		}
		return fmt.Errorf("%w: %s", ErrNotRepository, said)
	}
	return err
}

// localVariables are the variables that tie git to one repository, those of
// `git rev-parse --local-env-vars` apart from the ones that carry configuration and
// those of refs/replace, which each command that reads commits sets for itself.
var localVariables = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE",
	"GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX",
}

// readEnv turns the environment into one for commands whose output we parse:
// without our secrets, in no other language, without optional locks, taking a path for nothing
// but a path, and with the configuration that git itself goes by: git config alone obeys GIT_CONFIG,
// and would find no policy in the file that it names. Folders that are relative are made absolute, as commands run in
// other folders than ours.
func readEnv(env []string) []string {
	out := without(secretenv.Without(env), "GIT_CONFIG", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
	for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"} {
		if v := lookup(out, name); v != "" {
			if abs, err := filepath.Abs(v); err == nil {
				out = with(out, name, abs)
			}
		}
	}
	out = absoluteObjects(out)
	out = with(out, "LC_ALL", "C")
	out = with(out, "GIT_OPTIONAL_LOCKS", "0")
	return with(out, "GIT_LITERAL_PATHSPECS", "1")
}

// absoluteObjects makes the folders of objects absolute, which a hook of the
// receiving side of a push is given.
func absoluteObjects(env []string) []string {
	for _, name := range []string{"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"} {
		v := lookup(env, name)
		if v == "" || strings.HasPrefix(v, `"`) { // a quoted one is absolute, as git wrote it
			continue
		}
		folders := filepath.SplitList(v)
		for i, f := range folders {
			if abs, err := filepath.Abs(f); err == nil && f != "" {
				folders[i] = abs
			}
		}
		env = with(env, name, strings.Join(folders, string(filepath.ListSeparator)))
	}
	return env
}

// writeEnv gives a command that the user is to see the user's language and
// locks back, and its children the plain meaning of path arguments.
func writeEnv(env []string) []string {
	out := without(env, "LC_ALL", "GIT_OPTIONAL_LOCKS", "GIT_LITERAL_PATHSPECS")
	for _, name := range []string{"LC_ALL", "GIT_OPTIONAL_LOCKS"} {
		if v, ok := os.LookupEnv(name); ok {
			out = with(out, name, v)
		}
	}
	return out
}

func withoutLocal(env []string) []string { return without(env, localVariables...) }

func lookup(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

func named(env []string, name string) bool { return lookup(env, name) != "" }

func with(env []string, name, value string) []string {
	return append(without(env, name), name+"="+value)
}

// withConfig adds a variable of configuration, which comes after those in files. Its
// name may hold an = as on the command line it may not. git older than 2.31 has none.
func withConfig(env []string, key, value string) []string {
	count, err := strconv.Atoi(cmp.Or(lookup(env, "GIT_CONFIG_COUNT"), "0"))
	if err != nil {
		return env // git refuses to run, and says why
	}
	env = with(with(env, "GIT_CONFIG_KEY_"+strconv.Itoa(count), key), "GIT_CONFIG_VALUE_"+strconv.Itoa(count), value)
	return with(env, "GIT_CONFIG_COUNT", strconv.Itoa(count+1))
}

func without(env []string, names ...string) []string {
	out := make([]string, 0, len(env)+1)
next:
	for _, e := range env {
		for _, name := range names {
			if strings.HasPrefix(e, name+"=") {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}
