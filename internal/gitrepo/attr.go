package gitrepo

import (
	"context"
	"errors"
)

// Values of an attribute that are not a text of its own.
const (
	AttrSet         = "set"
	AttrUnset       = "unset"
	AttrUnspecified = "unspecified"
)

// Attributes returns for each path, relative to Top, the values of the named
// attributes, as git reads them in the worktree.
func (r *Repository) Attributes(ctx context.Context, paths []string, names ...string) (map[string]map[string]string, error) {
	return nil, errors.New("not built yet")
}
