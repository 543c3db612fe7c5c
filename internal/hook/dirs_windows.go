package hook

import (
	"errors"
	"os"
)

// userData is the folder for what programs keep for a user on this machine.
func userData() (string, error) { return dataFolder("LOCALAPPDATA") }

// systemData is the folder for what programs keep for all users.
func systemData() (string, error) { return dataFolder("ProgramData") }

func dataFolder(variable string) (string, error) {
	if dir := os.Getenv(variable); dir != "" {
		return dir, nil
	}
	return "", errors.New("%" + variable + "% is not set")
}
