// Package keep has folders in the user's cache folder for what tests and the demonstration install once: each is one process's
// at a time, as several test processes may want the same.
package keep

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Dir makes the folder of a name where it is not there yet, and returns its path once nobody else has it, until release is
// called.
func Dir(name string) (path string, release func(), err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, fmt.Errorf("no folder to keep it in: %w", err)
	}
	path = filepath.Join(cache, "git-model-sign", name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return "", nil, err
	}
	release, err = lockedfile.MutexAt(filepath.Join(path, "lock")).Lock()
	return path, release, err
}
