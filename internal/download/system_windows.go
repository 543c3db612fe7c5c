package download

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows"
)

const openFlags = 0

// manyNames cannot be told from what was listed.
func manyNames(fs.FileInfo) bool { return false }

// diskError adds an ErrDiskFull to an error that says so.
func diskError(err error) error {
	if errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}
