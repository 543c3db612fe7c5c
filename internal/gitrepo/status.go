package gitrepo

import (
	"context"
	"errors"
)

// ChangeKind says in which way a path differs from what is committed. Bits may
// be joined.
type ChangeKind uint8

// The kinds of change.
const (
	Staged      ChangeKind = 1 << iota // the index differs from HEAD
	Unstaged                           // the worktree differs from the index, as far as git sees
	Untracked                          // not in the index and not ignored
	Unmerged                           // a conflict
	IntentToAdd                        // git add -N
	Deleted                            // beside Staged or Unstaged: it is gone there
)

// Change is a path that is not as committed.
type Change struct {
	Path string // relative to Top; a folder that is another repository ends in a slash
	Kind ChangeKind
}

// Changes returns what `git status` finds at or under paths relative to Top;
// none means everywhere. git believes its stat cache, so that no change found
// is no proof that there is none.
func (r *Repository) Changes(ctx context.Context, under ...string) ([]Change, error) {
	return nil, errors.New("not built yet")
}

// UntrackedFiles returns the files at or under a path relative to Top that are
// neither tracked nor ignored.
func (r *Repository) UntrackedFiles(ctx context.Context, under string) ([]string, error) {
	return nil, errors.New("not built yet")
}
