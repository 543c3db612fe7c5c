package pkcs11

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// moduleFolders are where a module-name is looked for: the system's folder, as the system says, and not as a variable does.
func moduleFolders() ([]string, error) {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, fmt.Errorf("finding the system's folder: %w", err)
	}
	return []string{dir}, nil
}

// moduleNames are the files that a module-name may mean.
func moduleNames(name string) []string { return []string{name + ".dll"} }

// isLocal says whether a path is absolute and on this machine, as far as its spelling tells: a library from another
// machine is code from there, and asking for a file there gives it the user's credentials.
func isLocal(path string) bool { return onDrive(path) }

// ofFileURI is the path that a file: URI's means: /C:/pin is C:\pin.
func ofFileURI(path string) string {
	if len(path) > 0 && path[0] == '/' && onDrive(path[1:]) {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}
