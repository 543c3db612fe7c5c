//go:build amd64 || arm64

package module

import (
	"os"

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
	handle, err := windows.LoadLibraryEx(path, 0, windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR|windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	if err != nil {
		return 0, err
	}
	return windows.GetProcAddress(handle, function)
}

// ownOutput returns standard output, and takes it away from whoever asks for it later.
func ownOutput() (*os.File, error) {
	own := os.Stdout
	return own, windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd()))
}
