package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// Reasons for not putting a file back.
var (
	// ErrOccupied says that something stands where the file was.
	ErrOccupied = errors.New("something else is there now")
	// ErrOtherWorktree says that the file was in another worktree.
	ErrOtherWorktree = errors.New("is of another worktree")
)

// Restore puts files that q holds back into the worktree of repo: those for which
// wanted returns true. Where the worktree that they were in has been removed, that
// of repo takes its place. It writes over nothing but the LFS pointer that was left
// in a file's place. Files that stay in quarantine are returned with the reason.
// A quarantine that holds nothing any more is gone.
func (q *Quarantine) Restore(ctx context.Context, repo *gitrepo.Repository, wanted func(File) bool) (restored []string, left []Left, err error) {
	if repo.Top == "" {
		return nil, nil, ErrNoWorktree
	}
	top, err := os.OpenRoot(repo.Top)
	if err != nil {
		return nil, nil, err
	}
	defer top.Close()
	swapped := make(map[string]bool)
	for i, f := range q.Files {
		if !f.Held || !wanted(f) {
			continue
		}
		err := ErrOtherWorktree
		if q.Of(repo) || q.orphaned(repo) {
			err = q.restore(top, f)
		}
		if err != nil {
			left = append(left, Left{f.Path, err})
			continue
		}
		q.Files[i].Held = false
		swapped[f.Path] = f.Pointer != ""
		restored = append(restored, f.Path)
	}
	if err := forgetRestored(ctx, repo, swapped); err != nil {
		return restored, left, err
	}
	if slices.ContainsFunc(q.Files, func(f File) bool { return f.Held }) {
		return restored, left, nil
	}
	return restored, left, q.remove()
}

// forgetRestored is forgetStat for files that came into the place of a pointer.
func forgetRestored(ctx context.Context, repo *gitrepo.Repository, swapped map[string]bool) error {
	index, err := repo.Index(ctx, "")
	if err != nil {
		return err
	}
	var entries []gitrepo.Entry
	for _, e := range index {
		if e.Stage == 0 && swapped[e.Path] {
			entries = append(entries, e)
		}
	}
	forgetStat(ctx, repo, entries)
	return nil
}

// restore puts one file back.
func (q *Quarantine) restore(top *os.Root, f File) error {
	to, err := descend(top, f.Path, true)
	if err != nil {
		return err
	}
	defer to.close()
	if to.path != f.Path {
		return ErrOccupied
	}
	from := filepath.Join(q.Dir, f.Name)
	info, err := to.dir.Lstat(to.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case q.moved(from, info):
		return os.Remove(from) // a move that was interrupted: it has both names
	case !to.isPointer(f.Pointer):
		return ErrOccupied
	default:
		if err := to.dir.Remove(to.base); err != nil {
			return err
		}
	}
	return moveIn(from, to)
}

// moved says whether what stands in a file's place is the very file.
func (q *Quarantine) moved(from string, there fs.FileInfo) bool {
	info, err := os.Lstat(from)
	return err == nil && os.SameFile(info, there)
}

// isPointer says whether a place has the pointer with a SHA-256 in hexadecimal.
func (p *place) isPointer(hash string) bool {
	if hash == "" {
		return false
	}
	content, err := p.read(lfs.MaxPointerSize)
	sum := sha256.Sum256(content)
	return err == nil && hex.EncodeToString(sum[:]) == hash
}
