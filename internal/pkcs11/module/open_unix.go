//go:build (darwin || linux) && (amd64 || arm64)

package module

import (
	"math/bits"
	"os"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// ulong is CK_ULONG: C's unsigned long.
type ulong uint

const (
	ulongSize  = bits.UintSize / 8
	pointersAt = ulongSize // in CK_FUNCTION_LIST
	align      = ulongSize
)

// open opens a shared library and returns the address of one of its functions. It is never closed.
func open(path, function string) (uintptr, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return 0, err
	}
	return purego.Dlsym(handle, function)
}

// ownOutput returns what was standard output, and makes that the same as standard error: modules that print something there
// must not disturb the protocol.
func ownOutput() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := dup2(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "answers"), nil
}
