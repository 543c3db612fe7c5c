package tree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// OpenFolder lists every file of a folder, or a single file. The error is one of
// the folder itself; what is wrong below it is a Problem.
func OpenFolder(ctx context.Context, path string, o Options) (*Tree, error) {
	t, err := newTree(path)
	if err != nil {
		return nil, err
	}
	l := newListing(t, o)
	if err := l.openAccess(); err != nil {
		return nil, err
	}
	if t.Single {
		err = l.addSingle(File{Path: filepath.Base(t.Root)})
	} else {
		err = l.walk(ctx)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return l.finish(), nil
}

// newTree names a model and finds out whether it is a folder. A link that is
// named itself is followed if it leads to a folder, as a shell does.
func newTree(path string) (*Tree, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	t := &Tree{Name: filepath.Base(abs)}
	info, err := os.Stat(abs)
	if err == nil && info.IsDir() {
		t.Root, err = filepath.EvalSymlinks(abs)
		return t, err
	}
	// A single file, which may be a link: its folder is made real, itself not.
	if _, err = os.Lstat(abs); err != nil {
		return nil, err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, err
	}
	t.Root, t.Single = filepath.Join(folder, filepath.Base(abs)), true
	return t, nil
}

// openAccess opens the folder that all files are opened through.
func (l *listing) openAccess() error {
	folder := l.root
	if l.tree.Single {
		folder = filepath.Dir(folder)
	}
	var err error
	if l.access, err = openRoot(folder); err != nil {
		return fmt.Errorf("opening the model: %w", err)
	}
	l.tree.access = l.access
	return nil
}

// addSingle looks at the one file of a model.
func (l *listing) addSingle(f File) error {
	e, err := statOne(l.access, f.Path)
	if err != nil {
		return err
	}
	l.add(f, &e)
	return nil
}

// walk lists all folders, each before those in it. The folders that are still
// to be read are kept in a list, so that depth costs no stack; a path that is
// too long to be signed ends it.
func (l *listing) walk(ctx context.Context) error {
	for folders := []string{""}; len(folders) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := l.access.list(dir)
		if err != nil && dir == "" {
			return fmt.Errorf("reading the folder of the model: %w", err)
		}
		if err != nil {
			l.unreadable(dir, err)
			continue
		}
		l.tree.Files = slices.Grow(l.tree.Files, len(entries))
		for i := range entries {
			path := join(dir, entries[i].name)
			if l.addFound(path, &entries[i]) {
				folders = append(folders, path)
			}
		}
	}
	return nil
}

// addFound takes in what a folder holds, and reports whether it is a folder to
// be read.
func (l *listing) addFound(path string, e *entry) (folder bool) {
	if !e.mode.IsDir() {
		if !l.leftOut(path) {
			l.add(File{Path: path}, e)
		}
		return false
	}
	if l.prune(path) {
		return false
	}
	// A folder by a bad name is told once, not for each file in it.
	if err := checkName(path); err != nil {
		l.problem(path, err, "")
		return false
	}
	return true
}

// Close closes the folder that files are opened through, or removes what was
// written for a tree of objects; File.Open fails from then on. Files that are open stay it. A tree that is forgotten is closed when
// its memory is freed.
func (t *Tree) Close() error {
	if t.closer != nil {
		return t.closer()
	}
	if t.access == nil {
		return nil
	}
	return t.access.close()
}
