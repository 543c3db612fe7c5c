package gitrepo

import (
	"context"
	"errors"
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

	repo *Repository
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
	return s, errors.Join(configErr, err)
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
