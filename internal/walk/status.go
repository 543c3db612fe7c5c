package walk

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// StatusOptions say what Status looks at.
type StatusOptions struct {
	// Under is a path relative to the top of the worktree: what lies at or under it
	// is looked at, and the signatures that are for it. "" is everything.
	Under string
	// Verify says whom to believe, and how to hash. It is called once, while git
	// looks at the worktree.
	Verify func(context.Context) (VerifyOptions, error)
}

// Status says how the signatures of a worktree stand to what is staged. The
// staged blobs and LFS pointers are compared, and no file of the worktree is read.
func Status(ctx context.Context, repo *gitrepo.Repository, o StatusOptions) (*ui.Status, error) {
	if repo.Top == "" {
		return nil, ui.Usage("git model-sign log and verify --rev look at commits", "status is about a worktree, and there is none")
	}
	w := lookAtWorktree(ctx, repo, o.Under)
	defer w.stop()
	verify, err := o.Verify(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.readIndex(); err != nil {
		return nil, err
	}
	s := &ui.Status{}
	judged := newJudgedOnce(w.places, verify)
	for _, p := range w.places {
		if !gitrepo.IsUnder(p.Signature, o.Under) && !gitrepo.IsUnder(p.Path, o.Under) && !gitrepo.IsUnder(o.Under, p.Path) {
			continue
		}
		v := judged.of(ctx, p)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := misconfigured(v); err != nil {
			return nil, err
		}
		s.Signatures = append(s.Signatures, ui.SignatureStatus{Path: p.Signature, Model: p.Path, Verdict: v})
		if all := judged.all(ctx, p.Path); all != nil && !slices.Contains(s.Together, all) {
			s.Together = append(s.Together, all)
		}
	}
	if err := w.readChanges(); err != nil {
		return nil, err
	}
	s.Untracked = w.untracked
	for _, d := range w.unstaged {
		s.Unstaged = append(s.Unstaged, ui.WorktreeChange{Path: d.Path, What: changeWord(d.What)})
	}
	for i := range s.Signatures {
		s.Signatures[i].State = w.state(s.Signatures[i].Path)
	}
	s.Signatures = append(s.Signatures, w.others(o.Under)...)
	slices.SortFunc(s.Signatures, func(a, b ui.SignatureStatus) int { return strings.Compare(a.Path, b.Path) })
	s.Uncovered = w.uncovered(o.Under)
	s.Fetched = repo.Fetched()
	return s, nil
}

// misconfigured is the error of a verdict that says nothing of its signature, but
// that the command was called or configured wrongly; nil if it is none such.
func misconfigured(v *ui.Verdict) error {
	if ui.Code(v.Err) == ui.ExitUsage {
		return v.Err
	}
	return nil
}

// FindInRepository opens the repository that a file or folder is in, which need
// not exist, and returns its path there, "" for the top.
func FindInRepository(ctx context.Context, name string) (repo *gitrepo.Repository, path string, err error) {
	r := &Revision{Name: name}
	err = r.findRepository(ctx)
	if errors.Is(err, gitrepo.ErrNotRepository) {
		return nil, "", ui.Usage("", "%w", err)
	}
	return r.Repo, r.Path, err
}

// RepositoryHere opens the repository that the current folder is in, a bare one too, or
// that the environment names; nil where there is none.
func RepositoryHere(ctx context.Context) (*gitrepo.Repository, error) {
	p, err := Locate(ctx, ".", "", false)
	if err != nil || p.Repo == nil && !p.Internal {
		return nil, err
	}
	return repositoryAt(ctx, p.Path)
}

// worktreeState is what git says of a worktree and its index. It is read while
// other things are done: the index, which they need, before anything else.
type worktreeState struct {
	top      string        // of the worktree
	index    chan struct{} // closed once the index is read
	places   []*Place      // of the signatures in the index
	entries  []gitrepo.Entry
	indexErr error

	changes   chan struct{} // closed once the rest is read
	unstaged  []gitrepo.Difference
	untracked []string
	staged    []gitrepo.Difference // signatures, or what is called like one
	errs      []error              // of reading the rest

	cancel context.CancelFunc
	ended  func() // waits for what is read ahead to end
}

// lookAtWorktree begins to ask git.
func lookAtWorktree(ctx context.Context, repo *gitrepo.Repository, under string) *worktreeState {
	ctx, cancel := context.WithCancel(ctx)
	w := &worktreeState{top: repo.Top, index: make(chan struct{}), changes: make(chan struct{}), cancel: cancel, ended: func() {}}
	go func() {
		defer close(w.changes)
		snapshot, err := repo.Snapshot(ctx, "")
		if err == nil {
			w.entries = snapshot.Entries
			w.places, err = signaturesIn(ctx, &Place{Repo: repo, Commit: Staged, snapshot: snapshot})
		}
		if len(w.places) > 0 {
			w.ended = tree.ReadAhead(ctx, snapshot)
		}
		w.indexErr = err
		close(w.index)
		if err == nil {
			w.look(ctx, repo, under)
		}
	}()
	return w
}

// look asks for what is not needed before the end: beside the signatures that are
// checked meanwhile, and one after the other where there are no cores to spare.
func (w *worktreeState) look(ctx context.Context, repo *gitrepo.Repository, under string) {
	questions := []func() error{
		func() (err error) { w.staged, err = repo.StagedWith(ctx, ".sig"); return err },
		func() (err error) { w.untracked, err = repo.UntrackedFiles(ctx, under); return err },
		func() (err error) { w.unstaged, err = repo.Unstaged(ctx, under); return err },
	}
	w.errs = make([]error, len(questions))
	cores := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))
	var wg sync.WaitGroup
	for i, ask := range questions {
		cores <- struct{}{}
		wg.Go(func() {
			w.errs[i] = ask()
			<-cores
		})
	}
	wg.Wait()
}

// readIndex waits for the index.
func (w *worktreeState) readIndex() error {
	<-w.index
	return lookingError(w.indexErr)
}

// readChanges waits for the rest.
func (w *worktreeState) readChanges() error {
	<-w.changes
	return lookingError(errors.Join(w.errs...))
}

func lookingError(err error) error {
	if err == nil {
		return nil
	}
	return ui.Trouble("", "looking at the worktree: %w", err)
}

// stop ends what is still running.
func (w *worktreeState) stop() {
	w.cancel()
	<-w.changes
	w.ended()
}

// state says where a signature is that the index holds.
func (w *worktreeState) state(signature string) ui.SignatureState {
	if slices.ContainsFunc(w.staged, func(d gitrepo.Difference) bool { return d.Path == signature }) {
		return ui.SignatureStaged
	}
	return ui.SignatureCommitted
}

// holds says whether the index holds a path.
func (w *worktreeState) holds(name string) bool {
	_, found := findEntry(w.entries, name)
	return found
}

// others are the signatures at or under a path that the index does not hold.
func (w *worktreeState) others(under string) []ui.SignatureStatus {
	var found []ui.SignatureStatus
	add := func(name string, state ui.SignatureState) {
		if (isSignatureName(name) || isCoSignatureName(name) && !w.holds(strings.TrimSuffix(name, ".sig"))) && gitrepo.IsUnder(name, under) {
			found = append(found, ui.SignatureStatus{Path: name, Model: strings.TrimSuffix(name[:strings.LastIndexByte(name, '/')+1], "/"), State: state})
		}
	}
	for _, d := range w.staged {
		switch d.What {
		case 'D':
			add(d.Path, ui.SignatureRemoved)
		case 'U':
			add(d.Path, ui.SignatureUnmerged)
		}
	}
	for _, name := range w.untracked {
		if !isCoSignatureName(name) || maybeBundle(filepath.Join(w.top, filepath.FromSlash(name))) {
			add(name, ui.SignatureUntracked)
		}
	}
	return found
}

// uncovered are the tracked files at or under a path that no signature is for.
func (w *worktreeState) uncovered(under string) []string {
	var names []string
	last := ""
	for _, e := range w.entries {
		if !gitrepo.IsUnder(e.Path, under) || e.Path == last {
			continue
		}
		last = e.Path
		if e.Stage != 0 && isSignatureName(e.Path) {
			continue // it is told of as one that is in conflict
		}
		if !slices.ContainsFunc(w.places, func(p *Place) bool {
			return e.Path == p.Signature || gitrepo.IsUnder(e.Path, p.Path) && (!p.Single || e.Path == p.Path)
		}) {
			names = append(names, e.Path)
		}
	}
	return names
}

// changeWord is git's letter for a change in a word.
func changeWord(letter byte) string {
	switch letter {
	case 'A':
		return "added"
	case 'D':
		return "deleted"
	case 'T':
		return "typechange"
	case 'U':
		return "unmerged"
	}
	return "modified"
}
