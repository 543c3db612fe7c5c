//go:build amd64 || arm64

package module

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// ulong is CK_ULONG, which has four bytes on Windows.
type ulong uint32

const (
	ulongSize  = 4
	pointersAt = 2 // in CK_FUNCTION_LIST
	align      = 1
)

// open opens a shared library and returns the address of one of its functions. It is never closed. Libraries that it needs
// are looked for beside it and in the system's folder.
func open(path, function string) (uintptr, error) {
	handle, err := windows.LoadLibraryEx(filepath.Clean(path), 0, windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR|windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	if err != nil {
		return 0, err
	}
	return windows.GetProcAddress(handle, function)
}

// ownStreams returns standard input and output, and takes them away from whoever asks for them later.
func ownStreams() (in, out *os.File, err error) {
	empty, err := windows.Open(os.DevNull, windows.O_RDONLY, 0) // which stays open: it is what others are given
	if err != nil {
		return nil, nil, err
	}
	in, out = os.Stdin, os.Stdout
	return in, out, errors.Join(
		windows.SetStdHandle(windows.STD_INPUT_HANDLE, empty),
		windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd())))
}
