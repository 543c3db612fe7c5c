package walk

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// CheckSigners says of every signature of a worktree who made it, and whether that
// one would be believed, with the exit code that follows. No file is hashed, nobody
// is asked, and nobody is pinned.
func CheckSigners(ctx context.Context, repo *gitrepo.Repository, o VerifyOptions) (verdicts []*ui.Verdict, code int, err error) {
	s, err := surveyWorktree(ctx, repo, o.URL, o.Policy)
	if err != nil {
		return nil, 0, err
	}
	verdicts, o = s.vanished, o.once()
	if len(s.places) > 0 {
		if err := o.checkTrust(); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case len(s.places)+len(verdicts) == 0 && o.Policy.Require:
		return nil, 0, ui.Failed(ui.RequireHowTo(o.URL), "no model signature in this repository, and one is required")
	case len(s.places)+len(verdicts) == 0:
		return nil, 0, errNoSignature()
	}
	if o.Policy.FirstUse == policy.AskFirst {
		o.Policy.FirstUse = policy.AcceptNew // which leaves the question to whoever is to answer it
	}
	if o.Policy.Threshold > 0 {
		for _, p := range heads(s.places, o.Policy) {
			v, _ := believeTogether(ctx, p, o)
			verdicts = append(verdicts, v)
		}
	} else {
		for _, p := range s.places {
			v := newVerdict(p)
			_, v.Err = believe(ctx, v, p, o)
			verdicts = append(verdicts, v)
		}
	}
	for _, v := range verdicts {
		code = ui.Worse(code, v.ExitCode())
	}
	return verdicts, code, ctx.Err()
}

func errNoSignature() error {
	return ui.Unsigned("git model-sign makes one", "no model signature in this repository")
}

// AcceptSigners pins whoever has made the signatures of a worktree, in the place
// of those who were pinned before: of the signatures with the given names, or
// else of all.
func AcceptSigners(ctx context.Context, repo *gitrepo.Repository, names []string, o VerifyOptions) ([]ui.Acceptance, error) {
	judge, err := newJudge(o.URL, o.Policy)
	switch {
	case err != nil:
		return nil, trustError(err)
	case judge == nil:
		return nil, ui.Usage("git model-sign trust list shows what holds", "pinned signers do not matter here: %s", pinless(o))
	}
	places, err := namedSignatures(ctx, repo, names)
	if err != nil {
		return nil, err
	}
	var out []ui.Acceptance
	for _, p := range places {
		now, err := pinOf(ctx, judge, p)
		if err != nil {
			return nil, err
		}
		out = append(out, ui.Acceptance{Now: now})
	}
	err = judge.Store().Update(ctx, func(f *pins.File) error {
		for i, a := range out {
			out[i].Before = before(f, a.Now)
			if err := f.Set(a.Now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, pinsError(err)
	}
	return out, nil
}

// before is who is pinned where another pin is to be: somebody else if there is one,
// and the zero Pin if nobody is.
func before(f *pins.File, now pins.Pin) pins.Pin {
	var before pins.Pin
	for _, p := range f.Get(now.URL, now.Signature) {
		if before = p; !p.SameSigner(now) {
			break
		}
	}
	return before
}

// pinless says why pinned signers have no say.
func pinless(o VerifyOptions) string {
	switch {
	case !o.Policy.Trust.Empty():
		return "the policy names the signers to believe"
	case o.Policy.FirstUse == policy.NoPins:
		return "modelsign.firstUse is off"
	}
	return "the repository was not cloned from a URL"
}

// namedSignatures are the places of the signatures that are called names, by
// their paths in the repository or from the current folder, or of all.
func namedSignatures(ctx context.Context, repo *gitrepo.Repository, names []string) ([]*Place, error) {
	places, err := Signatures(ctx, repo)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, errNoSignature()
	}
	if len(names) == 0 {
		return places, nil
	}
	var out []*Place
	for _, name := range names {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, ui.Trouble("", "finding %s: %w", ui.Quote(name), err)
		}
		i := slices.IndexFunc(places, func(p *Place) bool {
			return p.Signature == filepath.Join(repo.Top, filepath.FromSlash(name)) || p.Signature == resolved(abs)
		})
		if i < 0 {
			return nil, ui.Unsigned("git model-sign trust check lists those that there are", "%s is no model signature that git tracks", ui.Quote(name))
		}
		out = append(out, places[i])
	}
	return out, nil
}

// pinOf is the pin of the signer who has made the signature at p.
func pinOf(ctx context.Context, judge *pins.Judge, p *Place) (pins.Pin, error) {
	raw, err := readSignature(ctx, p)
	if err != nil {
		return pins.Pin{}, err
	}
	path, _ := p.inRepository()
	pin, err := judge.Identify(ctx, raw, path)
	switch {
	case errors.Is(err, policy.ErrConfig):
		return pin, trustError(err)
	case errors.Is(err, pins.ErrSelfAsserted):
		return pin, ui.Failed(ui.TrustHowTo(judge.URL()), "%s: %w", ui.Quote(p.signatureName()), err)
	case err != nil:
		return pin, signatureError(ctx, err)
	}
	return pin, nil
}

// ListPins lists the pins for a URL in its normal form, or where it is empty all.
func ListPins(store pins.Store, url string) ([]pins.Pin, error) {
	f, err := store.Load()
	switch {
	case err != nil:
		return nil, pinsError(err)
	case url == "":
		return f.All(), nil
	}
	return f.Of(url), nil
}

// AddPin pins a signer by hand, unless another one is pinned already.
func AddPin(ctx context.Context, store pins.Store, url, signature string, signer verify.Identity) (ui.Acceptance, error) {
	if !pins.IsSignaturePath(signature) {
		return ui.Acceptance{}, ui.Usage("it is relative to the top of the repository, with slashes, such as model.sig",
			"--signature %s: no path in a repository", ui.Quote(signature))
	}
	out := ui.Acceptance{Now: pins.Pin{URL: url, Signature: signature, Method: oms.MaterialSigstore.String(), Identity: signer.ID, Issuer: signer.Issuer}}
	err := store.Update(ctx, func(f *pins.File) error {
		out.Before = before(f, out.Now)
		if out.Before != (pins.Pin{}) && !out.Before.SameSigner(out.Now) {
			return ui.Usage(ui.RemoveHowTo(url, signature), "for %s of %s there is a pinned signer already: %s", ui.Quote(signature), url, out.Before.Signer())
		}
		return f.Set(out.Now)
	})
	return out, pinsError(err)
}

// RemovePins forgets who is pinned for a URL: for one of its signatures, or where
// that is empty for all. It is an error if nobody is.
func RemovePins(ctx context.Context, store pins.Store, url, signature string) (removed []pins.Pin, err error) {
	err = store.Update(ctx, func(f *pins.File) error {
		for _, p := range f.Of(url) {
			if signature == "" || signature == p.Signature {
				removed = append(removed, p)
				f.Remove(p.URL, p.Signature)
			}
		}
		if len(removed) == 0 {
			of := url
			if signature != "" {
				of = "the signature " + ui.Quote(signature) + " of " + url
			}
			return ui.Usage("git model-sign trust list "+ui.ShellQuote(url)+" shows who is", "nobody is pinned for %s", of)
		}
		return nil
	})
	return removed, pinsError(err)
}

// pinsError gives an error about a known-signers file its exit code.
func pinsError(err error) error {
	var decided *ui.Error
	switch {
	case err == nil, errors.As(err, &decided):
		return err
	case errors.Is(err, pins.ErrFile):
		return ui.Usage("", "%w", err)
	}
	return ui.Trouble("", "%w", err)
}
