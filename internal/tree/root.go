package tree

import (
	"io/fs"
	"path"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// root is a folder that nothing is opened outside of. Names are relative to it,
// with slashes; "" is the folder itself. No part of a name is followed if it is
// a symbolic link.
type root interface {
	// list returns what lies directly in a folder, in no order.
	list(dir string) ([]entry, error)
	// stat looks at names in one folder and calls fn for each, in their order. A
	// link or a file in place of the folder or on the way to it fails the whole
	// with ErrSymlink or ErrIrregular.
	stat(dir string, names []string, fn func(i int, e entry, err error)) error
	// open opens a regular file that was listed, and fails with ErrReplaced if
	// something else has come into its place. It waits for nobody, whatever
	// that is.
	open(name string, listed entry) (digest.File, error)
	close() error
}

// entry is one name in a folder.
type entry struct {
	name string // without the folder
	mode fs.FileMode
	size int64
	id   identity
}

// entryOf turns what package os says of a file into an entry.
func entryOf(info fs.FileInfo) entry {
	return entry{name: info.Name(), mode: info.Mode(), size: info.Size(), id: identity{info: info}}
}

// statOne looks at one name.
func statOne(r root, name string) (found entry, err error) {
	failed := r.stat(parent(name), []string{path.Base(name)}, func(_ int, e entry, statErr error) {
		found, err = e, statErr
	})
	if failed != nil {
		return entry{}, failed
	}
	return found, err
}

// parent is the folder that a name lies in, "" for the root.
func parent(name string) string {
	if d := path.Dir(name); d != "." {
		return d
	}
	return ""
}

// join puts a folder, "" for the root, before a name.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
