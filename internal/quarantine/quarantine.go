// Package quarantine puts files that failed verification out of the way, so that
// no program opens them by mistake, and back again.
//
// A quarantine is a folder in model-sign/quarantine in the git folder that all
// worktrees share (a linked worktree's own one goes when the worktree does). It
// is named for the time at which it was made, and holds the files under numbers
// beside a list of what they were; see list.go for its form.
//
// Nothing is ever deleted, and nothing written over. A file that is moved is in
// one of the two places at any time, or, across file systems, in both for the
// time that it takes to copy, flush and compare it. The list is complete on the
// disk before the first file is moved; what it names and the folder does not hold
// was not moved, or was moved back. Paths are taken from folder to folder, and no
// symbolic link is followed on the way. Only on Windows the rename itself goes by the
// whole path, after its folders were looked at: who puts a link in the place of one at
// that very moment is followed there.
//
// The package decides nothing: which files are wrong it is told.
package quarantine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// File is a file that failed verification.
type File struct {
	// Path is the file's path in the repository, with slashes.
	Path string
	// Status is what is the matter with it, one word of package check's.
	Status string
	// Signature is the path in the repository of the signature that says so.
	Signature string
	// Expected and Found are digests, <algorithm>:<hex>; either may be empty.
	Expected, Found string
	Detail          string

	// Name is the file's name in the quarantine's folder.
	Name string
	// Pointer is the SHA-256 in hexadecimal of the LFS pointer that was left in
	// the file's place, empty where nothing was.
	Pointer string
	// Committed says that the file is what the commit holds, so that git will
	// bring back the same.
	Committed bool
	// Held says that the quarantine has the file. It is not part of the list.
	Held bool
}

// Quarantine is a folder with files that were put there together.
type Quarantine struct {
	// ID is the folder's name: the time in UTC, with a number behind it where
	// several were made in one second.
	ID string
	// Dir is the folder's absolute path.
	Dir string
	// Worktree is the path of the worktree's own git folder in the common one,
	// with slashes; "." for the main worktree.
	Worktree string
	Files    []File
}

// Left is a file that was not moved, and why.
type Left struct {
	Path string
	Err  error
}

// Reasons for leaving a file where it is.
var (
	ErrPointer   = errors.New("is an LFS pointer, and its content is not here")
	ErrUnmerged  = errors.New("has merge conflicts")
	ErrSubmodule = errors.New("is a submodule")
	ErrFolder    = errors.New("is a folder")
	ErrGone      = errors.New("is not there")
	// ErrNoWorktree says that a repository has no files to move.
	ErrNoWorktree = errors.New("the repository has no worktree")
)

// Dir is the folder of all quarantines of a repository.
func Dir(repo *gitrepo.Repository) string {
	return filepath.Join(repo.CommonDir, "model-sign", "quarantine")
}

// Put moves files out of the worktree of repo, and leaves the LFS pointer that
// is staged in the place of each one that goes through LFS. Files that cannot or
// must not be moved are returned with the reason. The Quarantine is nil where
// nothing was moved; an error is one of the whole.
func Put(ctx context.Context, repo *gitrepo.Repository, files []File) (*Quarantine, []Left, error) {
	if repo.Top == "" {
		return nil, nil, ErrNoWorktree
	}
	top, err := os.OpenRoot(repo.Top)
	if err != nil {
		return nil, nil, fmt.Errorf("quarantining files: %w", err)
	}
	defer top.Close()
	p := &putting{repo: repo, top: top, move: moveOut}
	if err := p.look(ctx, files); err != nil {
		return nil, nil, fmt.Errorf("quarantining files: %w", err)
	}
	if len(p.moves) == 0 {
		return nil, p.left, nil
	}
	q, err := p.carryOut(time.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("quarantining files: %w", err)
	}
	var swapped []gitrepo.Entry
	for _, m := range p.moves {
		if m.pointer != nil {
			swapped = append(swapped, m.entry)
		}
	}
	forgetStat(ctx, repo, swapped)
	return q, p.left, nil
}

// putting is one run of Put.
type putting struct {
	repo  *gitrepo.Repository
	top   *os.Root
	move  func(from *place, to string) error
	moves []move
	left  []Left
}

// move is a file that is to be moved, and what comes into its place.
type move struct {
	File
	entry   gitrepo.Entry // of the path, if it is tracked
	pointer []byte
}

// forgetStat has git compare files whose content came into the place of their
// pointer, or the other way round. Should that fail, git shows some as modified
// that are not, until git lfs pull.
func forgetStat(ctx context.Context, repo *gitrepo.Repository, entries []gitrepo.Entry) {
	_ = repo.ForgetStat(ctx, entries)
}

// leave says why a file stays.
func (p *putting) leave(path string, err error) { p.left = append(p.left, Left{path, err}) }

// look finds out what is to be moved, and moves nothing.
func (p *putting) look(ctx context.Context, files []File) error {
	index, err := p.repo.Index(ctx, "")
	if err != nil {
		return err
	}
	entries := make(map[string]gitrepo.Entry)
	for _, e := range index {
		entries[e.Path] = e
	}
	pointers, err := p.pointers(ctx, files, entries)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, f := range files {
		path, err := p.target(f.Path)
		switch e := entries[f.Path]; {
		case err == nil && seen[path]:
			continue // several signatures name it, or it is one link before several files
		case e.Stage != 0:
			err = ErrUnmerged
		case e.Mode == gitrepo.ModeSubmodule:
			err = ErrSubmodule
		}
		seen[path] = true
		if err != nil {
			p.leave(f.Path, err)
			continue
		}
		m := move{File: f, entry: entries[path]}
		if m.Path = path; path == f.Path {
			m.pointer = pointers[path]
		}
		p.add(m)
	}
	return p.findCommitted(ctx)
}

// add takes in a file unless it is nothing but a pointer.
func (p *putting) add(m move) {
	if m.pointer != nil {
		if is, err := p.isPointer(m.Path); err != nil || is {
			p.leave(m.Path, cmp.Or(err, ErrPointer))
			return
		}
		sum := sha256.Sum256(m.pointer)
		m.Pointer = hex.EncodeToString(sum[:])
	}
	m.Name = fmt.Sprintf("%05d", len(p.moves)+1)
	p.moves = append(p.moves, m)
}

// target is the path of what has to be moved for a file to be gone: the file, or
// what stands on the way to it that is no folder.
func (p *putting) target(path string) (string, error) {
	at, err := find(p.top, path)
	if err != nil {
		return "", err
	}
	defer at.close()
	info, err := at.dir.Lstat(at.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrGone
	case err != nil:
		return "", err
	case info.IsDir():
		return "", ErrFolder
	}
	return at.path, nil
}

// isPointer says whether a file is an LFS pointer and not the content.
func (p *putting) isPointer(path string) (bool, error) {
	at, err := find(p.top, path)
	if err != nil {
		return false, err
	}
	defer at.close()
	content, err := at.read(lfs.MaxPointerSize)
	if errors.Is(err, errNotSmall) {
		return false, nil
	}
	_, notPointer := lfs.ParsePointer(content)
	return err == nil && notPointer == nil, err
}

// pointers reads the LFS pointers of those files that go through LFS and have one, in
// the index or HEAD.
func (p *putting) pointers(ctx context.Context, files []File, entries map[string]gitrepo.Entry) (map[string][]byte, error) {
	var tracked []string
	for _, f := range files {
		if e, ok := entries[f.Path]; ok && e.Stage == 0 && (e.Mode == gitrepo.ModeFile || e.Mode == gitrepo.ModeExecutable) {
			tracked = append(tracked, f.Path)
		}
	}
	through, err := p.repo.PathsWithAttribute(ctx, tracked, "filter", "lfs")
	if err != nil {
		return nil, err
	}
	paths := make(map[string][]string)
	var oids []string
	for _, path := range tracked {
		if through[path] {
			oid := entries[path].OID
			oids, paths[oid] = append(oids, oid), append(paths[oid], path)
		}
	}
	pointers := make(map[string][]byte)
	err = p.repo.Blobs(ctx, oids, lfs.MaxPointerSize, func(oid string, content []byte, _ int64) error {
		if _, err := lfs.ParsePointer(content); err == nil {
			for _, path := range paths[oid] {
				pointers[path] = content
			}
		}
		return nil
	})
	return pointers, err
}

// findCommitted finds out which files are what HEAD holds, whatever is staged. Of
// what goes through LFS that is known where the signature has the SHA-256 of whole
// files: git-lfs, if it was asked, would copy the file into its store.
func (p *putting) findCommitted(ctx context.Context) error {
	committed, err := p.committed(ctx)
	if err != nil {
		return err
	}
	files := make([]File, len(p.moves))
	for i, m := range p.moves {
		files[i] = m.File
	}
	pointers, err := p.pointers(ctx, files, committed)
	if err != nil {
		return err
	}
	var plain []string
	for i, m := range p.moves {
		if text := pointers[m.Path]; text != nil {
			pointer, _ := lfs.ParsePointer(text)
			p.moves[i].Committed = m.Found == "sha256:"+pointer.OID
		} else if mode := committed[m.Path].Mode; m.pointer == nil && (mode == gitrepo.ModeFile || mode == gitrepo.ModeExecutable) {
			if info, err := p.top.Lstat(filepath.FromSlash(m.Path)); err == nil && info.Mode().IsRegular() {
				plain = append(plain, m.Path)
			}
		}
	}
	ids, err := p.repo.CleanBlobIDs(ctx, plain)
	if err != nil {
		return err
	}
	for i, m := range p.moves {
		if id, ok := ids[m.Path]; ok {
			p.moves[i].Committed = id == committed[m.Path].OID
		}
	}
	return nil
}

// committed is what HEAD holds, by its path.
func (p *putting) committed(ctx context.Context) (map[string]gitrepo.Entry, error) {
	head, err := p.repo.HeadCommit(ctx)
	if err != nil || head == "" || len(p.moves) == 0 {
		return nil, err
	}
	all, err := p.repo.CommitEntries(ctx, head, "")
	if err != nil {
		return nil, err
	}
	entries := make(map[string]gitrepo.Entry, len(all))
	for _, e := range all {
		entries[e.Path] = e
	}
	return entries, nil
}

// carryOut writes the list and then moves one file after the other.
func (p *putting) carryOut(now time.Time) (*Quarantine, error) {
	worktree, err := worktreeOf(p.repo)
	if err != nil {
		return nil, err
	}
	q := &Quarantine{Worktree: worktree}
	for _, m := range p.moves {
		q.Files = append(q.Files, m.File)
	}
	list, err := q.encode()
	if err != nil {
		return nil, err
	}
	if q.ID, q.Dir, err = makeFolder(Dir(p.repo), now); err != nil {
		return nil, err
	}
	if err := durable.WriteFile(filepath.Join(q.Dir, listName), list, 0o600); err != nil {
		os.Remove(q.Dir)
		return nil, err
	}
	for i, m := range p.moves {
		if err := p.moveOne(m, filepath.Join(q.Dir, m.Name)); err != nil {
			p.leave(m.Path, err)
			continue
		}
		q.Files[i].Held = true
	}
	if !slices.ContainsFunc(q.Files, func(f File) bool { return f.Held }) {
		return nil, q.remove()
	}
	return q, nil
}

func (p *putting) moveOne(m move, to string) error {
	at, err := find(p.top, m.Path)
	if err != nil {
		return err
	}
	defer at.close()
	if at.path != m.Path {
		return fmt.Errorf("%w: something else came into the place of its folder", ErrGone)
	}
	if err := p.move(at, to); err != nil {
		return err
	}
	if m.pointer == nil {
		return nil
	}
	// Without it git shows the file as deleted, and git lfs pull brings it back
	// all the same: not worth to take back what is done.
	mode := fs.FileMode(0o666)
	if m.entry.Mode == gitrepo.ModeExecutable {
		mode = 0o777
	}
	_ = at.create(m.pointer, mode)
	return nil
}

// makeFolder makes the folder of a new quarantine, and those above it.
func makeFolder(parent string, now time.Time) (id, dir string, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", "", err
	}
	id = now.UTC().Format("20060102T150405Z")
	for n := 2; ; n++ {
		dir = filepath.Join(parent, id)
		err := os.Mkdir(dir, 0o700)
		if !errors.Is(err, fs.ErrExist) || n > maxInSecond {
			return id, dir, err
		}
		id = fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405Z"), n)
	}
}

// maxInSecond is how many quarantines may be made in one second.
const maxInSecond = 1000

// worktreeOf names the worktree of a repository for a list.
func worktreeOf(repo *gitrepo.Repository) (string, error) {
	rel, err := filepath.Rel(repo.CommonDir, repo.GitDir)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("git folder %s does not lie in %s", repo.GitDir, repo.CommonDir)
	}
	return filepath.ToSlash(rel), nil
}

// remove takes away the folder of a quarantine that holds nothing but its list.
func (q *Quarantine) remove() error {
	entries, err := os.ReadDir(q.Dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != listName {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(q.Dir, listName)), os.Remove(q.Dir))
}
