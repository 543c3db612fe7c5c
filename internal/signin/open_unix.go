//go:build unix

package signin

import (
	"os/exec"
	"runtime"
	"syscall"
)

// opener is the desktop's own program that opens URLs, if there is a desktop.
func (f *flow) opener() []string {
	if runtime.GOOS == "darwin" {
		return []string{"open"}
	}
	if f.Environment.Getenv("DISPLAY") == "" && f.Environment.Getenv("WAYLAND_DISPLAY") == "" {
		return nil
	}
	path, err := exec.LookPath("xdg-open")
	if err != nil {
		return nil
	}
	return []string{path}
}

func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
