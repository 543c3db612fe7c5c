package walk

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/quarantine"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// maxUncovered is how many files without a signature are named.
const maxUncovered = 3

// WorktreeOptions say what VerifyWorktree believes, and how seriously.
type WorktreeOptions struct {
	Policy policy.Policy
	// URL is the one that the repository was cloned from, "" if there is none.
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
	s, err := surveyWorktree(ctx, repo, o.URL, o.Policy)
	if err != nil {
		return 0, err
	}
	if len(s.places)+len(s.vanished) == 0 {
		if o.Policy.Require {
			o.Terminal.Fail(ui.Failed(ui.RequireHowTo(o.URL), "no model signature in this repository, and one is required"))
			code = ui.ExitFailed
		}
		return o.exitCode(code), nil
	}
	if err := tooMany(s.places, "the worktree"); err != nil {
		o.Terminal.Fail(err)
		return o.exitCode(ui.ExitFailed), nil
	}
	for _, v := range s.vanished {
		o.Terminal.Verdict(v)
		code = ui.ExitFailed
	}
	all, err := o.verifyAll(ctx, s)
	if err == nil {
		err = o.quarantine(ctx, repo, all.wrong)
	}
	code = ui.Worse(code, all.code)
	if err == nil && o.Policy.Require {
		code = ui.Worse(code, o.requireAll(s.entries, all.covers))
	}
	if err != nil || !all.checked || o.Policy.Require {
		return o.exitCode(code), err
	}
	if names := s.uncovered(repo); len(names) > 0 {
		o.Terminal.Uncovered(len(names), names[:min(len(names), maxUncovered)])
	}
	return o.exitCode(code), nil
}

// outcome is what became of the signatures of a worktree.
type outcome struct {
	// checked says whether any signature could be: that nobody is known by whom
	// it is, is no failure of a checkout.
	checked bool
	code    int               // the exit code that says most
	wrong   []quarantine.File // those that should not be used
	covers  []cover           // what the signatures speak of
}

// requireAll fails where there are tracked files that no signature speaks of: one
// small signed folder must not pass for a signed model.
func (o WorktreeOptions) requireAll(entries []gitrepo.Entry, covers []cover) (code int) {
	names := uncoveredOf(entries, covers)
	if len(names) == 0 {
		return ui.ExitOK
	}
	o.Terminal.Fail(ui.RequiredCover(names, o.URL))
	return ui.ExitFailed
}

// verifyAll verifies the signatures and tells their verdicts.
func (o WorktreeOptions) verifyAll(ctx context.Context, s *survey) (all outcome, err error) {
	options := VerifyOptions{Policy: o.Policy, URL: o.URL, Check: check.Options{Memory: o.Memory}, Hasher: o.Hasher, Replay: true, Known: s.known, Terminal: o.Terminal}.once()
	if len(s.places) > 0 {
		if err := options.checkTrust(); err != nil {
			return all, err
		}
	}
	selfAsserted := 0
	for _, p := range heads(o.present(s.places, &all), o.Policy) {
		v, members := verifyHead(ctx, p, options)
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		all.covers = append(all.covers, coversOf(p, v, members)...)
		var nobody *unchecked
		switch {
		case !errors.As(v.Err, &nobody):
			o.Terminal.Verdict(v)
			all.checked, all.code = true, ui.Worse(all.code, v.ExitCode())
			if err := all.addWrong(members); err != nil {
				return all, err
			}
		case nobody.selfAsserted:
			selfAsserted++
		default:
			o.Terminal.NotChecked(v)
		}
	}
	if selfAsserted > 0 {
		o.Terminal.NobodyTrusted(selfAsserted, o.URL)
	}
	return all, nil
}

// present leaves those out of the signatures that are not in the worktree although git
// tracks them, and tells that they fail. Where nobody is named who is to have made them
// they are left to be judged as the others; and so they are where a number of signers
// is asked for, and others are there to be counted.
func (o WorktreeOptions) present(places []*Place, all *outcome) []*Place {
	if o.Policy.Trust.Empty() {
		return places
	}
	gone := func(p *Place) bool {
		_, err := os.Lstat(p.Signature)
		return notExist(err)
	}
	return slices.DeleteFunc(slices.Clone(places), func(p *Place) bool {
		if !gone(p) {
			return false
		}
		v := newVerdict(p)
		if o.Policy.Threshold > 0 && slices.ContainsFunc(places, func(other *Place) bool { return other.Path == p.Path && !gone(other) }) {
			all.covers = append(all.covers, coverOf(p, v))
			return true
		}
		v.Err = ui.Failed("git checkout -- "+ui.ShellQuote(v.Signature)+" brings it back", "git tracks it, and it is not in the worktree")
		o.Terminal.Verdict(v)
		all.checked, all.code = true, ui.ExitFailed
		all.covers = append(all.covers, coverOf(p, v))
		return true
	})
}

// addWrong adds the files that the signatures of one model say are wrong, each once.
func (all *outcome) addWrong(members []*member) error {
	for _, m := range members {
		if m.stranger {
			continue
		}
		files, err := wrongFiles(m.place, m.verdict)
		if err != nil {
			return err
		}
		for _, f := range files {
			if len(members) == 1 || !slices.ContainsFunc(all.wrong, func(known quarantine.File) bool { return known.Path == f.Path }) {
				all.wrong = append(all.wrong, f)
			}
		}
	}
	return nil
}

// quarantine puts wrong files out of the way where the policy says so. A policy
// that only warns moves nothing.
func (o WorktreeOptions) quarantine(ctx context.Context, repo *gitrepo.Repository, wrong []quarantine.File) error {
	if o.Policy.OnFailure != policy.OnFailureQuarantine || o.Policy.Mode == policy.ModeWarn || len(wrong) == 0 {
		return nil
	}
	q, left, err := quarantine.Put(ctx, repo, wrong)
	if err != nil {
		return ui.Trouble("the files are where they were", "%w", err)
	}
	o.Terminal.Quarantined(q, left)
	return nil
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
