//go:build !unix

package cli

import (
	"os"
	"syscall"
)

// ending are the signals that end a program which has to clean up.
func ending() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }
