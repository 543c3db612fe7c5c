//go:build !linux

package e2e

import (
	"errors"
	"os"
)

// withoutPrivileges calls f, whose child processes are bound by file modes.
func withoutPrivileges(f func() error) error {
	if os.Getuid() == 0 {
		return errors.New("as root, file modes bind nobody: run the tests as another user")
	}
	return f()
}
