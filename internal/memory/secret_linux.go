package memory

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

const (
	secretName = "key"
	secretSize = 32 // bytes
)

// errDamaged says that what should be the key is none.
var errDamaged = errors.New("damaged key")

// userSecret reads the user's key, and makes one if there is none. The folder
// and the file must be the user's own, and nobody else's to read or write.
func userSecret(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the key: %w", err)
	}
	folder, err := openOwn(unix.AT_FDCWD, dir, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	secret, err := readSecret(int(folder.Fd()))
	switch {
	case errors.Is(err, errDamaged):
		if err := os.Remove(filepath.Join(dir, secretName)); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return secret, err
	}
	if err := makeSecret(dir); err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	return readSecret(int(folder.Fd()))
}

func readSecret(dir int) ([]byte, error) {
	f, err := openOwn(dir, secretName, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: errNotOwn}
	}
	secret, err := bounded.Read(f, secretSize)
	if errors.Is(err, bounded.ErrTooLarge) || err == nil && len(secret) != secretSize {
		return nil, errDamaged
	}
	return secret, err
}

// makeSecret makes the key, whole or not at all. One that another process has
// made meanwhile stays.
func makeSecret(dir string) error {
	f, err := os.CreateTemp(dir, secretName+".*") // which nobody else may read
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), filepath.Join(dir, secretName)); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
