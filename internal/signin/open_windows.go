package signin

import (
	"os/exec"
	"syscall"
)

// opener is the system's own program that opens URLs.
func (f *flow) opener() []string { return []string{"rundll32", "url.dll,FileProtocolHandler"} }

func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
