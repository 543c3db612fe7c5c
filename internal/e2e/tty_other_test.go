//go:build !linux

package e2e

import "github.com/rogpeppe/go-internal/testscript"

// tty runs a program on a terminal of its own: on Linux only.
func tty(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("pseudo-terminals are made on Linux only")
}
