package walk

import (
	"context"
	"crypto/sha256"
	"errors"
	"path"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// learn pins a new signer once everything is as he signed it, and with him those of the
// signatures beside his. One that cannot be written down is believed all the same, as by
// ssh, and it is said.
func (b *believer) learn(ctx context.Context, v *ui.Verdict) error {
	if v.TrustedBy != ui.ByFirstUse || v.ExitCode() != ui.ExitOK || v.Unchecked() {
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

// beside are the other signatures in the folder of the one that is judged, those that a
// repository has as git tracks them.
func (b *believer) beside(ctx context.Context) (places []*Place, err error) {
	p := b.place
	switch {
	case p.Repo == nil:
		var q quorum
		err = q.collect(ctx, p)
		for _, m := range q.members {
			places = append(places, m.place)
		}
	case p.Commit != "":
		places, err = signaturesIn(ctx, &Place{Repo: p.Repo, Commit: p.Commit, snapshot: p.snapshot})
	default:
		places, err = Signatures(ctx, p.Repo)
	}
	return slices.DeleteFunc(places, func(other *Place) bool {
		name, inside := other.inRepository()
		return !inside || name == b.path || path.Dir(name) != path.Dir(b.path)
	}), err
}
