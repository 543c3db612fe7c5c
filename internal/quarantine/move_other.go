//go:build !unix

package quarantine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const openFlags = 0

// renameOut renames what stands at a place, whose path is taken anew: see the package's
// comment. There a rename across file systems
// has an error of no name, so that any but a missing file is tried again by
// copying.
func renameOut(from *place, to string) error { return os.Rename(from.absolute(), to) }

func acrossFileSystems(err error) bool { return !errors.Is(err, fs.ErrNotExist) }

// linkIn gives a file a second name, if nothing has that; by its path, as renameOut.
func linkIn(from string, to *place) error { return os.Link(from, to.absolute()) }

// keepTime sets a file's time of modification.
func keepTime(f *os.File, t time.Time) error { return os.Chtimes(f.Name(), t, t) }

// absolute is the place's path on this system.
func (p *place) absolute() string {
	return filepath.Join(p.root.Name(), filepath.FromSlash(p.path))
}
