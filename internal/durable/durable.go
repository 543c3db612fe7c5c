// Package durable writes files whole or not at all, and has processes take turns at
// it.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile puts data into the file called name, in place of what was there. A
// reader sees the old content or the new one, never a part; after an error or a
// crash the old content is still there. The folder must exist. The umask takes
// from perm what it takes from any new file.
func WriteFile(name string, data []byte, perm os.FileMode) error {
	return write(name, data, perm, false)
}

// WriteFileMode is WriteFile where the file's permissions are to be just perm,
// those of the file that was there for example, whatever the umask.
func WriteFileMode(name string, data []byte, perm os.FileMode) error {
	return write(name, data, perm, true)
}

// Writable returns the error that WriteFile would meet at once because the folder lets nobody make files. It leaves nothing behind.
func Writable(name string) error {
	f, err := create(name, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// create makes a file beside the one called name.
func create(name string, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(filepath.Join(filepath.Dir(name), ".tmp-"+filepath.Base(name)+"-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

func write(name string, data []byte, perm os.FileMode, exact bool) (err error) {
	f, err := create(name, perm)
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
	if exact {
		if err = f.Chmod(perm); err != nil {
			return err
		}
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
	if err := syncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("flushing the folder: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return SyncFolder(d)
}
