package pins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// DefaultName is the known-signers file of the user: known_signers in the folder
// git-model-sign of the user's configuration.
func DefaultName() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the place of known signers: %w", err)
	}
	return filepath.Join(dir, "git-model-sign", "known_signers"), nil
}

// Store is a known-signers file on disk, by its name.
type Store string

// Load reads the file. One that is not there holds nothing.
func (s Store) Load() (*File, error) {
	b, err := bounded.ReadRegular(string(s), maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return new(File), nil
	case err != nil:
		return nil, fmt.Errorf("reading known signers: %w", err)
	}
	f, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", string(s), err)
	}
	return f, nil
}

// Update changes the file as change does, while no other process can: what others
// have written is never lost, and a reader sees the file before or after. If
// change returns an error nothing is written, and the error is returned.
func (s Store) Update(ctx context.Context, change func(*File) error) (err error) {
	name, err := s.resolve()
	if err != nil {
		return fmt.Errorf("writing known signers: %w", err)
	}
	unlock, err := durable.Lock(ctx, name+".lock")
	if err != nil {
		return fmt.Errorf("writing known signers: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f, err := s.Load()
	if err != nil {
		return err
	}
	before := f.Bytes()
	if err := change(f); err != nil {
		return err
	}
	after := f.Bytes()
	if bytes.Equal(before, after) {
		return nil
	}
	if len(after) > maxFile {
		return fmt.Errorf("writing known signers: %s would have %d bytes, at most %d are read", name, len(after), maxFile)
	}
	if err := durable.WriteFile(name, after, permissions(name)); err != nil {
		return fmt.Errorf("writing known signers: %w", err)
	}
	return nil
}

// resolve is the file that the name leads to, and makes its folder. Behind a
// symbolic link, as people keep who have their configuration elsewhere, the file
// is written and the link stays.
func (s Store) resolve() (string, error) {
	name := string(s)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		// Another process may have written the first file in the meantime.
		if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", &fs.PathError{Op: "open", Path: name, Err: errors.New("a symbolic link that leads nowhere")}
		}
		return name, nil
	}
	return target, err
}

// permissions are those that the file has, or a new one gets.
func permissions(name string) os.FileMode {
	if info, err := os.Stat(name); err == nil {
		return info.Mode().Perm()
	}
	return 0o600
}
