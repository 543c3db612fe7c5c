package gitrepo

import (
	"context"
	"errors"
)

// Remote is where a repository came from.
type Remote struct {
	Name string // "" if the configuration names a URL and no remote
	// Match is the URL that configuration is matched with, without secrets:
	// ssh://git@host/path for git@host:path, file:///path for a path. It is ""
	// if the address has no such form.
	Match string
	// Display is the address as configured, without secrets.
	Display string
}

// Remote returns the upstream remote of the current branch, else origin, else
// the only remote there is, else a zero Remote.
func (r *Repository) Remote(ctx context.Context) (Remote, error) {
	return Remote{}, errors.New("not built yet")
}

// RemoteURL returns the Match of Remote.
func (r *Repository) RemoteURL(ctx context.Context) (string, error) {
	remote, err := r.Remote(ctx)
	return remote.Match, err
}
