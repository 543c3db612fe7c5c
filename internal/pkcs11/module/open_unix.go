//go:build (darwin || linux) && (amd64 || arm64)

package module

import (
	"errors"
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

// ownStreams returns what were standard input and output. In their places are an empty file, and what standard error is:
// modules that read there, or print something, must not disturb the protocol, nor may the programs that they start.
func ownStreams() (in, out *os.File, err error) {
	var own [2]int
	for fd := range own {
		if own[fd], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return nil, nil, err
		}
	}
	empty, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer empty.Close()
	if err := errors.Join(dup2(int(empty.Fd()), 0), dup2(2, 1)); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(own[0]), "requests"), os.NewFile(uintptr(own[1]), "answers"), nil
}
