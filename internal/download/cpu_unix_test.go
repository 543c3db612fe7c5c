//go:build unix

package download_test

import (
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that this process has taken.
func cpu(tb testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
