package quarantine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// errAcross says that something can be neither renamed nor copied.
var errAcross = errors.New("cannot be moved to another file system")

// moveOut moves what stands at a place to a name that nothing has.
func moveOut(from *place, to string) error {
	err := renameOut(from, to)
	if err == nil || !acrossFileSystems(err) {
		return err
	}
	return copyOut(from, to)
}

// partSuffix marks a copy that is not complete.
const partSuffix = ".part"

// copyOut copies a file or a link to another file system, and removes it once the
// copy is safe and the same.
func copyOut(from *place, to string) error {
	info, err := from.dir.Lstat(from.base)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := from.dir.Readlink(from.base)
		if err == nil {
			err = os.Symlink(target, to)
		}
		if err != nil {
			return err
		}
		return from.dir.Remove(from.base)
	case !info.Mode().IsRegular():
		return errAcross
	}
	src, info, err := from.open()
	if err != nil {
		return err
	}
	defer src.Close()
	part := to + partSuffix
	dst, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(copyTo(dst, src, info), dst.Close())
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		os.Remove(part)
		return err
	}
	return from.dir.Remove(from.base)
}

// moveIn moves a file of a quarantine to a place where nothing stands.
func moveIn(from string, to *place) error {
	err := linkIn(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist):
		return ErrOccupied
	}
	return copyIn(from, to)
}

// copyIn is copyOut the other way.
func copyIn(from string, to *place) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err == nil {
			err = to.dir.Symlink(target, to.base)
		}
		if err != nil {
			return occupied(err)
		}
		return os.Remove(from)
	case !info.Mode().IsRegular():
		return errAcross
	}
	src, err := os.OpenFile(from, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	part := to.base + partSuffix
	dst, err := to.dir.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(copyTo(dst, src, info), dst.Close())
	if err == nil {
		err = to.take(part)
	}
	if err != nil {
		to.dir.Remove(part)
		return err
	}
	return os.Remove(from)
}

// take gives a file in the same folder the name of a place, if nothing has it.
func (p *place) take(name string) error {
	if _, err := p.dir.Lstat(p.base); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ErrOccupied, err)
	}
	return p.dir.Rename(name, p.base)
}

func occupied(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return ErrOccupied
	}
	return err
}

// copyTo copies an open file into a new one, with its permissions and time of
// modification, and fails unless what is on the disk then is what src holds.
func copyTo(dst, src *os.File, info fs.FileInfo) error {
	want := sha256.New()
	if _, err := io.Copy(io.MultiWriter(dst, want), src); err != nil {
		return err
	}
	if err := errors.Join(dst.Chmod(info.Mode().Perm()), dst.Sync()); err != nil {
		return err
	}
	got := sha256.New()
	if _, err := io.Copy(got, io.NewSectionReader(dst, 0, info.Size()+1)); err != nil {
		return err
	}
	after, err := src.Stat()
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		return fmt.Errorf("%s changed while it was copied", src.Name())
	}
	return keepTime(dst, info.ModTime())
}
