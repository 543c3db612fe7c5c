package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// ErrOutside says that a path does not lie in the worktree.
var ErrOutside = errors.New("does not lie in the worktree")

// OpenWorktree lists the tracked files of a worktree at or under a path. What
// git tracks is asked of git, what is there of the file system: git's stat cache
// has no say in it. The error is one of the model as a whole; what is wrong with
// one path is a Problem.
func OpenWorktree(ctx context.Context, repo *gitrepo.Repository, name string, o Options) (*Tree, error) {
	t, err := newTree(name)
	if err != nil {
		return nil, err
	}
	t.Worktree = true
	if t.RepoPath, err = repo.PathOf(t.Root); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrOutside, err)
	}
	w := &worktree{listing: newListing(t, o), repo: repo}
	if err := w.openAccess(); err != nil {
		return nil, err
	}
	if o.Signature != "" {
		// One that lies elsewhere is none of git's business.
		t.signature, _ = repo.PathOf(o.Signature)
	}
	if err := w.read(ctx); err != nil {
		t.Close()
		return nil, err
	}
	return w.finish(), nil
}

// worktree is a listing of tracked files.
type worktree struct {
	*listing
	repo    *gitrepo.Repository
	entries []gitrepo.Entry
	lfs     map[string]bool // the paths in the repository that go through LFS
	others  []string        // untracked, by their paths in the repository
}

// base is the folder in the repository that the tree's paths are relative to: for
// a single file the one that it lies in.
func (t *Tree) base() string {
	if t.Single {
		return parent(t.RepoPath)
	}
	return t.RepoPath
}

// inModel turns a path relative to the worktree into one relative to the model.
// Above the model it begins with "..".
func (t *Tree) inModel(repoPath string) string {
	base := t.base()
	if base == "" {
		return repoPath
	}
	if file, inside := strings.CutPrefix(repoPath, base+"/"); inside {
		return file
	}
	return "../" + (&Tree{RepoPath: parent(base)}).inModel(repoPath)
}

// holds reports whether a path in the repository would be part of the model.
func (t *Tree) holds(repoPath string) bool {
	if t.Single {
		return repoPath == t.RepoPath
	}
	return (t.RepoPath == "" || strings.HasPrefix(repoPath, t.RepoPath+"/")) && !t.leftOut(t.inModel(repoPath))
}

// read asks git what is tracked, and at the same time, as each is a program to
// start, what goes through LFS and what is not tracked.
func (w *worktree) read(ctx context.Context) error {
	entries, err := w.repo.Index(ctx, w.tree.RepoPath)
	if err != nil {
		return err
	}
	w.entries = entries
	if w.options.Committed {
		if err := w.leaveOutUncommitted(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var lfsErr, othersErr error
	wg.Go(func() {
		if w.lfs, lfsErr = w.repo.PathsWithAttribute(ctx, w.regular(), "filter", lfsFilter); lfsErr != nil {
			cancel()
		}
	})
	wg.Go(func() {
		if w.others, othersErr = w.repo.UntrackedFiles(ctx, w.tree.RepoPath); othersErr != nil {
			cancel()
		}
	})
	walkErr := w.addTracked(ctx)
	wg.Wait()
	if err := errors.Join(lfsErr, othersErr, walkErr); err != nil {
		return err
	}
	w.addUntracked()
	w.findPointers()
	if w.options.Promised {
		return w.promise(ctx)
	}
	return nil
}

// leaveOutUncommitted takes away what the index holds and HEAD does not. What
// both hold differently stays, for CheckSignable to refuse.
func (w *worktree) leaveOutUncommitted(ctx context.Context) error {
	head, err := w.repo.HeadCommit(ctx)
	if err != nil {
		return err
	}
	committed := make(map[string]bool)
	if head != "" {
		entries, err := w.repo.CommitEntries(ctx, head, w.tree.RepoPath)
		if err != nil {
			return err
		}
		for _, e := range entries {
			committed[e.Path] = true
		}
	}
	w.entries = slices.DeleteFunc(w.entries, func(e gitrepo.Entry) bool {
		added := e.Stage == 0 && !e.IntentToAdd && !committed[e.Path]
		if file := w.tree.inModel(e.Path); added && !w.leftOut(file) {
			w.tree.Uncommitted = append(w.tree.Uncommitted, file)
		}
		return added
	})
	return nil
}

// regular returns the tracked paths that can have an attribute that matters.
func (w *worktree) regular() []string {
	paths := make([]string, 0, len(w.entries))
	for _, e := range w.entries {
		if isFileMode(e.Mode) {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

func isFileMode(mode uint32) bool { return mode == gitrepo.ModeFile || mode == gitrepo.ModeExecutable }

// lfsFilter is the value of the filter attribute that git-lfs sets up.
const lfsFilter = "lfs"

// addTracked looks at each tracked path in the worktree, folder by folder.
func (w *worktree) addTracked(ctx context.Context) error {
	w.tree.Files = make([]File, 0, len(w.entries))
	var folders []string
	byFolder := make(map[string][]gitrepo.Entry)
	for _, e := range w.entries {
		file := w.tree.inModel(e.Path)
		if w.leftOut(file) {
			continue
		}
		dir := parent(file)
		if _, seen := byFolder[dir]; !seen {
			folders = append(folders, dir)
		}
		byFolder[dir] = append(byFolder[dir], e)
	}
	for _, dir := range folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.addFolder(dir, w.plainEntries(byFolder[dir]))
	}
	return nil
}

// plainEntries takes out the entries for which it does not matter what lies in
// the worktree, and tells them.
func (w *worktree) plainEntries(entries []gitrepo.Entry) []gitrepo.Entry {
	plain := entries[:0]
	unmerged := ""
	for _, e := range entries {
		file := w.tree.inModel(e.Path)
		switch {
		case e.Stage != 0:
			if unmerged != e.Path {
				w.problem(file, ErrUnmerged, "resolve the conflict and commit it")
			}
			unmerged = e.Path
		case e.IntentToAdd:
			w.tree.Untracked = append(w.tree.Untracked, file)
		case e.Mode == gitrepo.ModeSubmodule:
			w.problem(file, ErrSubmodule, submoduleHint)
		case checkName(file) != nil:
			w.problem(file, checkName(file), "")
		default:
			plain = append(plain, e)
		}
	}
	return plain
}

// addFolder looks at tracked paths that lie directly in one folder.
func (w *worktree) addFolder(dir string, entries []gitrepo.Entry) {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = path.Base(e.Path)
	}
	err := w.access.stat(dir, names, func(i int, found entry, err error) {
		w.addEntry(entries[i], found, err)
	})
	if err == nil {
		return
	}
	for _, e := range entries {
		w.addEntry(e, entry{}, err)
	}
}

// addEntry takes in a tracked path and what was found in its place.
func (w *worktree) addEntry(e gitrepo.Entry, found entry, err error) {
	file := w.tree.inModel(e.Path)
	isLink := found.mode&fs.ModeSymlink != 0
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.SkipWorktree:
		w.tree.Sparse = append(w.tree.Sparse, file)
	case errors.Is(err, fs.ErrNotExist):
		w.tree.Missing = append(w.tree.Missing, file)
	case err != nil:
		w.unreadable(file, err)
	case e.Mode == gitrepo.ModeSymlink && !isLink:
		// A link that git wrote as a text, or something else came into its place.
		w.problem(file, fmt.Errorf("%w in the commit, and not in the worktree", ErrSymlink), "")
	case isFileMode(e.Mode) && isLink && !w.options.AllowSymlinks:
		w.problem(file, fmt.Errorf("%w in place of the file that was committed", ErrSymlink), "git checkout -- "+shellQuote(file))
	default:
		f := File{Path: file, BlobID: e.OID, RepoPath: e.Path}
		if e.Mode == gitrepo.ModeSymlink {
			f.BlobID = "" // that blob holds where the link leads, not the content
		}
		w.add(f, &found)
	}
}

// addUntracked names what is not tracked, apart from what is never part of the
// model.
func (w *worktree) addUntracked() {
	for _, other := range w.others {
		if file := w.tree.inModel(other); !w.leftOut(strings.TrimSuffix(file, "/")) {
			w.tree.Untracked = append(w.tree.Untracked, file)
		}
	}
}

// minPointerSize is a bound below the size of every pointer, in bytes.
const minPointerSize = 100

// findPointers marks the files that go through LFS, and finds the ones among
// them whose content is not here but a pointer.
func (w *worktree) findPointers() {
	for i := range w.tree.Files {
		f := &w.tree.Files[i]
		f.LFS = w.lfs[f.RepoPath]
		link := f.BlobID == "" // the attributes of what it leads to are another path's
		if !f.LFS && !link || f.Size < minPointerSize || f.Size >= lfs.MaxPointerSize {
			continue
		}
		text, err := readSmall(f)
		if err != nil {
			// Hashing it will fail as well, and say why.
			continue
		}
		pointer, err := lfs.ParsePointer(text)
		if err != nil {
			continue
		}
		f.Kind, f.Pointer = Pointer, pointer
		if link {
			w.problem(f.Path, fmt.Errorf("%w to what %w", ErrSymlink, ErrNotDownloaded), hintPull)
		} else if pointer.Extensions {
			w.problem(f.Path, fmt.Errorf("%w: %w, and its extensions hide which", ErrBadLFS, ErrNotDownloaded), hintPull)
		}
	}
}

const hintPull = "git lfs pull"

// readSmall reads a file that is smaller than a pointer may be.
func readSmall(f *File) ([]byte, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text := make([]byte, f.Size)
	if n, err := file.ReadAt(text, 0); n < len(text) {
		return nil, err
	}
	return text, nil
}

// shellQuote writes a path for a command line, relative paths as they are.
func shellQuote(s string) string {
	s = filepath.FromSlash(s)
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,@") == "" && s[0] != '-' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
