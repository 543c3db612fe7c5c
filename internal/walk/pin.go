package walk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"path"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// learn pins a new signer once everything is as he signed it, and with him those of the
// signatures beside his. One that cannot be written down is believed all the same, as by
// ssh, and it is said.
func (b *believer) learn(ctx context.Context, v *ui.Verdict) error {
	if v.TrustedBy != ui.ByFirstUse || v.Unpinnable != "" || v.ExitCode() != ui.ExitOK || v.Unchecked() {
		return nil
	}
	known := append([]pins.Pin{}, b.judge.Pins()...)
	err := b.judge.Pin(ctx, b.path, v.Signer)
	if change := (*pins.Change)(nil); errors.As(err, &change) {
		return changed(v, b.place, change)
	}
	if v.Pinned, v.NotPinned = err == nil, err; v.Pinned && b.options.Known == nil {
		v.Beside = b.learnBeside(ctx, v, known)
	}
	return nil
}

// unpinnable says why nobody may be pinned for a signature although the signer is
// believed, "" if he may: a pin says of a path in the repository who signs there, where a
// hook would miss a signature that lies there by chance.
func (b *believer) unpinnable(ctx context.Context, raw []byte) (why string, err error) {
	p := b.place
	if p.Repo == nil {
		return p.unnamed(), nil
	}
	if b.options.Known == nil { // else it is among those that git tracks
		if why, err = b.untracked(ctx, raw); err != nil || why != "" {
			return why, err
		}
	}
	var published bool
	switch p.Commit {
	case Staged:
		return "", nil
	case "":
		published, err = p.Repo.PublishedFile(ctx, b.path, raw, b.options.URL)
	default:
		published, err = p.Repo.Published(ctx, p.Commit, b.options.URL)
	}
	switch {
	case err != nil:
		return "", ui.Trouble("", "finding out where %s has come from: %w", ui.Quote(b.path), err)
	case published:
		return "", nil
	case p.Commit == "":
		return "as it is here it is in no branch that was fetched from there", nil
	}
	return describeCommit(p.Commit) + " is in no branch that was fetched from there", nil
}

// untracked says why a signature is none that a hook looks at, "" if it is one.
func (b *believer) untracked(ctx context.Context, raw []byte) (why string, err error) {
	p := b.place
	places, err := p.signatures(ctx, b.path)
	if err != nil {
		return "", err
	}
	held := slices.ContainsFunc(places, func(tracked *Place) bool { name, _ := tracked.inRepository(); return name == b.path })
	if held && p.Detached {
		there, err := p.readAt(ctx, b.path)
		if err != nil {
			return "", ui.Trouble(fetchHint(err), "reading the signature: %w", err)
		}
		held = bytes.Equal(there, raw)
	}
	switch {
	case !held && p.Commit == "":
		return "it is none of the model signatures that git tracks", nil
	case !held:
		return "it is none of the model signatures of " + describeCommit(p.Commit), nil
	}
	return "", nil
}

// unnamed is why a model of the Hub may be what anybody has put there, "" if it is not: a
// commit by its id alone can be that of a pull request.
func (p *Place) unnamed() string {
	switch {
	case p.remote != nil && hub.NamesCommit(p.remote.revision.Name, p.remote.revision.Commit):
		return "it was asked for by its commit, which anybody's pull request could hold, and by no branch or tag"
	case p.Cached != nil && !p.Cached.Named():
		return "no branch or tag leads to that snapshot, which anybody's pull request could hold"
	}
	return ""
}

// learnBeside pins the signers of the other signatures in the folder of one whose signer
// was pinned now, as a hook does that looks at all of them: from now on one of them would
// be a stranger's. Known are those who were pinned before. One that is not to be believed
// changes nothing about the verdict on the first; it is left for a verdict of its own.
func (b *believer) learnBeside(ctx context.Context, v *ui.Verdict, known []pins.Pin) (pinned []*ui.Verdict) {
	others, err := b.beside(ctx)
	if err != nil {
		return nil
	}
	o := b.options
	o.Known = known
	q := &quorum{options: o, members: []*member{{place: b.place}}, reports: map[[sha256.Size]byte]*check.Report{}}
	for _, p := range others {
		if p.Path == b.place.Path {
			q.members = append(q.members, &member{place: p})
		}
	}
	q.reports[q.keyOf(v.Manifest)] = v.Report
	for _, p := range others {
		beside := newVerdict(p)
		other, err := believe(ctx, beside, p, o)
		if err != nil || beside.TrustedBy != ui.ByFirstUse {
			continue
		}
		if p.Path == b.place.Path {
			err = q.compare(ctx, beside, p)
		} else {
			err = compareFiles(ctx, beside, p, beside.Manifest, o)
		}
		if err == nil && other.learn(ctx, beside) == nil && (beside.Pinned || beside.NotPinned != nil) {
			pinned = append(pinned, beside)
		}
	}
	return pinned
}

// beside are the other signatures in the folder of the one that is judged.
func (b *believer) beside(ctx context.Context) ([]*Place, error) {
	places, err := b.place.signatures(ctx, b.path)
	return slices.DeleteFunc(places, func(other *Place) bool {
		name, inside := other.inRepository()
		return !inside || name == b.path || path.Dir(name) != path.Dir(b.path)
	}), err
}

// signatures are those that git tracks in the folder of one with a name: where the place
// is in the worktree all others too, and outside of a repository it and those beside it.
func (p *Place) signatures(ctx context.Context, name string) (places []*Place, err error) {
	switch {
	case p.Repo == nil:
		var q quorum
		err = q.collect(ctx, p)
		for _, m := range q.members {
			places = append(places, m.place)
		}
		return places, err
	case p.Commit != "":
		all := &Place{Repo: p.Repo, Commit: p.Commit, snapshot: p.snapshot}
		return signaturesWhere(ctx, all, func(folder string) bool { return "/"+folder == path.Dir("/"+name) })
	}
	return Signatures(ctx, p.Repo)
}
