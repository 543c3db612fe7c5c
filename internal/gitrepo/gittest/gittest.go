// Package gittest makes git repositories of every shape for tests, with the git
// that is first on PATH. It is imported by tests only.
//
// Nothing of the user's configuration reaches a test: HOME, the global and the
// system configuration lie in the test's own temporary folder.
package gittest

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// Sandbox is a temporary folder with a HOME of its own in which git runs.
type Sandbox struct {
	testing.TB
	Dir string // where repositories are made; all links resolved
}

// New makes a sandbox and points the environment of the test to it. A test that
// uses one cannot run in parallel with others.
func New(t testing.TB) *Sandbox {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "GIT_") {
			t.Setenv(name, "") // so that it is restored
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"),
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": filepath.Join(home, ".gitconfig"), "GIT_ATTR_NOSYSTEM": "1",
		"GIT_CEILING_DIRECTORIES": dir,
		"GIT_AUTHOR_NAME":         "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.com",
	} {
		t.Setenv(name, value)
	}
	s := &Sandbox{TB: t, Dir: dir}
	s.Git(dir, "config", "--global", "init.defaultBranch", "main")
	s.Git(dir, "config", "--global", "core.autocrlf", "false")
	s.Git(dir, "config", "--global", "protocol.file.allow", "always")
	s.Git(dir, "config", "--global", "advice.detachedHead", "false")
	return s
}

// Git runs git in a folder and returns its output. A failure ends the test.
func (s *Sandbox) Git(dir string, args ...string) string {
	s.Helper()
	out, err := s.TryGit(dir, args...)
	if err != nil {
		s.Fatalf("git %q in %s: %v\n%s", args, dir, err, out)
	}
	return out
}

// TryGit is Git for a command that may fail; the output then holds what it said.
func (s *Sandbox) TryGit(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.Context(), "git", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

// Path joins a path below the sandbox.
func (s *Sandbox) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// Write writes a file below a folder, and the folders that it needs.
func (s *Sandbox) Write(dir, name, content string) {
	s.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
		s.Fatal(err)
	}
}

// WriteFiles writes all of a map of names to contents.
func (s *Sandbox) WriteFiles(dir string, files map[string]string) {
	s.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s.Write(dir, name, files[name])
	}
}

// Init makes a repository with files in its first commit.
func (s *Sandbox) Init(name string, files map[string]string, args ...string) string {
	s.Helper()
	dir := s.Path(name)
	s.Git(s.Dir, append(append([]string{"init", "-q"}, args...), dir)...)
	s.WriteFiles(dir, files)
	s.CommitAll(dir, "first")
	return dir
}

// CommitAll commits everything that is in the worktree.
func (s *Sandbox) CommitAll(dir, message string) {
	s.Helper()
	s.Git(dir, "add", "-A")
	s.Git(dir, "commit", "-q", "--allow-empty", "-m", message)
}

// NeedGit skips the test, with the reason, if git is older than a version.
func (s *Sandbox) NeedGit(major, minor int, why string) {
	s.Helper()
	fields := strings.Fields(s.Git(s.Dir, "version"))
	parts := strings.SplitN(fields[2]+".0", ".", 3)
	haveMajor, _ := strconv.Atoi(parts[0])
	haveMinor, _ := strconv.Atoi(parts[1])
	if haveMajor < major || haveMajor == major && haveMinor < minor {
		s.Skipf("%s needs git %d.%d or newer, found %s", why, major, minor, fields[2])
	}
}

// NewLFS is New with git-lfs in the sandbox's global configuration.
func NewLFS(t testing.TB) *Sandbox {
	t.Helper()
	dir := needs.GitLFS(t) // before HOME is another one: it may keep a build there
	s := New(t)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	s.Git(s.Dir, "lfs", "install", "--skip-repo")
	return s
}
