package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/secretenv"
)

// git runs git in a folder. Package gitrepo reads repositories; what is needed here is about
// configuration files and about repositories that are made for a moment.
type git struct {
	dir string
	env []string // nil: ours
}

// gitError is a git command that failed.
type gitError struct {
	args   []string
	code   int // -1 if it did not end by itself
	stderr string
}

func (e *gitError) Error() string {
	said := strings.TrimSpace(e.stderr)
	if said == "" {
		said = fmt.Sprintf("exit status %d", e.code)
	}
	return fmt.Sprintf("git %s: %s", strings.Join(e.args, " "), said)
}

// output runs git and returns what it printed, without the line end.
func (g git) output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(secretenv.Without(cmd.Env), "LC_ALL=C")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), &gitError{args: args, code: exit.ExitCode(), stderr: stderr.String()}
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: %w", gitrepo.ErrNoGit, err)
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(out.String(), "\n"), "\r"), nil
}

// version asks git for its version and whether it has configured hooks.
func (g git) version(ctx context.Context) (version string, configured bool, err error) {
	out, err := g.output(ctx, "version")
	if err != nil {
		return "", false, err
	}
	fields := strings.Fields(out)
	if len(fields) < 3 {
		return "", false, fmt.Errorf("git version: %q is not understood", out)
	}
	major, minor, ok := parseVersion(fields[2])
	if !ok {
		return "", false, fmt.Errorf("git version: %q is not understood", out)
	}
	return fields[2], major > 2 || major == 2 && minor >= 54, nil
}

// parseVersion reads the beginning of "2.39.5", "2.55.0.windows.1" or "2.54.GIT".
func parseVersion(s string) (major, minor int, ok bool) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, false
	}
	minor, err = strconv.Atoi(parts[1])
	return major, minor, err == nil
}

// get reads one configuration value. The options name the scope and type; without any it is what
// holds in the folder.
func (g git) get(ctx context.Context, key string, options ...string) (value string, set bool, err error) {
	args := append([]string{"config"}, options...)
	value, err = g.output(ctx, append(args, "--get", key)...)
	var failed *gitError
	if errors.As(err, &failed) && failed.code == 1 {
		return "", false, nil
	}
	return value, err == nil, err
}

// anywhere is the environment of a git that is not to know which repository we were started in.
func anywhere() []string {
	var env []string
	for _, e := range secretenv.Without(os.Environ()) {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE",
			"GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
			"GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE", "GIT_QUARANTINE_PATH", "GIT_REFLOG_ACTION":
			continue
		}
		env = append(env, e)
	}
	return env
}
