package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// Values of an attribute that are not a text of its own.
const (
	AttrSet         = "set"
	AttrUnset       = "unset"
	AttrUnspecified = "unspecified"
)

// Attributes returns for each path, relative to Top, the values of the named
// attributes, as git reads them in the worktree. An attribute that is not
// specified for a path is left out, and so is a path that has none.
func (r *Repository) Attributes(ctx context.Context, paths []string, names ...string) (map[string]map[string]string, error) {
	if len(paths) == 0 || len(names) == 0 {
		return nil, nil
	}
	stdin := strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	out, err := r.git.output(ctx, stdin, append([]string{"check-attr", "--stdin", "-z"}, names...)...)
	if err != nil {
		return nil, err
	}
	return parseAttributes(string(out))
}

// parseAttributes reads triples of path, attribute and value, each ended by NUL.
func parseAttributes(out string) (map[string]map[string]string, error) {
	attributes := map[string]map[string]string{}
	for out != "" {
		path, rest, ok1 := strings.Cut(out, "\x00")
		name, rest, ok2 := strings.Cut(rest, "\x00")
		value, rest, ok3 := strings.Cut(rest, "\x00")
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("git check-attr: %w", errRecord)
		}
		out = rest
		if value == AttrUnspecified {
			continue
		}
		if attributes[path] == nil {
			attributes[path] = make(map[string]string, 1)
		}
		attributes[path][name] = value
	}
	return attributes, nil
}
