package walk

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// VerifyOptions say what Verify believes and how strict it is.
type VerifyOptions struct {
	// Policy says whom to believe, and whether there has to be a signature. Its
	// Mode and OnFailure are the caller's to act on.
	Policy policy.Policy
	// URL is where the model was cloned from. Where Policy names no signer, those
	// that are pinned for the URL decide; without a URL nobody is.
	URL string
	// Ignore are paths relative to the model that are left out besides those
	// that the signature records.
	Ignore        []string
	AllowSymlinks bool
	Check         check.Options
	// Hasher says how to hash; its algorithm is the signature's.
	Hasher digest.Hasher
	// Replay looks for the earlier commit that a signature was made for, where the
	// files are not as signed.
	Replay bool
	// Terminal draws the progress; nothing else is written to it.
	Terminal *ui.Terminal
	// Known are the signers that were pinned before several signatures are verified
	// at once; nil stands for all that are pinned by now.
	Known []pins.Pin

	// signers are the verifiers of the policy's signers, where they are read once
	// for several signatures.
	signers func() ([]verify.Verifier, error)
}

// once makes every signature be judged by one reading of whom the policy names: a
// file may be a pipe, or change meanwhile.
func (o VerifyOptions) once() VerifyOptions {
	if o.signers == nil {
		o.signers = sync.OnceValues(o.Policy.Trust.Verifiers)
	}
	return o
}

// checkTrust is the error of a policy that cannot be followed, whatever a signature
// is like. It is told before any verdict, which a mode may make less of.
func (o VerifyOptions) checkTrust() error {
	_, err := o.once().signers()
	if errors.Is(err, policy.ErrNoTrust) {
		_, err = newJudge(o.URL, o.Policy)
	}
	if errors.Is(err, policy.ErrConfig) {
		return trustError(err)
	}
	return nil
}

// Verify checks the signature of the model at p, and where the policy asks for a
// number of signers those beside it as well. What is wrong is told in the verdict;
// there is always one.
func Verify(ctx context.Context, p *Place, o VerifyOptions) *ui.Verdict {
	if o.Policy.Threshold > 0 {
		v, _ := verifyTogether(ctx, p, o)
		return v
	}
	v := newVerdict(p)
	if v.Err = p.several; v.Err != nil {
		return v
	}
	v.Err = verifyInto(ctx, v, p, o)
	findReplay(ctx, v, p, o)
	return v
}

// newVerdict is one that names the place, and holds nothing yet.
func newVerdict(p *Place) *ui.Verdict {
	v := &ui.Verdict{Model: p.Path, Signature: p.signatureName()}
	if p.Commit != "" {
		v.Model, v.Commit, v.Detached = p.Name, p.Commit, p.Detached
	}
	if p.remote != nil {
		v.Hub = &ui.Hub{Repository: p.Name, MovedTo: p.remote.movedTo()}
	}
	return v
}

func verifyInto(ctx context.Context, v *ui.Verdict, p *Place, o VerifyOptions) error {
	b, err := believe(ctx, v, p, o)
	if err != nil {
		return err
	}
	if err := compareFiles(ctx, v, p, v.Manifest, o); err != nil {
		return err
	}
	return b.learn(ctx, v)
}

// compareFiles holds the files at p against a manifest, and puts the report into
// the verdict.
func compareFiles(ctx context.Context, v *ui.Verdict, p *Place, m *oms.Manifest, o VerifyOptions) error {
	siblings, err := p.siblings(ctx)
	if err != nil {
		return err
	}
	t, err := p.open(ctx, tree.Options{
		Ignore:  slices.Concat(leftOut(m, siblings), p.ignored, o.Ignore),
		Keep:    signedPaths(m),
		Follows: p.follows(),
		// In a snapshot every link is the client's work, and no signer's to allow.
		AllowSymlinks: p.Cached == nil && (o.AllowSymlinks || m.Serialization.AllowSymlinks),
	})
	if err != nil {
		return err
	}
	defer t.Close()
	progress := o.Terminal.StartProgress("Checking "+p.progressTitle(), noun(m.Serialization))
	defer progress.Stop()
	o.Hasher.Progress = progress.Add
	v.Report, err = check.Compare(ctx, m, t, o.Hasher, o.Check)
	if err != nil {
		return hashError(err)
	}
	v.Report.Fetched += p.fetched
	return nil
}

// signedPaths is the set of the paths that a manifest names: they are looked at
// even where a rule would leave them out.
func signedPaths(m *oms.Manifest) map[string]bool {
	paths := make(map[string]bool, len(m.Resources))
	for _, r := range m.Resources {
		paths[r.Path] = true
	}
	return paths
}

// readSignature reads the signature file, bounded.
func readSignature(ctx context.Context, p *Place) ([]byte, error) {
	if err := p.checkCached(); err != nil {
		return nil, err
	}
	read := func() ([]byte, error) { return bounded.ReadRegular(p.Signature, oms.MaxBundleSize) }
	if p.Commit != "" && !p.Detached {
		read = func() ([]byte, error) { return p.readAt(ctx, p.Signature) }
	}
	raw, err := read()
	switch {
	case notExist(err):
		return nil, p.unsigned()
	case errors.Is(err, bounded.ErrTooLarge):
		return nil, ui.Failed("", "%w", err)
	case p.remote != nil && err != nil:
		return nil, hubError(p.remote.revision.Repo, err)
	case err != nil:
		return nil, ui.Trouble(fetchHint(err), "reading the signature: %w", err)
	}
	return raw, nil
}

// unsigned is the error for a signature that is not there.
func (p *Place) unsigned() error {
	hint, why := "git model-sign makes one; --signature names one that lies elsewhere", ""
	switch {
	case p.Internal:
		hint = "here is no worktree: git model-sign verify --rev HEAD looks at what a commit holds"
	case p.remote != nil:
		hint = "its publisher makes one with git model-sign, in a clone"
	case p.Cached != nil:
		hint = ui.DownloadHowTo(p.Cached.Repo) + " gets every file of the repository, with the signature if there is one"
		if p.empty() {
			why = ", the snapshot is empty"
		}
	}
	return ui.Unsigned(hint, "%s: no signature there%s", ui.Quote(p.signatureTitle()), why)
}

// signatureError gives a verifier's error the exit code that it deserves: what
// is wrong with the signature is a verdict, what is wrong with the world is not.
func signatureError(ctx context.Context, err error) error {
	var decided *ui.Error
	switch {
	case errors.As(err, &decided):
		return err
	case ctx.Err() != nil, errors.Is(err, verify.ErrUnavailable):
		return ui.Trouble(sigstore.Hint(err), "verifying the signature: %w", err)
	}
	if errors.Is(err, verify.ErrTimestamp) {
		return ui.Failed(ui.TimestampHowTo(), "%w", err)
	}
	return ui.Failed("", "%w", err)
}

// trustError gives an error of reading whom to believe its exit code.
func trustError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, policy.ErrConfig) {
		return ui.Usage("", "%w", err)
	}
	return ui.Trouble("", "%w", err)
}
