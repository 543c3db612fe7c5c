package walk

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// believer decides whether the signature of one place is to be believed: by the
// signers that the policy names, or where it names none by those that are pinned.
type believer struct {
	place     *Place
	options   VerifyOptions
	verifiers []verify.Verifier // of the policy's signers
	judge     *pins.Judge       // nil where the policy decides, or nobody
	path      string            // of the signature in the repository, for judge
}

// unchecked marks the errors that say that nobody is known by whom a signature
// could be checked. A hook goes on then; who asked for a verdict has none.
type unchecked struct {
	error
	selfAsserted bool // it is up to the user to name a signer
}

func (u *unchecked) Unwrap() error { return u.error }

// believe reads the signature at p, and what it says into the verdict, if it is to
// be believed.
func believe(ctx context.Context, v *ui.Verdict, p *Place, o VerifyOptions) (*believer, error) {
	b, err := newBeliever(p, o)
	if err != nil {
		return nil, err
	}
	raw, err := readSignature(ctx, p)
	if err != nil {
		return nil, b.missing(v, err)
	}
	return b, b.manifest(ctx, v, raw)
}

// newBeliever reads whom to believe. Its errors have their exit codes.
func newBeliever(p *Place, o VerifyOptions) (*believer, error) {
	b := &believer{place: p, options: o}
	var err error
	b.verifiers, err = o.once().signers()
	if !errors.Is(err, policy.ErrNoTrust) {
		return b, trustError(err)
	}
	var inside bool
	if b.path, inside = p.inRepository(); inside {
		b.judge, err = newJudge(o.URL, o.Policy)
		return b, trustError(err)
	}
	return b, nil
}

// newJudge is the judge of the repository that was cloned from a URL in any spelling.
func newJudge(url string, p policy.Policy) (*pins.Judge, error) {
	normal, err := gitrepo.NormalURL(url)
	if err != nil {
		return nil, nil // no URL, or none by which git could tell it from others
	}
	return pins.NewJudge(normal, p)
}

// inRepository is the path of the signature in its repository, by which it is pinned.
func (p *Place) inRepository() (signature string, inside bool) {
	if p.Commit != "" && !p.Detached {
		return p.Signature, true
	}
	top := p.top()
	if top == "" {
		return "", false
	}
	for _, name := range []string{p.Signature, resolved(p.Signature)} {
		if rel, inside := gitrepo.Within(top, name); inside {
			return rel, true
		}
	}
	return "", false
}

// resolved is a path whose folder is free of symbolic links, as git names the top
// of a worktree.
func resolved(name string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return name
	}
	return filepath.Join(dir, filepath.Base(name))
}

// missing is the error for a signature that is not there, where that is worse
// than usual.
func (b *believer) missing(v *ui.Verdict, err error) error {
	if ui.Code(err) != ui.ExitUnsigned {
		return err
	}
	if b.judge != nil {
		if change := b.judge.Missing(b.path); change != nil {
			return changed(v, b.place, change)
		}
	}
	var unsigned *ui.Error
	switch {
	case b.options.Policy.Require:
		return ui.Failed("", "%w, and one is required", err)
	case len(b.verifiers) > 0 && b.place.empty():
		return ui.Failed("", "%w, where somebody is trusted to have signed", err)
	case len(b.verifiers) == 0 && errors.As(err, &unsigned):
		return &ui.Error{Code: unsigned.Code, Err: &unchecked{error: unsigned.Err}, Hints: unsigned.Hints}
	}
	return err
}

// manifest puts into the verdict what the signature says, if it is to be believed,
// who says it, and why that is enough.
func (b *believer) manifest(ctx context.Context, v *ui.Verdict, raw []byte) error {
	var err error
	switch {
	case len(b.verifiers) > 0:
		v.Manifest, v.Signer, err = verify.Manifest(ctx, raw, b.verifiers...)
		v.TrustedBy = ui.ByPolicy
	case b.judge != nil:
		err = b.byPins(ctx, v, raw)
	default:
		err = b.nobody(policy.ErrNoTrust, true)
	}
	if err != nil {
		v.Manifest, v.Signer, v.TrustedBy = nil, nil, ""
		return signatureError(ctx, err)
	}
	return nil
}

// byPins believes the signer that is pinned, or on first use one that may be.
func (b *believer) byPins(ctx context.Context, v *ui.Verdict, raw []byte) (err error) {
	var known bool
	v.URL = b.judge.URL()
	v.Manifest, v.Signer, known, err = b.judge.Manifest(ctx, raw, b.path)
	var change *pins.Change
	foreign := err != nil && b.judge.Missing(b.path) == nil && !claimsToBeBundle(raw) // another program's file of that name
	switch {
	case errors.As(err, &change):
		return changed(v, b.place, change)
	case errors.Is(err, pins.ErrUnknown), foreign:
		return b.nobody(err, foreign || errors.Is(err, pins.ErrSelfAsserted))
	case errors.Is(err, policy.ErrConfig):
		return trustError(err)
	case err != nil:
		return err
	case known:
		v.TrustedBy = ui.ByPin
		return nil
	}
	if replaced := b.replaced(); replaced != nil {
		return changed(v, b.place, replaced)
	}
	before := b.options.Known
	if before == nil {
		before = b.judge.Pins()
	}
	if stranger := b.judge.Stranger(before, b.path, v.Signer); stranger != nil {
		return changed(v, b.place, stranger)
	}
	v.TrustedBy = ui.ByFirstUse
	return b.firstUse(ctx, v, raw)
}

// replaced is a signature for the same folder that is pinned and gone: another
// one that has come in its place is no first use.
func (b *believer) replaced() *pins.Change {
	for _, pin := range b.judge.Pins() {
		if path.Dir(pin.Signature) == path.Dir(b.path) && !b.place.holds(pin.Signature) {
			return b.judge.Missing(pin.Signature)
		}
	}
	return nil
}

// holds says whether there is a file called name in the place's repository. What
// cannot be looked at is taken to be there.
func (p *Place) holds(name string) bool {
	if p.remote != nil {
		_, found := p.remote.entry(name)
		return found
	}
	if p.Commit != "" && p.snapshot != nil {
		_, found := p.snapshot.Entry(name)
		return found
	}
	_, err := os.Lstat(filepath.Join(p.top(), filepath.FromSlash(name)))
	return !notExist(err)
}

// top is the folder of the files of the repository that the model is in; "" where it
// is in none.
func (p *Place) top() string {
	switch {
	case p.Repo != nil:
		return p.Repo.Top
	case p.Cached != nil:
		return p.Cached.Path
	}
	return ""
}

// nobody is the error for a signature by nobody who is known. It is a failure
// where unknown signers are refused, or a signature is required.
func (b *believer) nobody(err error, selfAsserted bool) error {
	refused := b.options.Policy.FirstUse == policy.RefuseUnknown || b.options.Policy.Require
	switch {
	case refused && errors.Is(err, verify.ErrUnavailable):
		return ui.Trouble(sigstore.Hint(err), "%w", err)
	case errors.Is(err, verify.ErrUnavailable):
		return ui.Trouble(sigstore.Hint(err), "%w", &unchecked{error: err})
	case refused:
		return ui.Failed(ui.TrustHowTo(b.options.URL), "%w", err)
	}
	return ui.Usage(ui.TrustHowTo(b.options.URL), "%w", &unchecked{err, selfAsserted})
}

// firstUse decides about a signer of whom nothing is known but that the Sigstore
// instance has identified him.
func (b *believer) firstUse(ctx context.Context, v *ui.Verdict, raw []byte) error {
	unknown := ui.UnknownSigner(v.Signer, v.URL)
	if b.place.proposed() {
		return ui.Failed("verify the repository itself first, without --revision; --identity and --identity-provider name a signer for this time",
			"%s, and anybody can open a pull request", unknown)
	}
	var err error
	if v.Unpinnable, err = b.unpinnable(ctx, raw); err != nil {
		return err
	}
	switch b.options.Policy.FirstUse {
	case policy.AcceptNew:
		return nil
	case policy.AskFirst:
		if !ui.CanConfirm() {
			return ui.Usage(b.place.believeHowTo(b.judge.URL(), b.path, v.Signer), "%w",
				&unchecked{error: errors.New(unknown + ", and there is no terminal to ask on")})
		}
		accepted, err := ui.ConfirmSigner(ctx, v)
		if err != nil {
			return ui.Trouble("", "asking about the signer: %w", err)
		}
		if accepted {
			return nil
		}
	}
	return ui.Failed(b.place.believeHowTo(b.judge.URL(), b.path, v.Signer), "%s", unknown)
}

// proposed says whether the model is what a pull request on the Hub holds.
func (p *Place) proposed() bool {
	switch {
	case p.remote != nil:
		return hub.IsPullRequest(p.remote.revision.Name)
	case p.Cached != nil:
		return p.Cached.OfPullRequest()
	}
	return false
}

// changed is the failure of a signature that the pinned signer has not made.
func changed(v *ui.Verdict, p *Place, c *pins.Change) error {
	v.URL, v.Change = c.Pinned.URL, &ui.Change{Pinned: c.Pinned.Signer(), Found: c.Found}
	if c.Beside != "" {
		return ui.Failed(p.believeHowTo(c.Pinned.URL, c.Beside, c.Signer), "%w", c)
	}
	if c.Signer != nil {
		return ui.Failed(p.acceptHowTo(c.Pinned.URL, c.Pinned.Signature, c.Signer), "%w", c)
	}
	return ui.Failed(ui.RemoveHowTo(c.Pinned.URL, c.Pinned.Signature), "%w", c)
}

// believeHowTo tells how to believe the signer of a signature that nobody is pinned for.
func (p *Place) believeHowTo(url, signature string, s *verify.Signer) string {
	if p.Repo != nil && p.Repo.Top != "" && p.Commit == "" {
		return ui.AcceptHowTo(p.Repo.Top, signature)
	}
	if signature == SignatureName {
		signature = "" // as is understood
	}
	return ui.AddHowTo(url, signature, s)
}

// acceptHowTo tells how to believe the signer that there is now in place of the pinned
// one. What lies in no worktree cannot be accepted there, and a worktree may have another.
func (p *Place) acceptHowTo(url, signature string, s *verify.Signer) string {
	howTo := p.believeHowTo(url, signature, s)
	if p.Repo != nil && p.Repo.Top != "" && p.Commit == "" {
		return howTo
	}
	return ui.RemoveHowTo(url, signature) + "\n" + howTo
}
