//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// ending are the signals that end a program which has to clean up. The terminal's
// hanging up is none of them where nohup has it ignored.
func ending() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
