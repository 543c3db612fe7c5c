package ui

import "os"

// openTerminal opens the console that controls the process.
func openTerminal() (*os.File, error) { return os.OpenFile("CONIN$", os.O_RDWR, 0) }
