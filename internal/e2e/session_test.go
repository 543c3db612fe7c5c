package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
)

// A session is a private HOME in which a Go test runs programs, as a script does in testdata/script.
type session struct {
	*home.Home
	t testing.TB
}

// A result is what a program printed, and its exit status.
type result struct {
	stdout, stderr string
	status         int
}

// said is everything that was printed.
func (r result) said() string {
	return r.stdout + r.stderr
}

// newHome makes a private HOME in dir with the programs installed in usr/bin under it: `git model-sign install` puts manual pages
// into the share folder beside that, which must not be one of the machine's, or another session's.
func newHome(dir string, path ...string) (*home.Home, error) {
	bin := filepath.Join(dir, "usr", "bin")
	if err := os.MkdirAll(bin, 0o777); err != nil {
		return nil, err
	}
	programs, err := os.ReadDir(built)
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		if err := linkOrCopy(filepath.Join(built, p.Name()), filepath.Join(bin, p.Name())); err != nil {
			return nil, err
		}
	}
	return home.New(dir, append([]string{bin}, path...)...)
}

// linkOrCopy gives a program a second name, or a twin where that is on another file system.
func linkOrCopy(program, name string) error {
	if os.Link(program, name) == nil {
		return nil
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o777)
}

func newSession(t testing.TB, path ...string) *session {
	t.Helper()
	h, err := newHome(t.TempDir(), path...)
	if err != nil {
		t.Fatal(err)
	}
	return &session{h, t}
}

// path is the absolute path of a file of the session.
func (s *session) path(name string) string {
	return filepath.Join(s.Dir, filepath.FromSlash(name))
}

// write lays files down: name and content in turn.
func (s *session) write(files ...string) {
	s.t.Helper()
	for i := 0; i < len(files); i += 2 {
		file := s.path(files[i])
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(files[i+1]), 0o666); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *session) read(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// snapshot is the folder called name as it is now.
func (s *session) snapshot(name string) snapshot {
	s.t.Helper()
	files, err := takeSnapshot(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// run runs a program in the session's folder and returns what it said and its exit status.
func (s *session) run(name string, args ...string) result {
	s.t.Helper()
	var out, err strings.Builder
	cmd := s.Command(s.t.Context(), s.Dir, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	failure := cmd.Run()
	if exit := (*exec.ExitError)(nil); failure != nil && !errors.As(failure, &exit) {
		s.t.Fatalf("%s %q: %v", name, args, failure)
	}
	return result{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

// exits runs a program and wants this exit status.
func (s *session) exits(status int, name string, args ...string) result {
	s.t.Helper()
	r := s.run(name, args...)
	if r.status != status {
		s.t.Fatalf("%s %q: exit status %d, want %d\n%s", name, args, r.status, status, r.said())
	}
	return r
}

// keyPair makes name.pem and name.pub.
func (s *session) keyPair(name, curve string) {
	s.t.Helper()
	if err := writeKeyPair(s.path(name+".pem"), s.path(name+".pub"), curve); err != nil {
		s.t.Fatal(err)
	}
}
