//go:build unix

package quarantine

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// openFlags keep from following a link, and from waiting for a named pipe, that
// came into the place of a file.
const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK

// renameOut renames what stands at a place, a link itself rather than what it
// leads to.
func renameOut(from *place, to string) error {
	dir, err := from.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Renameat(int(dir.Fd()), from.base, unix.AT_FDCWD, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from.path, New: filepath.Base(to), Err: err}
	}
	return nil
}

func acrossFileSystems(err error) bool { return errors.Is(err, unix.EXDEV) }

// linkIn gives what the name from stands for a second name, if nothing has that.
func linkIn(from string, to *place) error {
	dir, err := to.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Linkat(unix.AT_FDCWD, from, int(dir.Fd()), to.base, 0); err != nil {
		return &os.LinkError{Op: "link", Old: filepath.Base(from), New: to.path, Err: err}
	}
	return nil
}

// keepTime sets a file's time of modification.
func keepTime(f *os.File, t time.Time) error {
	at := unix.NsecToTimeval(t.UnixNano())
	return unix.Futimes(int(f.Fd()), []unix.Timeval{at, at})
}
