package walk

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/fold"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Tip is what a push makes of a ref.
type Tip struct {
	// Ref is its full name.
	Ref string
	// Old and New are ids of objects; "" where the ref is new, or deleted. Old
	// need not be an object that is here, and New may be no commit.
	Old, New string
}

// PushOptions say what CheckPush believes, and how seriously.
type PushOptions struct {
	// Policy is that of where the push goes, or where it arrives. Its signers are
	// believed, or those that are pinned already for URL; without any only the
	// files are compared. URL is "" where it arrives.
	Policy policy.Policy
	URL    string
	// Received says that the push arrived here.
	Received bool
	// Refs are patterns of refs of which one has to match a ref for it to be checked
	// where it arrives; a star stands for any text. None means every ref.
	Refs []string
	// Hasher says how to hash; its algorithm is the signature's.
	Hasher   digest.Hasher
	Terminal *ui.Terminal
}

// CheckPush checks what a push would bring: every model signature of every new
// tip, from blobs and LFS pointers alone. It says what is wrong, and returns the
// exit code that the policy wants for that. Deleted refs, and tags of what is no
// commit, hold no model.
func CheckPush(ctx context.Context, repo *gitrepo.Repository, tips []Tip, o PushOptions) (code int, err error) {
	if o.Policy.Mode == policy.ModeOff {
		return ui.ExitOK, nil
	}
	c := pushCheck{repo: repo, options: o, judged: make(map[string]int)}
	c.verify = VerifyOptions{Policy: o.Policy, URL: o.URL, Hasher: o.Hasher, Terminal: o.Terminal}.once()
	code, err = c.checkAll(ctx, tips)
	o.Terminal.Fetched(repo.Fetched())
	if err != nil {
		return 0, err
	}
	return c.conclude(code), nil
}

// checkAll checks the tips that count.
func (c *pushCheck) checkAll(ctx context.Context, tips []Tip) (code int, err error) {
	if c.options.Received && len(c.options.Refs) > 0 {
		if c.anyCase, err = ignoresCase(ctx, c.repo); err != nil {
			return 0, err
		}
	}
	for _, tip := range tips {
		if tip.New == "" {
			continue
		}
		counts, err := c.counts(ctx, tip.Ref)
		if err != nil {
			return 0, err
		}
		if !counts {
			continue
		}
		bad, err := c.check(ctx, tip)
		if err != nil {
			return 0, err
		}
		if bad != ui.ExitOK {
			c.refused = append(c.refused, ui.ShortRef(tip.Ref))
			code = ui.Worse(bad, code)
		}
	}
	return code, nil
}

// counts says whether a ref is to be checked. Where it is symbolic, git changes the
// ref that it leads to, so that one's name counts as well. Where files have one name in
// any case, so do refs, which are files until they are packed.
func (c *pushCheck) counts(ctx context.Context, ref string) (bool, error) {
	o := c.options
	matches := func(ref string) bool {
		return slices.ContainsFunc(o.Refs, func(pattern string) bool {
			return matchRef(pattern, ref) || c.anyCase && matchRef(fold.Path(pattern), fold.Path(ref))
		})
	}
	if !o.Received || len(o.Refs) == 0 || matches(ref) { // symbolic refs here say nothing about those over there
		return true, nil
	}
	target, err := c.repo.SymbolicTarget(ctx, ref)
	if err != nil {
		return false, ui.Trouble("", "finding out what %s leads to: %w", ui.Quote(ref), err)
	}
	return matches(target), nil
}

// ignoresCase says whether a repository lies where names that differ by case only are one. A value
// of core.ignoreCase that is no boolean is git's to complain of.
func ignoresCase(ctx context.Context, repo *gitrepo.Repository) (bool, error) {
	value, set, err := repo.ConfigGet(ctx, "core.ignoreCase")
	if err != nil {
		return false, ui.Trouble("", "reading core.ignoreCase: %w", err)
	}
	yes, err := gitrepo.ParseBool(value)
	return set && (yes || err != nil), nil
}

// matchRef says whether a pattern stands for a ref. As in git's refspecs a star
// stands for any text, slashes too.
func matchRef(pattern, ref string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == ref
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(ref) < len(first)+len(last) || !strings.HasPrefix(ref, first) || !strings.HasSuffix(ref, last) {
		return false
	}
	rest := ref[len(first) : len(ref)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}

// pushCheck is one run of CheckPush.
type pushCheck struct {
	repo    *gitrepo.Repository
	options PushOptions
	verify  VerifyOptions // of every signature
	anyCase bool          // refs here that differ by case only are one
	// judged are the exit codes of commits that were looked at: many refs may lead
	// to one.
	judged  map[string]int
	refused []string // short names of refs
	sign    bool     // what is refused lacks a signature, or has one that is out of date
}

// conclude says that a push is refused, and turns an exit code into what the
// policy makes of it.
func (c *pushCheck) conclude(code int) int {
	if code == ui.ExitOK {
		return code
	}
	if (WorktreeOptions{Policy: c.options.Policy}).exitCode(code) == ui.ExitOK {
		c.options.Terminal.PushedAnyway(c.refused)
		return ui.ExitOK
	}
	c.options.Terminal.Fail(ui.RefusedPush(c.refused, c.options.Received, c.sign))
	return code
}

// check checks one tip.
func (c *pushCheck) check(ctx context.Context, tip Tip) (code int, err error) {
	commit, err := c.repo.ResolveCommit(ctx, tip.New)
	if errors.Is(err, gitrepo.ErrOtherObject) && !strings.HasPrefix(tip.Ref, "refs/heads/") {
		return ui.ExitOK, nil
	}
	if err != nil {
		return 0, ui.Trouble("", "looking at %s: %w", ui.Quote(tip.Ref), err)
	}
	now := &Place{Repo: c.repo, Commit: commit} // whose snapshot is taken once
	if !c.options.Received && !ofModels(tip.Ref) {
		if places, err := signaturesIn(ctx, now); err != nil || len(places) == 0 {
			return ui.ExitOK, err
		}
	}
	code, known := c.judged[commit]
	if !known {
		if code, err = c.judge(ctx, ui.ShortRef(tip.Ref), now); err != nil {
			return 0, err
		}
		c.judged[commit] = code
	}
	dropped, err := c.dropped(ctx, tip, now)
	if err != nil {
		return 0, err
	}
	var names, missed []string
	hint := ""
	for _, d := range dropped {
		if !d.missed || !c.options.Policy.Require {
			names = append(names, d.name)
			continue
		}
		missed = append(missed, d.name)
		if d.pinned && hint == "" {
			hint = ui.RemoveHowTo(c.options.URL, d.name)
		}
	}
	if len(names) > 0 {
		c.options.Terminal.DroppedSignatures(ui.ShortRef(tip.Ref), names)
	}
	if len(missed) > 0 {
		c.options.Terminal.MissedSignatures(ui.ShortRef(tip.Ref), missed, hint)
		code = ui.Worse(ui.ExitFailed, code)
	}
	return code, nil
}

// ofModels says whether a ref that is pushed is one of those that hold a model where
// signatures are required: a branch or tag, or by hand the name of a commit. Of any
// other, such as notes, only the signatures are looked at that it has.
func ofModels(ref string) bool {
	return ui.ShortRef(ref) != ref || !strings.HasPrefix(ref, "refs/")
}

// judge looks at all signatures of a commit.
func (c *pushCheck) judge(ctx context.Context, ref string, now *Place) (code int, err error) {
	places, err := signaturesIn(ctx, now)
	if err != nil {
		return 0, err
	}
	t := c.options.Terminal
	if len(places) == 0 && c.options.Policy.Require {
		c.sign = true
		t.UnsignedRef(ref)
		return ui.ExitFailed, nil
	}
	if err := tooMany(places, ref); err != nil {
		t.Fail(err)
		return ui.ExitFailed, nil
	}
	if len(places) > 0 {
		if err := c.verify.checkTrust(); err != nil {
			return 0, err
		}
	}
	var covers []cover
	for _, p := range heads(places, c.options.Policy) {
		v, members := c.verdict(ctx, p)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		covers = append(covers, coversOf(p, v, members)...)
		if v.ExitCode() == ui.ExitOK {
			t.PushedSignature(ref, v)
			continue
		}
		t.RefusedSignature(ref, v)
		c.sign = c.sign || v.Outcome() == ui.OutcomeStale
		code = ui.Worse(v.ExitCode(), code)
	}
	if !c.options.Policy.Require {
		return code, nil
	}
	if names := uncoveredOf(now.snapshot.Entries, covers); len(names) > 0 {
		c.sign = true
		t.UncoveredRef(ref, names, c.options.URL)
		code = ui.Worse(ui.ExitFailed, code)
	}
	return code, nil
}

// maxSignatures is how many signatures may come at once: each is verified by itself,
// and a push of a few bytes can name any number of them.
const maxSignatures = 1000

// tooMany is the error for more than [maxSignatures].
func tooMany(places []*Place, where string) error {
	if len(places) <= maxSignatures {
		return nil
	}
	return ui.Failed("", "%s holds %d model signatures, and no more than %d are verified", where, len(places), maxSignatures)
}

// verdict is what the policy makes of a signature. One that asks for signatures, or
// refuses signers of whom nothing is known, is not content with what one claims.
func (c *pushCheck) verdict(ctx context.Context, p *Place) (*ui.Verdict, []*member) {
	o := c.verify
	if o.Policy.Require || o.Policy.Threshold > 0 || o.Policy.FirstUse == policy.RefuseUnknown {
		o.Policy.FirstUse = policy.RefuseUnknown
		return verifyHead(ctx, p, o)
	}
	v := judgePlace(ctx, p, o)
	return v, []*member{{place: p, verdict: v}}
}

// judgePlace verifies a signature by a policy or a pin, and pins nobody. Where
// nobody is to be believed it compares the files with what the signature claims.
func judgePlace(ctx context.Context, p *Place, o VerifyOptions) *ui.Verdict {
	if o.Policy.Trust.Empty() && !pinned(p, o) {
		if v := strange(ctx, p, o); v != nil {
			return v
		}
		return Claimed(ctx, p, o)
	}
	o.Policy.FirstUse = policy.RefuseUnknown
	return Verify(ctx, p, o)
}

// pinned says whether a signer is known for the signature at p, or that cannot be
// found out.
func pinned(p *Place, o VerifyOptions) bool {
	judge, err := newJudge(o.URL, o.Policy)
	return err != nil || judge != nil && judge.Missing(p.Signature) != nil
}

// strange is the verdict on a signature that nobody is pinned for and that [Verify]
// refuses because of what is pinned for others: it is a stranger's beside or around one
// of them, or has come in the place of one. It is nil for any other.
func strange(ctx context.Context, p *Place, o VerifyOptions) *ui.Verdict {
	b, err := newBeliever(p, o)
	if err != nil || b.judge == nil || len(b.judge.Pins()) == 0 {
		return nil
	}
	raw, err := readSignature(ctx, p)
	if err != nil {
		return nil
	}
	b.options.Policy.FirstUse = policy.RefuseUnknown // nobody is asked
	v := newVerdict(p)
	if v.Err = b.manifest(ctx, v, raw); v.Change == nil {
		return nil
	}
	return v
}

// drop is a signature that a push takes away.
type drop struct {
	name string
	// missed says that a clone misses it: it is the one that verifying looks for, or
	// nothing else has signed the same files.
	missed bool
	// pinned says that a signer is pinned for it.
	pinned bool
}

// dropped are the signatures that the replaced tip had and its commit now has not,
// although something of what they signed is still there. Where a number of signers
// is asked for, those beside each other are counted, and none by itself is missed.
func (c *pushCheck) dropped(ctx context.Context, tip Tip, now *Place) ([]drop, error) {
	if tip.Old == "" || tip.Old == tip.New {
		return nil, nil
	}
	replaced, err := c.repo.ResolveCommit(ctx, tip.Old)
	if errors.Is(err, gitrepo.ErrOtherObject) || errors.Is(err, gitrepo.ErrNoCommit) && !c.options.Received {
		return nil, nil // it had no model, or is known only where the push goes
	}
	var lost []string
	if err == nil {
		lost, err = c.repo.LostPaths(ctx, replaced, now.Commit, ".sig")
	}
	switch {
	case err != nil:
		return nil, ui.Trouble("", "comparing %s with what it replaces: %w", ui.Quote(tip.Ref), err)
	case len(lost) == 0:
		return nil, nil
	}
	old, err := SignaturesAt(ctx, c.repo, replaced)
	if err != nil {
		return nil, err
	}
	places, err := signaturesIn(ctx, now)
	if err != nil {
		return nil, err
	}
	var drops []drop
	for _, p := range old {
		stays := len(now.snapshot.Under(p.Path)) > 0
		// What is no bundle any more is no signature, but a file of another program's.
		gone := slices.Contains(lost, p.Signature) && !slices.ContainsFunc(places, func(other *Place) bool { return other.Signature == p.Signature })
		others := slices.ContainsFunc(places, func(other *Place) bool { return !p.Single && !other.Single && other.Path == p.Path })
		if gone && stays && !(others && c.options.Policy.Threshold > 0) {
			usual := path.Base(p.Signature) == SignatureName
			known := pinned(p, c.verify)
			drops = append(drops, drop{p.Signature, !others || usual || known, known})
		}
	}
	return drops, nil
}
