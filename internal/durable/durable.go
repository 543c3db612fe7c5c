// Package durable writes files whole or not at all.
package durable

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile puts data into the file called name, in place of what was there. A
// reader sees the old content or the new one, never a part; after an error or a
// crash the old content is still there. The folder must exist.
func WriteFile(name string, data []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".tmp-"+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("flushing the folder: %w", err)
	}
	return nil
}
