//go:build !windows

package hook

import (
	"os"
	"path/filepath"
)

// userData is the folder for what programs keep for a user, see the XDG base directory specification.
func userData() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "share"), nil
}

// systemData is the folder for what an administrator keeps for all users.
func systemData() (string, error) { return "/usr/local/share", nil }
