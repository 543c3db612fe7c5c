package gitrepo

import (
	"context"
	"errors"
	"io"
)

// CommitOptions says what to commit and how.
type CommitOptions struct {
	Path    string // relative to Top
	Message string // subject and body; "" only with Amend, which then keeps HEAD's
	Amend   bool   // put the path into HEAD's commit
	// Stdin, Stdout and Stderr are the streams of git and the user's hooks.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Commit is what CommitFile made.
type Commit struct {
	ID    string
	Short string // abbreviated as git does
}

// CommitFile commits one file as it is in the worktree, whatever else is staged.
func (r *Repository) CommitFile(ctx context.Context, o CommitOptions) (Commit, error) {
	return Commit{}, errors.New("not built yet")
}

// HeadCommit returns the id of the current commit, "" if there is none yet.
func (r *Repository) HeadCommit(ctx context.Context) (string, error) {
	return "", errors.New("not built yet")
}

// CommitEntries returns the paths at or under a path that a commit holds.
func (r *Repository) CommitEntries(ctx context.Context, rev, under string) ([]Entry, error) {
	return nil, errors.New("not built yet")
}
