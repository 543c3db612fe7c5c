package gitrepo

import (
	"bufio"
	"context"
	"errors"
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
	table, err := attributeTable(ctx, r.git.stream, nil, paths, names)
	attributes := map[string]map[string]string{}
	for i, row := range table {
		for j, value := range row {
			if value == "" {
				continue
			}
			if attributes[paths[i]] == nil {
				attributes[paths[i]] = make(map[string]string, 1)
			}
			attributes[paths[i]][names[j]] = value
		}
	}
	return attributes, err
}

// PathsWithAttribute returns the set of those paths, relative to Top, for which
// an attribute has a value.
func (r *Repository) PathsWithAttribute(ctx context.Context, paths []string, name, value string) (map[string]bool, error) {
	table, err := attributeTable(ctx, r.git.stream, nil, paths, []string{name})
	found := map[string]bool{}
	for i, row := range table {
		if row[0] == value {
			found[paths[i]] = true
		}
	}
	return found, err
}

// streamFunc is git.stream, or that of a [Scratch].
type streamFunc func(ctx context.Context, stdin io.Reader, read func(*bufio.Reader) error, args ...string) error

// attributeTable returns the values of attributes by path and name, in the order
// of both; "" where one is not specified.
func attributeTable(ctx context.Context, stream streamFunc, options, paths, names []string) ([][]string, error) {
	if len(paths) == 0 || len(names) == 0 {
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
	return table, checkAttributes(ctx, stream, options, once, names, func(path, name, value []byte) error {
		row := rows[string(path)]
		if row == nil {
			return fmt.Errorf("git check-attr: %w: %q was not asked about", errRecord, path)
		}
		if i := slices.Index(names, string(name)); i >= 0 {
			row[i] = string(value)
		}
		return nil
	})
}

// errSpecified says that more attributes are specified than it pays to be told of.
var errSpecified = errors.New("too many attributes")

// usualAttributes is how many attributes a path may have, on average, before git is
// asked for the wanted ones by name.
const usualAttributes = 8

// checkAttributes calls fn for every attribute with one of the names that is
// specified for a path, and for others. Git is asked for all that is specified, as
// most paths have little of what could be. What is checked out, or was pushed, may
// specify thousands for every path, and then git is asked again for those names.
func checkAttributes(ctx context.Context, stream streamFunc, options, paths, names []string, fn func(path, name, value []byte) error) error {
	args := slices.Concat([]string{"check-attr", "--stdin", "-z"}, options)
	input := strings.Join(paths, "\x00") + "\x00"
	seen := 0
	err := stream(ctx, strings.NewReader(input), func(r *bufio.Reader) error {
		return parseAttributes(r, func(path, name, value []byte) error {
			if seen++; seen > usualAttributes*len(paths) && seen > 1000 {
				return errSpecified
			}
			return fn(path, name, value)
		})
	}, append(args, "-a")...)
	if !errors.Is(err, errSpecified) {
		return err
	}
	return stream(ctx, strings.NewReader(input), func(r *bufio.Reader) error {
		return parseAttributes(r, func(path, name, value []byte) error {
			if string(value) == "unspecified" {
				return nil
			}
			return fn(path, name, value)
		})
	}, append(args, names...)...)
}

// maxAttribute bounds a path, the name of an attribute, and its value.
const maxAttribute = 64 << 10

// parseAttributes reads triples of path, attribute and value, each ended by NUL,
// up to the first error. What fn is given lasts until it returns.
func parseAttributes(r *bufio.Reader, fn func(path, name, value []byte) error) error {
	r = bufio.NewReaderSize(r, maxAttribute)
	var path, name []byte
	for field := 0; ; field++ {
		text, err := r.ReadSlice(0)
		switch {
		case err == io.EOF && len(text) == 0 && field%3 == 0:
			return nil
		case err == io.EOF:
			return fmt.Errorf("git check-attr: %w: %w", errRecord, io.ErrUnexpectedEOF)
		case err != nil:
			return fmt.Errorf("git check-attr: %w: %w", errRecord, err)
		}
		switch text = text[:len(text)-1]; field % 3 {
		case 0:
			path = append(path[:0], text...)
		case 1:
			name = append(name[:0], text...)
		case 2:
			if err := fn(path, name, text); err != nil {
				return err
			}
		}
	}
}
