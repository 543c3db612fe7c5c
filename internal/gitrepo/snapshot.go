package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// Snapshot is what a commit or the index holds, and how this repository would
// check it out. It is read once and asked often.
type Snapshot struct {
	// Commit is the commit, "" for the index.
	Commit string
	// Entries are all paths in the order of bytes.
	Entries  []Entry
	Checkout Checkout
	// Ambiguous are the paths that a tree names more than once, or as a file and as
	// the folder of another one, in the order of bytes. Git makes no such commit, but
	// takes it: which of the files a checkout writes is left to chance.
	Ambiguous []string

	repo  *Repository
	ahead *readAhead // of the attributes of all entries; nil if nobody has begun it
}

// readAhead is attributes that are read before they are needed.
type readAhead struct {
	names []string
	done  chan struct{}
	table [][]string // by entry and name, once done
	err   error
}

// ReadAttributesAhead begins to read the attributes of all entries of the index, for
// [Snapshot.StagedAttributes] to have them at hand. The caller calls stop when nothing
// asks for them any more. It is called before anything else is asked of the snapshot.
func (s *Snapshot) ReadAttributesAhead(ctx context.Context, names ...string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	a := &readAhead{names: names, done: make(chan struct{})}
	s.ahead = a
	paths := make([]string, len(s.Entries))
	for i, e := range s.Entries {
		paths[i] = e.Path
	}
	go func() {
		defer close(a.done)
		// Git would fetch them one by one.
		if _, a.err = s.Fetch(ctx, s.attributeFiles()); a.err == nil {
			a.table, a.err = s.repo.stagedAttributes(ctx, paths, names)
		}
	}()
	return func() {
		cancel()
		<-a.done
	}
}

// attributeFiles are the object ids of every .gitattributes.
func (s *Snapshot) attributeFiles() []string {
	var oids []string
	for _, e := range s.Entries {
		isFile := e.Stage == 0 && (e.Mode == ModeFile || e.Mode == ModeExecutable)
		if isFile && path.Base(e.Path) == ".gitattributes" {
			oids = append(oids, e.OID)
		}
	}
	return oids
}

// StagedAttributes returns the values of attributes, by path and name in the
// order of both, by the .gitattributes files that are staged, whatever the
// worktree holds. One that is not specified is "". The paths are those of entries.
func (s *Snapshot) StagedAttributes(ctx context.Context, paths []string, names ...string) ([][]string, error) {
	if s.ahead == nil || !slices.Equal(s.ahead.names, names) {
		return s.repo.stagedAttributes(ctx, paths, names)
	}
	select {
	case <-s.ahead.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.ahead.err != nil { // of paths, perhaps, that nobody asks about
		return s.repo.stagedAttributes(ctx, paths, names)
	}
	table := make([][]string, len(paths))
	for i, path := range paths {
		at, found := slices.BinarySearchFunc(s.Entries, path, comparePath)
		if !found {
			return nil, fmt.Errorf("%w: %q is not staged", ErrObject, path)
		}
		table[i] = s.ahead.table[at]
	}
	return table, nil
}

// Snapshot reads what a commit holds, or the index if commit is "". No blob is
// looked at.
func (r *Repository) Snapshot(ctx context.Context, commit string) (*Snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &Snapshot{Commit: commit, repo: r}
	var wg sync.WaitGroup
	var configErr, err error
	wg.Go(func() {
		if s.Checkout, configErr = r.Checkout(ctx); configErr != nil {
			cancel()
		}
	})
	if commit == "" {
		s.Entries, err = r.Index(ctx, "")
	} else {
		s.Entries, err = r.CommitEntries(ctx, commit, "")
	}
	wg.Wait()
	s.Ambiguous = ambiguous(s.Entries)
	return s, errors.Join(configErr, err)
}

// ambiguous are the paths of sorted entries that cannot all be in one folder.
func ambiguous(entries []Entry) []string {
	var paths []string
	var open []string // paths of files, each of which begins with the one before it, and all that come next may
	for _, e := range entries {
		if e.Stage != 0 {
			continue // the sides of a conflict may be anything
		}
		for len(open) > 0 && !strings.HasPrefix(e.Path, open[len(open)-1]) {
			open = open[:len(open)-1]
		}
		for _, above := range open {
			if IsUnder(e.Path, above) {
				paths = append(paths, above)
			}
		}
		open = append(open, e.Path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Under returns the entries that are, or lie under, a path; "" means all.
func (s *Snapshot) Under(path string) []Entry {
	if path == "" {
		return s.Entries
	}
	// Between the path itself and what lies under it others may stand: a, a.txt, a/b.
	from, exact := slices.BinarySearchFunc(s.Entries, path, comparePath)
	if exact {
		to := from
		for to < len(s.Entries) && s.Entries[to].Path == path {
			to++
		}
		return s.Entries[from:to]
	}
	from, _ = slices.BinarySearchFunc(s.Entries, path+"/", comparePath)
	to, _ := slices.BinarySearchFunc(s.Entries, path+"0", comparePath) // "0" is next to "/"
	return s.Entries[from:to]
}

// Entry returns the entry of a path, and whether there is one that is merged.
func (s *Snapshot) Entry(path string) (Entry, bool) {
	i, found := slices.BinarySearchFunc(s.Entries, path, comparePath)
	if !found || s.Entries[i].Stage != 0 || s.Entries[i].IntentToAdd {
		return Entry{}, false
	}
	return s.Entries[i], true
}

func comparePath(e Entry, path string) int { return strings.Compare(e.Path, path) }

// Fetch fetches those of the objects that a partial clone lacks, in one go and
// no others, and returns how many. See ErrFetch.
func (s *Snapshot) Fetch(ctx context.Context, oids []string) (int, error) {
	return s.repo.fetchMissing(ctx, s.Checkout.Promisors, oids)
}
