// Package monitor watches a transparency log: it reads what was added since the last time, proves that the log still holds what
// it held then, and finds the signatures of given signers of which nobody here knows.
//
// A log is believed in nothing but its key: each checkpoint has to be signed, each has to continue the one that was kept, and each
// entry has to be in the tree that was signed. The log can be served by Rekor v1, or by tiles as Rekor v2 is. The hashing and the
// proofs are golang.org/x/mod/sumdb's. The package reads no repository and prints nothing; it writes to its folder only, and does
// not check that a signature verifies, because one that does not is no less a sign that somebody has used an identity.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// atOnce is how many requests for entries are sent at the same time.
	atOnce = 6
	// saveEvery is after how many entries the place in the log is written down.
	saveEvery = 2000
	// shrunkTries is how often a log is asked again whose tree is smaller than it was: an answer may come from a server that
	// lags behind another.
	shrunkTries = 4
)

// Options say what to watch.
type Options struct {
	Log     Log
	Trusted root.TrustedMaterial
	Watched Watched
	// Known says which entries need no report. It is asked once the log has said how long it is, so that a signature which has
	// come to the log before has had all that time to come here, and only if an entry of a watched signer is found. Nothing is
	// known if it is nil.
	Known func(context.Context) (Known, error)
	// Folder is where the state is kept. It is made if need be.
	Folder string
	// Since is the index to read from, in place of where the last run has ended; negative for that. A first run without it
	// begins at the log's end.
	Since int64
	// New has a first run begin at the log's first entry: the log has come to those that were watched before.
	New bool
	// Listed are the addresses of the logs that the instance has and that are not [Options.New], this one or others. They are kept by
	// the first run, for who has to tell later which logs are new; see [Before].
	Listed []string
	// Limit is how many entries are read at most, 0 for all.
	Limit  int64
	Client *Client
}

// Result is what a run has done.
type Result struct {
	// First says that nothing was kept of an earlier run.
	First bool
	// From and To are the indexes between which entries were read: the next run begins at To. Size is how many the log has.
	From, To, Size int64
	// Begun says that the log was found to continue what was kept, and what it is now was kept: From, To and Size are known.
	Begun bool
	// Unproven is how many entries are in trees that no key which the trusted root lists has signed, and are not read.
	Unproven int64
	// Unreadable are entries, of kinds that matter, that could not be understood.
	Unreadable int
	// Found counts the entries that were reported.
	Found int
}

// Misbehaviour is the error for a log that does not stand by what it has signed.
type Misbehaviour struct {
	Log, What string
	// Kept and Found are the checkpoints that contradict each other, or of which the log's answers do.
	Kept, Found []byte
	// File is where both were written to.
	File string
}

func (m *Misbehaviour) Error() string { return m.Log + ": " + m.What }

// ErrSince says that there is no such entry to begin with.
var ErrSince = errors.New("not in the log")

// Unproven is the error for entries that cannot be read, because no key that the trusted root lists has signed their tree.
type Unproven struct {
	Tree string
	// Next is the index of the first entry behind it.
	Next int64
}

func (u *Unproven) Error() string {
	return fmt.Sprintf("no key that the trusted root lists has signed the tree %s, which ends before index %d", plain.Name(u.Tree), u.Next)
}

// Run reads a log once. It calls report for each entry of a watched signer that is neither known nor was reported before, in the
// order of the log; an error of report ends it and is returned. What was read by then is not read again by the next run.
func Run(ctx context.Context, o Options, report func(Entry) error) (Result, error) {
	r, err := start(ctx, o, report)
	if err != nil {
		return Result{}, err
	}
	err = r.watch(ctx)
	return r.result, errors.Join(err, r.unlock())
}

// Collect is [Run] for who tells of everything together: what it calls found for counts as reported once [Held.Told] is called, and
// not before. The next run goes on from the first of it otherwise. Held is nil where nothing was found, and nothing is held then.
func Collect(ctx context.Context, o Options, found func(Entry) error) (Result, *Held, error) {
	r, err := start(ctx, o, found)
	if err != nil {
		return Result{}, nil, err
	}
	r.collects = true
	err = r.watch(ctx)
	if r.untold == nil {
		return r.result, nil, errors.Join(err, r.unlock())
	}
	return r.result, &Held{r}, err
}

// Held is what [Collect] has found, of which nobody was told yet. Nobody else reads the log by the same state until [Held.Told] or
// [Held.Drop] is called.
type Held struct{ run *run }

// Told keeps that somebody was told.
func (h *Held) Told() error {
	if h == nil {
		return nil
	}
	return errors.Join(h.run.store.save(h.run.state), h.run.unlock())
}

// Drop leaves what was found to the next run.
func (h *Held) Drop() error {
	if h == nil {
		return nil
	}
	return h.run.unlock()
}

// start checks what is to be watched, and keeps others from reading by the same state.
func start(ctx context.Context, o Options, report func(Entry) error) (*run, error) {
	m, err := newMatcher(o.Trusted, o.Watched)
	if err != nil {
		return nil, err
	}
	if o.Client == nil {
		o.Client = new(Client)
	}
	r := &run{Options: o, matcher: m, report: report, store: store(o.Folder)}
	r.unlock, err = r.store.lock(ctx)
	return r, err
}

// watch reads the log, and keeps the evidence of what it does that it may not.
func (r *run) watch(ctx context.Context) error {
	err := r.all(ctx)
	var bad *Misbehaviour
	if errors.As(err, &bad) {
		var keepErr error
		bad.File, keepErr = r.store.keepEvidence(bad, time.Now())
		err = errors.Join(err, keepErr)
	}
	return err
}

// run is one reading of a log.
type run struct {
	Options
	matcher *matcher
	report  func(Entry) error
	store   store
	unlock  func() error
	source  source
	trees   []tree
	state   *state
	known   Known // once it was asked for
	result  Result
	unsaved int64
	// collects says that nobody is told of what report is called for until the run is over, and untold is what to keep until then:
	// the state before the first of it. It is nil where there is none.
	collects bool
	untold   *state
}

// save keeps how far the log was read and told of.
func (r *run) save() error {
	if r.untold != nil {
		return r.store.save(r.untold)
	}
	return r.store.save(r.state)
}

func (r *run) all(ctx context.Context) error {
	var err error
	if r.state, err = r.store.load(r.Log); err != nil {
		return err
	}
	if r.source, err = r.Log.open(ctx, r.Client); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	err = r.read(ctx)
	r.result.To = r.state.Next
	r.state.Finished = r.Log.Ended && err == nil && r.state.Next == r.result.Size
	return errors.Join(err, r.save())
}

// compare asks for the log's trees, until none is smaller than it was, and proves that they continue the kept ones.
func (r *run) compare(ctx context.Context) error {
	pause := r.Client.Pause
	if pause == 0 {
		pause = time.Second
	}
	for try := 1; ; try++ {
		var err error
		if r.trees, err = r.source.trees(ctx); err != nil {
			return err
		}
		if len(r.trees) == 0 {
			return fmt.Errorf("%w: it has no tree", ErrUnavailable)
		}
		err = r.continues(ctx)
		if !errors.Is(err, errShrunk) || try == shrunkTries {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// errShrunk says that a tree has fewer entries than it had.
var errShrunk = errors.New("the log has shrunk")

// shrunk is a Misbehaviour that another server of the log may not share.
type shrunk struct{ *Misbehaviour }

func (s shrunk) Is(target error) bool { return target == errShrunk }
func (s shrunk) Unwrap() error        { return s.Misbehaviour }

// continues proves that every tree that was kept is still there, and begins as it did.
func (r *run) continues(ctx context.Context) error {
	if r.state == nil {
		return nil
	}
	for _, k := range r.state.Trees {
		kept, err := openCheckpoint([]byte(k.Checkpoint), r.Log.Keys)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrState, r.store.file(), err)
		}
		i := slices.IndexFunc(r.trees, func(t tree) bool { return !t.unproven && t.origin == kept.origin })
		if i < 0 && slices.ContainsFunc(r.trees, func(t tree) bool { return t.unproven && strings.HasSuffix(kept.origin, " - "+t.id) }) {
			return fmt.Errorf("%w: the tree %s was signed by a key that the trusted root lists, and is not any more", ErrUnavailable, plain.Name(kept.origin))
		}
		if i < 0 {
			return r.misbehaves(kept.note, r.trees[len(r.trees)-1].note, "the tree %q is not there any more", kept.origin)
		}
		found := r.trees[i]
		switch {
		case found.offset != k.Offset:
			return r.misbehaves(kept.note, found.note, "the tree %q began at index %d, and begins at %d now", kept.origin, k.Offset, found.offset)
		case found.size < kept.size:
			return shrunk{r.misbehaves(kept.note, found.note, "it has shrunk: its tree had %d entries, and has %d now", kept.size, found.size)}
		case found.size == kept.size && found.root != kept.root:
			return r.misbehaves(kept.note, found.note, "it has forked: it has signed two trees of %d entries", kept.size)
		case found.size > kept.size && kept.size > 0:
			err := r.source.extends(ctx, kept, found)
			if errors.Is(err, errDiffers) {
				return r.misbehaves(kept.note, found.note, "it has forked: %v", err)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) misbehaves(kept, found []byte, format string, args ...any) *Misbehaviour {
	return &Misbehaviour{Log: r.Log.String(), What: fmt.Sprintf(format, args...), Kept: kept, Found: found}
}

// begin keeps the trees that were found, and chooses where to read from.
func (r *run) begin() error {
	last := r.trees[len(r.trees)-1]
	r.result.Size = last.offset + last.size
	if r.Since > r.result.Size {
		return fmt.Errorf("%w: index %d: %s has %d entries", ErrSince, r.Since, r.Log, r.result.Size)
	}
	if r.state != nil && r.state.Next > r.result.Size {
		return fmt.Errorf("%w: %s: it says that %d entries were read, and the log has %d", ErrState, r.store.file(), r.state.Next, r.result.Size)
	}
	if r.state == nil {
		r.result.First = true
		r.state = &state{Version: stateVersion, Log: r.Log.URL, Begun: time.Now().UTC().Truncate(time.Second), Next: r.result.Size}
		if r.New {
			r.state.Next = 0
		}
	}
	if r.state.Listed == nil {
		r.state.Listed = r.Listed
	}
	r.state.Trees = nil
	for _, t := range r.trees {
		if t.unproven {
			r.result.Unproven += t.size
			continue
		}
		r.state.Trees = append(r.state.Trees, keptTree{t.offset, string(t.note)})
	}
	if r.Since >= 0 {
		r.state.Next = r.Since
	}
	r.result.From, r.result.To = r.state.Next, r.state.Next
	if err := r.store.save(r.state); err != nil {
		return err
	}
	r.result.Begun = true
	return nil
}

// read looks at the entries from the kept place on.
func (r *run) read(ctx context.Context) error {
	end := r.result.Size
	if r.Limit > 0 {
		end = min(end, r.state.Next+r.Limit)
	}
	for _, t := range r.trees {
		to := min(end, t.offset+t.size)
		if t.unproven && r.state.Next >= t.offset && r.state.Next < to {
			return &Unproven{t.id, t.offset + t.size}
		}
		for r.state.Next < to && r.state.Next >= t.offset {
			if err := r.readSome(ctx, t, to-t.offset); err != nil {
				return r.contradicted(t, err)
			}
		}
	}
	return nil
}

// contradicted makes a Misbehaviour of an entry that is not in the tree.
func (r *run) contradicted(t tree, err error) error {
	if errors.Is(err, errDiffers) {
		return r.misbehaves(t.note, t.note, "%v", err)
	}
	return err
}

// chunk is a part of a tree that is asked for at once.
type chunk struct {
	from, to int64
	entries  [][]byte
	err      error
}

// readSome fetches a few chunks at the same time and looks at them in their order. What came before an error counts.
func (r *run) readSome(ctx context.Context, t tree, end int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var chunks []*chunk
	for pos := r.state.Next - t.offset; pos < end && len(chunks) < atOnce; {
		step := r.source.step()
		c := &chunk{from: pos, to: min(end, pos-pos%step+step)}
		chunks, pos = append(chunks, c), c.to
	}
	var wg sync.WaitGroup
	for _, c := range chunks {
		wg.Go(func() { c.entries, c.err = r.source.entries(ctx, t, c.from, c.to) })
	}
	wg.Wait()
	for _, c := range chunks {
		if c.err != nil {
			return c.err
		}
		for _, body := range c.entries {
			if err := r.look(ctx, body); err != nil {
				return err
			}
			r.state.Next++
			r.unsaved++
		}
	}
	if r.unsaved < saveEvery {
		return nil
	}
	r.unsaved = 0
	return r.save()
}

// look reports the next entry if it is to be reported.
func (r *run) look(ctx context.Context, body []byte) error {
	index := r.state.Next
	c, err := parseEntry(body)
	if err != nil {
		if !errors.Is(err, errOtherKind) {
			r.result.Unreadable++
		}
		return nil
	}
	e, found := r.matcher.signedBy(c)
	if !found || slices.Contains(r.state.Reported, index) {
		return nil
	}
	if r.known == nil && r.Known != nil {
		if r.known, err = r.Known(ctx); err != nil {
			return err
		}
	}
	if r.known.has(r.Log, index, body) {
		return nil
	}
	e.Log, e.Index = r.Log.URL, index
	if err := r.report(e); err != nil {
		return err
	}
	if r.collects && r.untold == nil {
		before := *r.state
		before.Reported, before.Finished = slices.Clone(before.Reported), false
		r.untold = &before
	}
	r.result.Found++
	r.state.Reported = append(r.state.Reported, index)
	r.unsaved = saveEvery // so that it is not reported twice
	return nil
}
