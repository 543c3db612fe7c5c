package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// listing is a Tree while it is made.
type listing struct {
	tree    *Tree
	options Options
	root    string // Tree.Root
	access  root   // for a single file, of the folder that it lies in
	ignore  oms.Ignored
	kept    map[string]bool // folders that hold something of Options.Keep
	// signature is the signature's path relative to the model, "" if it does not
	// lie there.
	signature string
}

func newListing(t *Tree, o Options) *listing {
	l := &listing{tree: t, options: o, root: t.Root}
	folder, signature := t.Root, ""
	if t.Single {
		folder = filepath.Dir(t.Root)
	}
	if o.Signature != "" {
		if rel, ok := relative(folder, o.Signature); ok {
			signature = rel
		}
	}
	l.rules(signature)
	return l
}

// rules sets by what is left out, once it is known whether the model is a single
// file. The signature is relative to the model, "" if it does not lie there.
func (l *listing) rules(signature string) {
	l.signature = signature
	if !l.tree.Single {
		l.ignore = oms.NewIgnored(oms.DefaultIgnored(), l.options.Ignore)
	}
	l.kept = make(map[string]bool)
	for path := range l.options.Keep {
		for dir := parent(path); dir != "" && !l.kept[dir]; dir = parent(dir) {
			l.kept[dir] = true
		}
	}
	l.tree.leftOut = l.leftOut
}

// leftOut reports whether a path is no part of the model by the rules.
func (l *listing) leftOut(path string) bool {
	if path == l.signature && l.signature != "" {
		return true
	}
	return l.ignore.Has(path) && !l.options.Keep[path]
}

// prune reports whether nothing below a folder can be part of the model.
func (l *listing) prune(dir string) bool {
	return l.ignore.Has(dir) && !l.kept[dir]
}

// add takes in one path that was looked at, whatever it is.
func (l *listing) add(f File, e *entry) {
	if err := checkName(f.Path); err != nil {
		l.problem(f.Path, err, "")
		return
	}
	switch {
	case e.mode&fs.ModeSymlink != 0:
		l.addLink(f)
	case e.mode.IsRegular():
		f.Size = e.size
		f.Open = l.opener(f.Path, e)
		l.tree.Files = append(l.tree.Files, f)
	default:
		l.problem(f.Path, fmt.Errorf("%w but %s", ErrIrregular, describeMode(e.mode)), "")
	}
}

// opener opens what was listed, and nothing else. With many small files it counts
// what a function holds on to: the entry is shared.
func (l *listing) opener(path string, e *entry) func() (digest.File, error) {
	return func() (digest.File, error) {
		f, err := l.access.open(path, *e)
		if err != nil {
			return nil, fmt.Errorf("opening %q: %w", path, err)
		}
		return f, nil
	}
}

// checkName reports why a path may not stand in a signature.
func checkName(path string) error {
	if !utf8.ValidString(path) {
		return ErrNotUTF8
	}
	if err := oms.CheckPath(path); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	return nil
}

func describeMode(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "of an unknown kind"
}

func (l *listing) problem(path string, err error, hint string) {
	l.tree.Problems = append(l.tree.Problems, Problem{Path: path, Err: err, Hint: hint})
}

// unreadable makes a problem of an error of the system. What is one by name
// already stays it.
func (l *listing) unreadable(path string, err error) {
	if !errors.Is(err, ErrSymlink) && !errors.Is(err, ErrIrregular) && !errors.Is(err, ErrName) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, cause(err))
	}
	l.problem(path, err, "")
}

func (l *listing) warn(path string, err error) {
	l.tree.Warnings = append(l.tree.Warnings, Problem{Path: path, Err: err})
}

// finish puts everything in the order of paths.
func (l *listing) finish() *Tree {
	t := l.tree
	slices.SortFunc(t.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	t.warnOfTwins()
	byPath := func(a, b Problem) int { return strings.Compare(a.Path, b.Path) }
	slices.SortStableFunc(t.Problems, byPath)
	slices.SortStableFunc(t.Warnings, byPath)
	slices.Sort(t.Untracked)
	slices.Sort(t.Missing)
	slices.Sort(t.Sparse)
	return t
}

// relative returns the path of a file, which need not exist, relative to a
// folder, with slashes, and whether it lies there. Links in the folders on the
// way count as what they lead to.
func relative(folder, file string) (string, bool) {
	if real, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		file = filepath.Join(real, filepath.Base(file))
	}
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	return gitrepo.Within(folder, file)
}
