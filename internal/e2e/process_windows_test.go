package e2e

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// inOwnProcessGroup lets a console event reach the command and its children only.
func inOwnProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// interruptGroup sends the console event that can be sent to a group; ^C itself cannot.
func interruptGroup(cmd *exec.Cmd) error {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(cmd.Process.Pid))
}
