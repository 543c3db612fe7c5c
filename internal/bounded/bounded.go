// Package bounded reads files that somebody else may have written: whole, but
// never more of them than was agreed.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrTooLarge says that a file has more bytes than are read of it.
var ErrTooLarge = errors.New("file is too large")

// ErrNotRegular says that a file is a pipe, a device or a folder.
var ErrNotRegular = errors.New("not a regular file")

// ReadFile reads a file of at most limit bytes. It may be a pipe, as shells make
// for <(command).
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, limit)
}

// MaxInput is the size in bytes that files of keys, certificates and trusted
// roots may have, which users name. The largest in use have some 20 KB.
const MaxInput = 16 << 20

// ReadInput is ReadFile for such a file.
func ReadInput(name string) ([]byte, error) { return ReadFile(name, MaxInput) }

// ReadRegular reads a regular file of at most limit bytes. It does not wait for
// a named pipe that was put in its place.
func ReadRegular(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	return Read(f, limit)
}

// Read reads what is left of an open file, which is at most limit bytes.
func Read(f *os.File, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, limit)}
	}
	return b, nil
}
