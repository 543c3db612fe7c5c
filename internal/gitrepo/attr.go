package gitrepo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// AttrUnset is the value of an attribute that is switched off.
const AttrUnset = "unset"

// Attributes returns for each path, relative to Top, the values of the named
// attributes, as git reads them in the worktree. An attribute that is not
// specified for a path is left out, and so is a path that has none.
func (r *Repository) Attributes(ctx context.Context, paths []string, names ...string) (map[string]map[string]string, error) {
	attributes := map[string]map[string]string{}
	return attributes, r.git.checkAttributes(ctx, paths, names, func(path, name, value string) {
		if attributes[path] == nil {
			attributes[path] = make(map[string]string, 1)
		}
		attributes[path][name] = value
	})
}

// PathsWithAttribute returns the set of those paths, relative to Top, for which
// an attribute has a value.
func (r *Repository) PathsWithAttribute(ctx context.Context, paths []string, name, value string) (map[string]bool, error) {
	found := map[string]bool{}
	return found, r.git.checkAttributes(ctx, paths, []string{name}, func(path, _, v string) {
		if v == value {
			found[path] = true
		}
	})
}

// outputFunc is git.output, or that of a [Scratch].
type outputFunc func(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error)

// attributeTable returns the values of attributes by path and name, in the order
// of both; "" where one is not specified. It is for many paths: git is asked for
// all that is specified, as most paths have little of what could be.
func attributeTable(ctx context.Context, output outputFunc, options, paths, names []string) ([][]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	table := make([][]string, len(paths))
	values := make([]string, len(paths)*len(names))
	rows := make(map[string][]string, len(paths))
	once := make([]string, 0, len(paths)) // a path may be asked for more than once
	for i, path := range paths {
		if rows[path] == nil {
			rows[path] = values[i*len(names) : (i+1)*len(names) : (i+1)*len(names)]
			once = append(once, path)
		}
		table[i] = rows[path]
	}
	stdin := strings.NewReader(strings.Join(once, "\x00") + "\x00")
	out, err := output(ctx, stdin, slices.Concat([]string{"check-attr", "--stdin", "-z"}, options, []string{"-a"})...)
	if err != nil {
		return nil, err
	}
	return table, parseAttributes(string(out), func(path, name, value string) error {
		row := rows[path]
		if row == nil {
			return fmt.Errorf("git check-attr: %w: %q was not asked about", errRecord, path)
		}
		if i := slices.Index(names, name); i >= 0 {
			row[i] = value
		}
		return nil
	})
}

// checkAttributes calls fn for every attribute that is specified for a path.
func (g git) checkAttributes(ctx context.Context, paths, names []string, fn func(path, name, value string)) error {
	if len(paths) == 0 || len(names) == 0 {
		return nil
	}
	stdin := strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	out, err := g.output(ctx, stdin, "check-attr", "--stdin", "-z", "-a")
	if err != nil {
		return err
	}
	return parseAttributes(string(out), func(path, name, value string) error {
		if slices.Contains(names, name) {
			fn(path, name, value)
		}
		return nil
	})
}

// parseAttributes reads triples of path, attribute and value, each ended by NUL,
// up to the first error.
func parseAttributes(out string, fn func(path, name, value string) error) error {
	for out != "" {
		path, rest, ok1 := strings.Cut(out, "\x00")
		name, rest, ok2 := strings.Cut(rest, "\x00")
		value, rest, ok3 := strings.Cut(rest, "\x00")
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("git check-attr: %w", errRecord)
		}
		if err := fn(path, name, value); err != nil {
			return err
		}
		out = rest
	}
	return nil
}
