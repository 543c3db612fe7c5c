// Package workload gets identity tokens from the platform that a program runs on: GitHub Actions, GitLab CI, Buildkite, Google
// Cloud. Each is known by what it documents, environment variables for the most part; nothing is sent to find out.
//
// A platform's own secret, by which it is asked, goes to that platform only: over https or to this machine, never along a
// redirect, never into an error or onto a command line.
package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/secretenv"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

// GitLabVariable is the environment variable in which a job of GitLab CI asks for its identity token, and in which one can be
// handed over anywhere.
const GitLabVariable = "SIGSTORE_ID_TOKEN"

// ErrNoToken is wrapped by the errors of a platform that is there and hands out no token.
var ErrNoToken = errors.New("no identity token")

// Error is the failure of a platform. It says in one printable line which one, and what went wrong.
type Error struct {
	Platform string // as "GitHub Actions"
	Err      error
	// Hint says what to do; it may be empty.
	Hint string
}

func (e *Error) Error() string { return "identity token of " + e.Platform + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Environment is what a platform shows to those who run on it. The zero value is that of this process.
type Environment struct {
	// Getenv reads environment variables; os.Getenv if nil.
	Getenv func(string) string
	// Machine is the file in which Linux tells the product name of the machine.
	Machine string
	// Pause is how long to wait before asking once more for what could not be had; a second if zero.
	Pause time.Duration
	// Agent is how long an agent may take to answer; a minute if zero.
	Agent time.Duration
	// IAM is the URL of Google's IAM credentials API; the public one if empty.
	IAM string
}

func (e Environment) get(name string) string {
	if e.Getenv == nil {
		return os.Getenv(name)
	}
	return e.Getenv(name)
}

// Platform is where this program runs.
type Platform struct {
	// Name is the platform's own, as "GitHub Actions".
	Name string

	token func(ctx context.Context, audience string) (string, error)
}

// Token gets a token for an audience, usually "sigstore".
func (p *Platform) Token(ctx context.Context, audience string) (string, error) {
	token, err := p.token(ctx, audience)
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", p.failed(err)
	}
	return token, nil
}

func (p *Platform) failed(err error) error {
	var hinted *Error
	if errors.As(err, &hinted) {
		hinted.Platform = p.Name
		return hinted
	}
	out := &Error{Platform: p.Name, Err: err}
	if status := (*statusError)(nil); errors.As(err, &status) {
		out.Hint = status.hint()
	}
	return out
}

// Detect says on which platform this is; nil if on none that it knows. The error is that of a platform which is known to give no
// token to this job, and says what the job lacks.
func Detect(e Environment) (*Platform, error) {
	for _, look := range []func(Environment) (*Platform, error){gitHub, gitLab, buildkite, google} {
		if p, err := look(e); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// gitLab hands out tokens by variables that the job's id_tokens name:
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
func gitLab(e Environment) (*Platform, error) {
	if e.get("GITLAB_CI") == "" {
		return nil, nil
	}
	p := &Platform{Name: "GitLab CI"}
	token := e.get(GitLabVariable)
	if token == "" {
		return nil, &Error{Platform: p.Name, Err: fmt.Errorf("%w: %s is not set", ErrNoToken, GitLabVariable),
			Hint: "the job asks for it by id_tokens: {" + GitLabVariable + ": {aud: sigstore}}"}
	}
	p.token = func(context.Context, string) (string, error) { return token, nil }
	return p, nil
}

// buildkite hands out tokens by its agent: https://buildkite.com/docs/agent/v3/cli-oidc
func buildkite(e Environment) (*Platform, error) {
	if e.get("BUILDKITE") == "" {
		return nil, nil
	}
	p := &Platform{Name: "Buildkite"}
	agent, err := exec.LookPath("buildkite-agent")
	if err != nil {
		return nil, &Error{Platform: p.Name, Err: fmt.Errorf("%w: buildkite-agent is not on PATH", ErrNoToken),
			Hint: "where the job runs in a container, let it have the agent: mount-buildkite-agent of the docker plugin"}
	}
	p.token = func(ctx context.Context, audience string) (string, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, e.patience(), errAgent)
		defer cancel()
		cmd := exec.CommandContext(ctx, agent, "oidc", "request-token", "--audience", audience)
		cmd.WaitDelay = time.Second
		cmd.Env = secretenv.Without(os.Environ())
		var out, errors limited
		cmd.Stdout, cmd.Stderr = &out, &errors
		if err := cmd.Run(); err != nil {
			if context.Cause(ctx) == errAgent {
				err = errAgent
			}
			return "", &Error{Err: fmt.Errorf("buildkite-agent oidc request-token: %w: %s", err, plain.Line(wire.Redact(errors.String()))),
				Hint: "the agent says why; run the job again when that is mended"}
		}
		return strings.TrimSpace(out.String()), nil
	}
	return p, nil
}

// errAgent: an agent does not answer.
var errAgent = errors.New("it has not answered in time")

// agentTimeout is how long an agent may take, which asks its service again and again.
const agentTimeout = time.Minute

func (e Environment) patience() time.Duration {
	if e.Agent == 0 {
		return agentTimeout
	}
	return e.Agent
}

// limited keeps the beginning of what a program prints, as long as a token may be.
type limited struct{ strings.Builder }

func (l *limited) Write(b []byte) (int, error) {
	l.Builder.Write(b[:min(len(b), max(0, maxAnswer-l.Len()))])
	return len(b), nil
}
