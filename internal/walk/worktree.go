package walk

import (
	"context"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// maxUncovered is how many files without a signature are named.
const maxUncovered = 3

// WorktreeOptions say what VerifyWorktree believes, and how seriously.
type WorktreeOptions struct {
	Policy policy.Policy
	// URL is the one that the repository was cloned from, for words about it.
	URL string
	// Hasher says how to hash. A backend that this machine lacks matters only
	// where there is something to hash.
	Hasher digest.Hasher
	// Memory knows files that were read before; nil knows none.
	Memory   check.Memory
	Terminal *ui.Terminal
}

// VerifyWorktree is what a hook does after a checkout: it verifies every
// signature of a worktree, says what it found, and returns the exit code that the
// policy wants for that.
func VerifyWorktree(ctx context.Context, repo *gitrepo.Repository, o WorktreeOptions) (code int, err error) {
	if o.Policy.Mode == policy.ModeOff {
		return ui.ExitOK, nil
	}
	places, err := Signatures(ctx, repo)
	if err != nil {
		return 0, err
	}
	switch {
	case len(places) == 0 && o.Policy.Require:
		o.Terminal.Fail(ui.Failed(ui.RequireHowTo(o.URL), "no model signature in this repository, and one is required"))
		return o.exitCode(ui.ExitFailed), nil
	case len(places) == 0:
		return ui.ExitOK, nil
	case o.Policy.Trust.Empty() && o.Policy.Require:
		o.Terminal.Fail(ui.Failed(ui.TrustHowTo(o.URL), "a signature by somebody who is trusted is required, and nothing says whom to believe"))
		return o.exitCode(ui.ExitFailed), nil
	case o.Policy.Trust.Empty():
		o.Terminal.NobodyTrusted(len(places), o.URL)
		return ui.ExitOK, nil
	}
	for _, p := range places {
		v := Verify(ctx, p, VerifyOptions{Policy: o.Policy, Check: check.Options{Memory: o.Memory}, Hasher: o.Hasher, Terminal: o.Terminal})
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		o.Terminal.Verdict(v)
		code = ui.Worse(code, v.ExitCode())
	}
	n, first, err := Uncovered(ctx, repo, places, maxUncovered)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		o.Terminal.Uncovered(n, first)
	}
	return o.exitCode(code), nil
}

// exitCode is what the policy makes of an exit code. Wrong configuration is an
// error in any mode: a mistake in it must not pass for a softer policy.
func (o WorktreeOptions) exitCode(code int) int {
	switch {
	case o.Policy.Mode == policy.ModeWarn && code != ui.ExitUsage,
		o.Policy.OnFailure == policy.OnFailureWarn && code == ui.ExitFailed:
		return ui.ExitOK
	}
	return code
}
