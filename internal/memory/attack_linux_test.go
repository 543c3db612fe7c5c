package memory

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// Nothing that came with a repository can vouch for a file: not a memory that a
// stranger made, nor an own one in another place.
func TestBelievesNoOtherMemory(t *testing.T) {
	s := newSite(t)
	path := s.write("weights", "alpha")
	m := s.open()
	s.learn(m, path)
	s.save(m)
	own, err := os.ReadFile(Path(s.gitDir))
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := os.RemoveAll(filepath.Dir(Path(s.gitDir))); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Dir(Path(s.gitDir)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(Path(s.gitDir), own, 0o600); err != nil {
			t.Fatal(err)
		}
		s.wantRemembered(s.open(), path, "alpha")
	}
	folder := filepath.Dir(Path(s.gitDir))
	for name, attack := range map[string]func(t *testing.T) error{
		"a stranger's, with the right file numbers": func(t *testing.T) error {
			stranger := *s
			stranger.T, stranger.secrets = t, filepath.Join(t.TempDir(), "key")
			m := stranger.open()
			stranger.learn(m, path)
			stranger.save(m)
			stranger.wantRemembered(stranger.open(), path, "alpha")
			return nil
		},
		"one of another path": func(t *testing.T) error {
			elsewhere := *s
			elsewhere.T, elsewhere.gitDir = t, filepath.Join(t.TempDir(), "git")
			if err := os.Mkdir(elsewhere.gitDir, 0o777); err != nil {
				return err
			}
			m := elsewhere.open()
			elsewhere.learn(m, path)
			elsewhere.save(m)
			b, err := os.ReadFile(Path(elsewhere.gitDir))
			if err != nil {
				return err
			}
			return os.WriteFile(Path(s.gitDir), b, 0o600)
		},
		"one of another worktree": func(t *testing.T) error {
			elsewhere := *s
			elsewhere.T, elsewhere.top = t, t.TempDir()
			m := elsewhere.open()
			elsewhere.learn(m, path)
			elsewhere.save(m)
			elsewhere.wantRemembered(elsewhere.open(), path, "alpha")
			return nil
		},
		"altered by a byte": func(*testing.T) error {
			b := bytes.Clone(own)
			b[len(b)-sha256.Size-1] ^= 1
			return os.WriteFile(Path(s.gitDir), b, 0o600)
		},
		"cut":   func(*testing.T) error { return os.Truncate(Path(s.gitDir), int64(len(own)-1)) },
		"empty": func(*testing.T) error { return os.Truncate(Path(s.gitDir), 0) },
		"larger than any": func(*testing.T) error {
			return os.Truncate(Path(s.gitDir), maxSize+1)
		},
		"a symbolic link": func(*testing.T) error {
			if err := os.Rename(Path(s.gitDir), filepath.Join(s.gitDir, "elsewhere")); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(s.gitDir, "elsewhere"), Path(s.gitDir))
		},
		"in a folder that is a symbolic link": func(*testing.T) error {
			if err := os.Rename(folder, folder+".moved"); err != nil {
				return err
			}
			return os.Symlink(folder+".moved", folder)
		},
		"that others can write to":             func(*testing.T) error { return os.Chmod(Path(s.gitDir), 0o620) },
		"in a folder that others can write to": func(*testing.T) error { return os.Chmod(folder, 0o722) },
		"a named pipe": func(*testing.T) error {
			if err := os.Remove(Path(s.gitDir)); err != nil {
				return err
			}
			return unix.Mkfifo(Path(s.gitDir), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(folder) // where it is a link
			restore()
			if err := attack(t); err != nil {
				t.Fatal(err)
			}
			here := *s
			here.T = t
			here.wantUnknown(here.open(), path, "by a file that is not to be believed")
			os.RemoveAll(folder + ".moved")
		})
	}
}

func TestKeyMustBeTheUsersOwn(t *testing.T) {
	for name, spoil := range map[string]func(key string) error{
		"that others can read":             func(key string) error { return os.Chmod(key, 0o640) },
		"in a folder that others write to": func(key string) error { return os.Chmod(filepath.Dir(key), 0o770) },
		"behind a symbolic link": func(key string) error {
			return errors.Join(os.Rename(key, key+".moved"), os.Symlink(key+".moved", key))
		},
		"that is somebody else's":        func(key string) error { return os.Chown(key, 12345, -1) },
		"in a folder of somebody else's": func(key string) error { return os.Chown(filepath.Dir(key), 12345, -1) },
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "somebody") && os.Geteuid() != 0 {
				needs.Missing(t, "only root can give a file away")
			}
			s := newSite(t)
			s.open()
			if err := spoil(filepath.Join(s.secrets, secretName)); err != nil {
				t.Fatal(err)
			}
			if m := Open(s.gitDir, s.top, s.secrets); m.store != nil {
				t.Error("the key is used all the same")
			}
		})
	}
	t.Run("damaged", func(t *testing.T) {
		s := newSite(t)
		path := s.write("weights", "alpha")
		m := s.open()
		s.learn(m, path)
		s.save(m)
		if err := os.Truncate(filepath.Join(s.secrets, secretName), 0); err != nil {
			t.Fatal(err)
		}
		s.wantUnknown(s.open(), path, "under a key that is gone")
		m = s.open()
		s.learn(m, path)
		s.save(m)
		s.wantRemembered(s.open(), path, "alpha")
	})
}
