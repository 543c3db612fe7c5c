package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// portableRoot is a root on [os.Root], for every system. It keeps inside the
// folder, and looks for links itself, as os.Root follows those that stay inside.
type portableRoot struct {
	r *os.Root

	mu      sync.Mutex
	folders map[string]error // what was found on the way to a folder
}

func openPortable(dir string) (root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &portableRoot{r: r, folders: map[string]error{"": nil}}, nil
}

func (p *portableRoot) close() error { return p.r.Close() }

// local turns a name into one of this system. On Windows not every name is one.
func local(name string) (string, error) {
	if name == "" {
		return ".", nil
	}
	l, err := filepath.Localize(name)
	if err != nil {
		return "", fmt.Errorf("%w on this system", ErrName)
	}
	return l, nil
}

// folder sees that a folder and all on the way to it are folders.
func (p *portableRoot) folder(dir string) error {
	p.mu.Lock()
	err, known := p.folders[dir]
	p.mu.Unlock()
	if known {
		return err
	}
	if err = p.folder(parent(dir)); err == nil {
		err = p.isFolder(dir)
	}
	p.mu.Lock()
	p.folders[dir] = err
	p.mu.Unlock()
	return err
}

func (p *portableRoot) isFolder(dir string) error {
	name, err := local(dir)
	if err != nil {
		return err
	}
	info, err := p.r.Lstat(name)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: the folder %q", ErrSymlink, dir)
	case !info.IsDir():
		return fmt.Errorf("%w: %q is no folder", ErrIrregular, dir)
	}
	return nil
}

func (p *portableRoot) list(dir string) ([]entry, error) {
	if err := p.folder(dir); err != nil {
		return nil, err
	}
	name, err := local(dir)
	if err != nil {
		return nil, err
	}
	f, err := p.r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(names))
	for _, d := range names {
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entryOf(info))
	}
	return entries, nil
}

func (p *portableRoot) stat(dir string, names []string, fn func(i int, e entry, err error)) error {
	if err := p.folder(dir); err != nil {
		return err
	}
	for i, name := range names {
		l, err := local(join(dir, name))
		if err != nil {
			fn(i, entry{}, err)
			continue
		}
		info, err := p.r.Lstat(l)
		if err != nil {
			fn(i, entry{}, err)
			continue
		}
		fn(i, entryOf(info), nil)
	}
	return nil
}

func (p *portableRoot) open(name string, listed entry) (digest.File, error) {
	l, err := local(name)
	if err != nil {
		return nil, err
	}
	f, err := p.r.OpenFile(l, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	return checkOpened(f, listed)
}

// checkOpened sees that f is the regular file that was listed, and closes it if not.
func checkOpened(f *os.File, listed entry) (digest.File, error) {
	info, err := f.Stat()
	if err == nil {
		err = replaced(entryOf(info), listed)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// replaced returns ErrReplaced if an opened file is not the one that was listed,
// or is of another size.
func replaced(opened, listed entry) error {
	switch {
	case !opened.mode.IsRegular():
		return fmt.Errorf("%w: it is no longer a regular file", ErrReplaced)
	case !opened.id.same(listed.id):
		return fmt.Errorf("%w: it is another file", ErrReplaced)
	case opened.size != listed.size:
		return fmt.Errorf("%w: expected %d bytes, found %d", ErrReplaced, listed.size, opened.size)
	}
	return nil
}
