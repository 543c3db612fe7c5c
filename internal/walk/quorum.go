package walk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// member is one of several signatures for the same files, and the verdict on it alone.
type member struct {
	place   *Place
	verdict *ui.Verdict
	// stranger says that nobody who is believed has made it. It is no failure then.
	stranger bool
}

// quorum judges the signatures of one folder, or the one of a file, together: the
// policy asks for a number of signers.
type quorum struct {
	options VerifyOptions // without the threshold
	members []*member
	// reports are those that were made, by what they follow from.
	reports map[[sha256.Size]byte]*check.Report
	// judge makes the verdict on one signature's files, where it is believed.
	judge func(q *quorum, ctx context.Context, v *ui.Verdict, p *Place) error
}

// judgedOnce judges the signatures of each folder together, once for all of them.
type judgedOnce struct {
	options  VerifyOptions
	places   []*Place // all of a commit's, or of the index
	together map[string]*ui.Verdict
	single   map[string]*ui.Verdict
}

func newJudgedOnce(places []*Place, o VerifyOptions) *judgedOnce {
	return &judgedOnce{options: o.once(), places: places, together: map[string]*ui.Verdict{}, single: map[string]*ui.Verdict{}}
}

// of is the verdict on one signature, by itself.
func (j *judgedOnce) of(ctx context.Context, p *Place) *ui.Verdict {
	if j.options.Policy.Threshold == 0 {
		return judgePlace(ctx, p, j.options)
	}
	j.all(ctx, p.Path)
	if v := j.single[p.Signature]; v != nil {
		return v
	}
	o := j.options
	o.Policy.Threshold = 0
	return judgePlace(ctx, p, o)
}

// all is the verdict on all signatures of a folder; nil where no number of signers is
// asked for, or where there is none.
func (j *judgedOnce) all(ctx context.Context, path string) *ui.Verdict {
	i := slices.IndexFunc(j.places, func(p *Place) bool { return p.Path == path })
	if j.options.Policy.Threshold == 0 || i < 0 {
		return nil
	}
	if v := j.together[path]; v != nil {
		return v
	}
	same := slices.DeleteFunc(slices.Clone(j.places), func(p *Place) bool { return p.Path != path })
	v, members := verifyTogether(ctx, heads(same, j.options.Policy)[0], j.options)
	for _, m := range members {
		j.single[m.place.Signature] = m.verdict
	}
	j.together[path] = v
	return v
}

// verifyTogether verifies all signatures for the model at p: the one that is named
// there and those beside it. The verdict is good if enough different signers of the
// policy have signed, and nothing says that a file is not as one of them signed it.
func verifyTogether(ctx context.Context, p *Place, o VerifyOptions) (*ui.Verdict, []*member) {
	return together(ctx, p, o, (*quorum).compare)
}

// believeTogether is verifyTogether, but looks at no file that was signed.
func believeTogether(ctx context.Context, p *Place, o VerifyOptions) (*ui.Verdict, []*member) {
	return together(ctx, p, o, func(*quorum, context.Context, *ui.Verdict, *Place) error { return nil })
}

func together(ctx context.Context, p *Place, o VerifyOptions, judge func(q *quorum, ctx context.Context, v *ui.Verdict, p *Place) error) (*ui.Verdict, []*member) {
	o = o.once()
	q := &quorum{judge: judge, options: o, reports: map[[sha256.Size]byte]*check.Report{}}
	q.options.Policy.Threshold, q.options.Policy.Require = 0, false // which is asked of them together
	if q.options.Check.Memory == nil && p.Commit == "" {
		q.options.Check.Memory = new(readOnce) // each file is hashed once for all of them
	}
	v := newVerdict(p)
	if v.Err = o.checkTrust(); v.Err == nil {
		v.Err = q.collect(ctx, p)
	}
	if v.Err != nil {
		return v, nil
	}
	q.verify(ctx)
	v.Signature = q.members[0].verdict.Signature
	q.conclude(ctx, v, o.Policy)
	return v, q.members
}

// heads are the places at which [Verify] says all that there is to say: every
// signature by itself, or where a number of signers is asked for one of each
// folder, model.sig if that is there.
func heads(places []*Place, p policy.Policy) []*Place {
	if p.Threshold == 0 {
		return places
	}
	var out []*Place
	at := map[string]int{}
	for _, place := range places {
		i, known := at[place.Path]
		switch {
		case !known || place.Single:
			at[place.Path] = len(out)
			out = append(out, place)
		case filepath.Base(place.Signature) == SignatureName:
			out[i] = place
		}
	}
	return out
}

// verifyHead is [Verify], and the signatures that it is about, with what is to be
// said of each.
func verifyHead(ctx context.Context, p *Place, o VerifyOptions) (*ui.Verdict, []*member) {
	if o.Policy.Threshold > 0 {
		return verifyTogether(ctx, p, o)
	}
	v := Verify(ctx, p, o)
	return v, []*member{{place: p, verdict: v}}
}

// collect finds the signatures.
func (q *quorum) collect(ctx context.Context, p *Place) error {
	siblings, err := p.siblings(ctx)
	if err != nil {
		return err
	}
	q.members = []*member{{place: p}}
	for _, name := range siblings {
		beside := *p
		beside.Detached, beside.named = false, false
		if beside.Signature = filepath.Join(p.Path, name); p.Commit != "" {
			beside.Signature = path.Join(p.Path, name)
		}
		if p.remote != nil {
			beside.Signature = name
		}
		q.members = append(q.members, &member{place: &beside})
	}
	return nil
}

// verify verifies each signature by itself.
func (q *quorum) verify(ctx context.Context) {
	for _, m := range q.members {
		m.verdict = newVerdict(m.place)
		_, err := believe(ctx, m.verdict, m.place, q.options)
		if m.stranger = err != nil && verify.IsStranger(err); err == nil {
			err = q.judge(q, ctx, m.verdict, m.place)
		}
		m.verdict.Err = err
		findReplay(ctx, m.verdict, m.place, q.options)
	}
	// The usual name is not missed where others are there; one that was asked for is.
	if first := q.members[0]; len(q.members) > 1 && !first.place.Detached && !first.place.named && ui.Code(first.verdict.Err) == ui.ExitUnsigned {
		q.members = q.members[1:]
	}
}

// compare holds the files against what was signed, unless the same was done for
// another signature already.
func (q *quorum) compare(ctx context.Context, v *ui.Verdict, p *Place) error {
	key := q.keyOf(v.Manifest)
	if report, done := q.reports[key]; done {
		v.Report = report
		return nil
	}
	if err := compareFiles(ctx, v, p, v.Manifest, q.options); err != nil {
		return err
	}
	q.reports[key] = v.Report
	return nil
}

// keyOf is the key of a manifest's report. Which of the signatures it leaves out
// makes no difference: all of them are left out.
func (q *quorum) keyOf(m *oms.Manifest) [sha256.Size]byte {
	own := map[string]bool{}
	for _, member := range q.members {
		if p := member.place; p.Commit == "" {
			own[filepath.Base(p.Signature)] = filepath.Dir(p.Signature) == p.Path
		} else {
			own[path.Base(p.Signature)] = !p.Detached
		}
	}
	return manifestKey(m, own)
}

// manifestKey is a digest of all that a manifest says of files, apart from that it
// leaves out those that are its own or other signatures for them.
func manifestKey(m *oms.Manifest, signatures map[string]bool) (key [sha256.Size]byte) {
	h := sha256.New()
	field(h, fmt.Sprint(m.Serialization.Method, m.Serialization.HashType, m.Serialization.ShardSize, m.Serialization.AllowSymlinks))
	for _, p := range slices.Sorted(slices.Values(m.Serialization.IgnorePaths)) {
		if !signatures[p] {
			field(h, p)
		}
	}
	field(h, "")
	rs := slices.Clone(m.Resources)
	slices.SortFunc(rs, func(a, b oms.Resource) int { return strings.Compare(m.ResourceName(a), m.ResourceName(b)) })
	for _, r := range rs {
		field(h, r.Path)
		field(h, fmt.Sprint(r.Start, r.End))
		field(h, string(r.Digest))
	}
	h.Sum(key[:0])
	return key
}

// field adds a text that ends where the next begins.
func field(h hash.Hash, text string) {
	_ = binary.Write(h, binary.BigEndian, int64(len(text)))
	h.Write([]byte(text))
}

// conclude counts the signers and fills in the verdict.
func (q *quorum) conclude(ctx context.Context, v *ui.Verdict, p policy.Policy) {
	need := p.Threshold
	switch err := q.members[0].verdict.Err; {
	case ctx.Err() != nil:
		v.Err = ui.Trouble("", "%w", ctx.Err())
		return
	case len(q.members) == 1 && ui.Code(err) == ui.ExitUnsigned:
		if v.Err = err; p.Require {
			v.Err = ui.Failed("", "%w, and %s are required", err, ui.Plural(need, "signer"))
		}
		return
	}
	v.Quorum = &ui.Quorum{Need: need, Signers: q.count()}
	var failures []error
	var hints []string
	code := ui.ExitOK
	for _, m := range q.members {
		v.Quorum.Members = append(v.Quorum.Members, m.verdict)
		switch {
		case m.stranger:
			m.verdict.Aside = "by nobody who is believed"
		case m.verdict.ExitCode() != ui.ExitOK:
			code = ui.Worse(code, m.verdict.ExitCode())
			failures = append(failures, errors.New(m.headline(v)))
			for _, hint := range ui.Hints(m.verdict.Err) {
				if !slices.Contains(hints, hint) {
					hints = append(hints, hint)
				}
			}
		case v.Signer == nil && m.verdict.Aside == "":
			v.Signer, v.Manifest, v.Report, v.TrustedBy = m.verdict.Signer, m.verdict.Manifest, m.verdict.Report, m.verdict.TrustedBy
		}
	}
	if v.Quorum.Signers < need {
		if code != ui.ExitTrouble { // what could not be checked might have been enough
			code = ui.Worse(code, ui.ExitFailed)
		}
		if len(failures) == 0 {
			failures = append(failures, errors.New(v.Quorum.Shortage()))
		}
	}
	if len(failures) > 0 {
		v.Err = &ui.Error{Code: code, Err: joined(failures), Hints: hints}
	}
}

// headline says what is wrong, and with which signature if it is not the one that
// the whole verdict is called by.
func (m *member) headline(all *ui.Verdict) string {
	if m.verdict.Signature == all.Signature {
		return m.verdict.Headline()
	}
	return ui.Quote(m.verdict.Signature) + ": " + m.verdict.Headline()
}

// joined is several errors in one line.
func joined(errs []error) error {
	text := make([]string, len(errs))
	for i, err := range errs {
		text[i] = err.Error()
	}
	return errors.New(strings.Join(text, "; "))
}

// count is how many different signers have signed all of the files that any of them
// has signed. It says of the other good signatures why they do not count.
func (q *quorum) count() int {
	var good []*member
	for _, m := range q.members {
		if !m.stranger && m.verdict.Signer != nil && m.verdict.ExitCode() == ui.ExitOK {
			good = append(good, m)
		}
	}
	var signers []*verify.Signer
	var counted []*member
	for _, m := range good {
		if lacking := q.lacking(m, good); lacking != "" {
			m.verdict.Aside = "does not cover " + ui.Quote(lacking) + ", as others do"
			continue
		}
		signers, counted = append(signers, m.verdict.Signer), append(counted, m)
	}
	first, n := verify.Distinct(signers)
	for i, f := range first {
		if f != i {
			counted[i].verdict.Aside = "by the same signer as " + ui.Quote(counted[f].verdict.Signature)
		}
	}
	return n
}

// lacking is a file that others have signed and this signature says nothing of, ""
// if there is none. Shards name no empty files.
func (q *quorum) lacking(m *member, others []*member) string {
	s := m.verdict.Manifest.Serialization
	named := signedPaths(m.verdict.Manifest)
	ignored := oms.NewIgnored(s.IgnorePaths)
	implied := s.Method == oms.Shards && !q.options.Check.IgnoreUnsigned
	for _, other := range others {
		for _, r := range other.verdict.Manifest.Resources {
			if !named[r.Path] && (!implied || ignored.Has(r.Path)) {
				return r.Path
			}
		}
	}
	return ""
}
