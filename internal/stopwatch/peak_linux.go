package stopwatch

import (
	"os"
	"syscall"
)

// peak is the largest resident memory of a process that has ended, in bytes.
func peak(s *os.ProcessState) int64 {
	return s.SysUsage().(*syscall.Rusage).Maxrss << 10
}
