package tree

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// addLink takes in a symbolic link: as the file that it leads to where that is
// allowed, else as a problem. A link to a folder is not followed, as the
// reference signer does not either: there are no cycles to run in. But nobody would
// vouch for what lies in that folder, so such a link is a problem even where
// links are allowed.
func (l *listing) addLink(f File) {
	where := filepath.Join(l.root, filepath.FromSlash(f.Path))
	if l.tree.Single {
		where = l.root
	}
	into := l.options.Follows != nil && l.options.Follows(where)
	if !l.options.AllowSymlinks && !into {
		l.problem(f.Path, ErrSymlink, hintSymlink)
		return
	}
	target, err := os.Stat(where)
	switch {
	case err != nil:
		l.problem(f.Path, fmt.Errorf("%w that leads nowhere: %w", ErrSymlink, cause(err)), "")
		return
	case target.IsDir():
		l.problem(f.Path, fmt.Errorf("%w to a folder, which is not followed", ErrSymlink), "")
		return
	case !target.Mode().IsRegular():
		l.problem(f.Path, fmt.Errorf("%w to what %w", ErrSymlink, ErrIrregular), "")
		return
	}
	if !into && !l.inside(where) {
		l.warn(f.Path, fmt.Errorf("%w that leads out of the model", ErrSymlink))
	}
	listed := entryOf(target)
	f.Size = listed.size
	f.Open = func() (digest.File, error) {
		file, err := os.OpenFile(where, os.O_RDONLY|openFlags, 0)
		if err != nil {
			return nil, err
		}
		return checkOpened(file, listed)
	}
	l.tree.Files = append(l.tree.Files, f)
}

const hintSymlink = "use --allow-symlinks to take in what the links lead to"

// inside reports whether what a link leads to lies in the model.
func (l *listing) inside(where string) bool {
	target, err := filepath.EvalSymlinks(where)
	if err != nil {
		return false
	}
	folder := l.root
	if l.tree.Single {
		folder = filepath.Dir(l.root)
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return false
	}
	_, inside := gitrepo.Within(folder, target)
	return inside
}

// cause is an error without the path that it was for, which is told anyway.
func cause(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}
