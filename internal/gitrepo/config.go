package gitrepo

import (
	"context"
	"errors"
)

// ConfigGet returns the value of a configuration key as the folder's repository
// has it, or outside of one the global and system configuration, and whether
// it is set. Of several values it is the last.
func ConfigGet(ctx context.Context, dir, key string) (value string, set bool, err error) {
	return "", false, errors.New("not built yet")
}

// ConfigGetAll is ConfigGet for all values of a key, in git's order.
func ConfigGetAll(ctx context.Context, dir, key string) ([]string, error) {
	return nil, errors.New("not built yet")
}

// ConfigURLMatch returns the variables of a section that hold for a URL, by
// variable name in lower case. As with git's own urlmatch the most specific
// <section>.<url>.<name> wins for each name, and <section>.<name> holds where
// no URL matches. All values that a name has at the winning place are given, in
// git's order. An empty URL asks for <section>.<name> only.
func ConfigURLMatch(ctx context.Context, dir, section, url string) (map[string][]string, error) {
	return nil, errors.New("not built yet")
}

// ExpandPath expands ~/, ~user/ and %(prefix)/ at the beginning of a
// configuration value as git does for values that are paths.
func ExpandPath(ctx context.Context, value string) (string, error) {
	return "", errors.New("not built yet")
}

// ConfigGet is the function of that name for this repository.
func (r *Repository) ConfigGet(ctx context.Context, key string) (value string, set bool, err error) {
	return "", false, errors.New("not built yet")
}

// ConfigGetAll is the function of that name for this repository.
func (r *Repository) ConfigGetAll(ctx context.Context, key string) ([]string, error) {
	return nil, errors.New("not built yet")
}

// ConfigURLMatch is the function of that name for this repository.
func (r *Repository) ConfigURLMatch(ctx context.Context, section, url string) (map[string][]string, error) {
	return nil, errors.New("not built yet")
}
