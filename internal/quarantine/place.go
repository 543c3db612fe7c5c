package quarantine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// place is a name in an open folder of the worktree.
type place struct {
	dir  *os.Root
	base string
	path string // in the repository, with slashes
	root *os.Root
}

// errPath says that a path is none that git would track.
var errPath = errors.New("no path in a repository")

// find opens the folder of a path, one folder after the other, without following
// links. Where something that is no folder stands on the way, that is the place.
func find(top *os.Root, path string) (*place, error) {
	return descend(top, path, false)
}

// descend is find; with create it makes the folders that are not there.
func descend(top *os.Root, path string, create bool) (*place, error) {
	names := strings.Split(path, "/")
	gitFolder := slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, ".git") })
	if !fs.ValidPath(strings.ToValidUTF8(path, "_")) || path == "." || gitFolder {
		return nil, fmt.Errorf("%q is %w", path, errPath)
	}
	p := &place{dir: top, root: top}
	for i, name := range names {
		p.base, p.path = name, strings.Join(names[:i+1], "/")
		if i == len(names)-1 {
			return p, nil
		}
		info, err := p.dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) && create {
			if err = p.dir.Mkdir(name, 0o777); err == nil || errors.Is(err, fs.ErrExist) {
				info, err = p.dir.Lstat(name)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrGone
		}
		if err != nil {
			p.close()
			return nil, err
		}
		if !info.IsDir() {
			return p, nil
		}
		if err := p.enter(name, info); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// enter goes into a folder that was looked at.
func (p *place) enter(name string, seen fs.FileInfo) error {
	next, err := p.dir.OpenRoot(name)
	if err != nil {
		return err
	}
	p.close()
	p.dir = next
	info, err := next.Stat(".")
	if err == nil && !os.SameFile(info, seen) {
		err = fmt.Errorf("folder %q was replaced", p.path)
	}
	return err
}

func (p *place) close() {
	if p.dir != p.root {
		p.dir.Close()
	}
}

// errNotSmall says that a file is none that was asked for: not regular, or too large.
var errNotSmall = errors.New("not a small regular file")

// open opens the regular file at a place for reading.
func (p *place) open() (*os.File, fs.FileInfo, error) {
	seen, err := p.dir.Lstat(p.base)
	if err != nil {
		return nil, nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, nil, errNotSmall
	}
	f, err := p.dir.OpenFile(p.base, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, seen) {
		err = fmt.Errorf("%q was replaced", p.path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// read reads a regular file of less than limit bytes.
func (p *place) read(limit int64) ([]byte, error) {
	f, _, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err == nil && int64(len(b)) == limit {
		err = errNotSmall
	}
	return b, err
}

// create writes a file that is not there yet.
func (p *place) create(content []byte, mode fs.FileMode) error {
	f, err := p.dir.OpenFile(p.base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
