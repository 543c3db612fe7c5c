//go:build !windows

package ui

import "os"

// openTerminal opens the terminal that controls the process.
func openTerminal() (*terminal, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &terminal{tty, tty}, nil
}
