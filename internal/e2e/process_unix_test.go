//go:build unix

package e2e

import (
	"os/exec"
	"syscall"
)

// inOwnProcessGroup makes a command the leader of a process group, as a shell does with what is run in the foreground.
func inOwnProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// interruptGroup does what a terminal does on ^C: every process of the group gets the signal.
func interruptGroup(cmd *exec.Cmd) error {
	return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
}
