package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// HeadCommit returns the id of the current commit, "" if there is none yet.
func (r *Repository) HeadCommit(ctx context.Context) (string, error) {
	return r.resolve(ctx, "HEAD")
}

// Unborn says whether the current branch has no commit yet, which is no trouble: it is not that a commit cannot be found.
func (r *Repository) Unborn(ctx context.Context) (bool, error) {
	name, err := r.branch(ctx)
	if err != nil || name == "" {
		return false, err
	}
	if id, err := r.revParse(ctx, "HEAD"); err != nil || id != "" {
		return false, err
	}
	// Git says the same of a branch whose file it cannot read.
	info, err := os.Lstat(filepath.Join(r.CommonDir, "refs", "heads", filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.IsDir(), err
}

// resolve returns the id of the commit that a name stands for, "" if none does.
func (r *Repository) resolve(ctx context.Context, rev string) (string, error) {
	if strings.HasPrefix(rev, "-") {
		return "", fmt.Errorf("%q is no revision", rev)
	}
	if strings.ContainsAny(rev, ":{") {
		// What follows a colon, as in :/text, is taken as it is, and a suffix with it. So
		// it is with a brace that is not closed, as in HEAD^{/text.
		id, err := r.revParse(ctx, rev)
		if err != nil || !r.isOID(id) {
			return "", err
		}
		rev = id
	}
	return r.revParse(ctx, rev+"^{commit}")
}

// revParse returns what git makes of a name that is to stand for one object, "" if
// there is none.
func (r *Repository) revParse(ctx context.Context, rev string) (string, error) {
	g := r.git
	g.env = with(with(g.env, "GIT_NO_REPLACE_OBJECTS", "1"), "GIT_NO_LAZY_FETCH", "1")
	out, err := g.output(ctx, nil, "rev-parse", "--quiet", "--verify", rev)
	if exitedWith(err, 1) {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// exitedWith reports whether err is git having exited with a status.
func exitedWith(err error, status int) bool {
	var e *CommandError
	return errors.As(err, &e) && e.ExitCode == status
}

// ErrNoCommit says that a name stands for no commit of the repository.
var ErrNoCommit = errors.New("no such commit")

// ErrOtherObject says that an object is there and is no commit, nor a tag of one.
// It comes with [ErrNoCommit], and for full object ids alone.
var ErrOtherObject = errors.New("another object than a commit")

// ErrMissing says that an object, or what a tag stands for, is not there. It comes
// with [ErrNoCommit], and for full object ids alone.
var ErrMissing = errors.New("missing object")

// ResolveCommit returns the full id of the commit that a revision stands for, a
// branch, a tag or any other name that git knows. It is ErrNoCommit, wrapped, if
// there is none. For a full object id that git has failed is never taken for
// that: what is about to be received must not pass unseen for it.
func (r *Repository) ResolveCommit(ctx context.Context, rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsRune(rev, 0) {
		return "", fmt.Errorf("%q: %w", rev, ErrNoCommit)
	}
	if r.isOID(rev) {
		return r.peel(ctx, rev)
	}
	id, err := r.resolve(ctx, rev)
	switch {
	case err == nil && !r.isOID(id): // none, or one to be left out: ^HEAD
		return "", fmt.Errorf("%q: %w", rev, ErrNoCommit)
	case exitedWith(err, 128):
		return "", fmt.Errorf("%q: %w: %w", rev, ErrNoCommit, err)
	}
	return id, err
}

// peel returns the commit that an object is, or that a tag stands for.
func (r *Repository) peel(ctx context.Context, oid string) (string, error) {
	g := r.git
	g.env = with(with(g.env, "GIT_NO_REPLACE_OBJECTS", "1"), "GIT_NO_LAZY_FETCH", "1")
	out, err := g.output(ctx, strings.NewReader(oid+"^{}\n"), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return "", err
	}
	id, kind, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), " ")
	switch {
	case r.isOID(id) && kind == "commit":
		return id, nil
	case r.isOID(id) && (kind == "blob" || kind == "tree"):
		return "", fmt.Errorf("%s: %w: %w, a %s", oid, ErrNoCommit, ErrOtherObject, kind)
	case kind == "missing":
		return "", fmt.Errorf("%s: %w: %w", oid, ErrNoCommit, ErrMissing)
	}
	return "", fmt.Errorf("git cat-file: %w: %q", errRecord, out)
}

// CommitsBetween returns the commits that to has and from has not, the oldest
// first, in which one of the paths, or what lies under it, differs from a parent.
// Without paths it returns all of them.
func (r *Repository) CommitsBetween(ctx context.Context, from, to string, paths ...string) ([]string, error) {
	return r.revList(ctx, append([]string{"--full-history", "--topo-order", "--reverse", to, "^" + from, "--"}, paths...)...)
}

// History returns the newest commits, at most limit, on the line of first parents
// from a commit on, the newest first, in which one of the paths, or what lies
// under it, was changed.
func (r *Repository) History(ctx context.Context, commit string, limit int, paths ...string) ([]string, error) {
	return r.revList(ctx, append([]string{"--first-parent", "--max-count=" + strconv.Itoa(limit), commit, "--"}, paths...)...)
}

func (r *Repository) revList(ctx context.Context, args ...string) ([]string, error) {
	g := r.git
	g.env = with(g.env, "GIT_NO_REPLACE_OBJECTS", "1")
	out, err := g.output(ctx, nil, append([]string{"rev-list"}, args...)...)
	return strings.Fields(string(out)), err
}

// maxCommit is how long a list of the paths in a commit may be, in bytes. A few trees
// that hold each other several times over have more paths than there is memory.
const maxCommit = 256 << 20

var errManyPaths = errors.New("more paths than are read of a commit")

// CommitEntries returns the paths at or under a path that a commit holds, in the
// order of bytes, all of them if it is "". No blob is looked at. What refs/replace puts in place of
// an object does not count, as another clone has none of it. A commit with more paths
// than anybody has is an error.
func (r *Repository) CommitEntries(ctx context.Context, rev, under string) ([]Entry, error) {
	if strings.HasPrefix(rev, "-") {
		return nil, fmt.Errorf("%q is no revision", rev)
	}
	g := r.git
	g.env = with(g.env, "GIT_NO_REPLACE_OBJECTS", "1")
	var out []byte
	err := g.stream(ctx, nil, func(r *bufio.Reader) (err error) {
		if out, err = io.ReadAll(io.LimitReader(r, maxCommit+1)); err == nil && len(out) > maxCommit {
			err = fmt.Errorf("git ls-tree: %w: %d MiB of them", errManyPaths, maxCommit>>20)
		}
		return err
	}, underPath([]string{"ls-tree", "-r", "-z", "--full-tree", rev, "--"}, under)...)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, record := range splitNUL(string(out)) {
		head, path, tabbed := strings.Cut(record, "\t")
		fields := strings.Fields(head)
		if !tabbed || len(fields) != 3 {
			return nil, fmt.Errorf("git ls-tree: %w: %q", errRecord, record)
		}
		mode, err := strconv.ParseUint(fields[0], 8, 32)
		if err != nil {
			return nil, fmt.Errorf("git ls-tree: %w: %q", errRecord, record)
		}
		entries = append(entries, Entry{Mode: uint32(mode), OID: fields[2], Path: path})
	}
	// A tree that git did not make may be in any order, and hold a name twice.
	byPath := func(a, b Entry) int { return strings.Compare(a.Path, b.Path) }
	if !slices.IsSortedFunc(entries, byPath) {
		slices.SortStableFunc(entries, byPath)
	}
	return entries, nil
}

// ObjectsAt returns the object ids that paths have in commits, by commit and path
// in the order of both, "" where there is none. No object is looked at. No path
// may hold a line end.
func (r *Repository) ObjectsAt(ctx context.Context, commits, paths []string) ([][]string, error) {
	var names strings.Builder
	for _, commit := range commits {
		for _, path := range paths {
			if strings.ContainsRune(path, '\n') {
				return nil, fmt.Errorf("asking for %q: holds a line end", path)
			}
			names.WriteString(commit + ":" + path + "\n")
		}
	}
	objects := make([][]string, len(commits))
	if len(paths) == 0 {
		return objects, nil
	}
	g := r.git
	g.env = with(with(g.env, "GIT_NO_REPLACE_OBJECTS", "1"), "GIT_NO_LAZY_FETCH", "1")
	return objects, g.stream(ctx, strings.NewReader(names.String()), func(out *bufio.Reader) error {
		for i := range objects {
			objects[i] = make([]string, len(paths))
			for j := range paths {
				line, err := out.ReadString('\n')
				if err != nil {
					return fmt.Errorf("git cat-file: %w", io.ErrUnexpectedEOF)
				}
				if oid := strings.TrimSuffix(line, "\n"); r.isOID(oid) {
					objects[i][j] = oid
				}
			}
		}
		return nil
	}, "cat-file", "--buffer", "--batch-check=%(objectname)")
}
