//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package durable

import (
	"errors"
	"os"
)

// tryLock cannot lock here: what would be written without a lock is not written.
func tryLock(*os.File) (taken bool, err error) { return false, errors.ErrUnsupported }
