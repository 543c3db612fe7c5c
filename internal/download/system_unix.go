//go:build unix

package download

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// openFlags keep from waiting for a named pipe that came into the place of a file.
const openFlags = syscall.O_NONBLOCK

// manyNames says whether a file has more names than one.
func manyNames(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}

// diskError adds an ErrDiskFull to an error that says so.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}
