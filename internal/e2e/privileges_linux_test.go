package e2e

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// withoutPrivileges calls f, whose child processes are bound by file modes even where the tests run as root: the capabilities
// that pass them over are taken out of the bounding set of the thread that starts the children.
func withoutPrivileges(f func() error) error {
	if os.Getuid() != 0 {
		return f()
	}
	done := make(chan error)
	go func() {
		// The thread cannot get them back. It ends with the goroutine, which never lets go of it.
		runtime.LockOSThread()
		for _, capability := range []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER} {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
				done <- err
				return
			}
		}
		done <- f()
	}()
	return <-done
}
