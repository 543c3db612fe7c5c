// Package home makes a private HOME: a folder in which git, git-lfs and this project's programs find nothing of the person
// who runs a test or the demonstration, and leave nothing behind.
//
// The environment is built from nothing rather than cleaned: PATH is the caller's, every other variable is set here. System
// and global git configuration are files in the folder, so that even `git config --system` is safe to run. Proxies point to a
// closed port, so that whatever tries to reach out fails at once; 127.0.0.1 stays reachable.
package home

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// A Home is a folder on disk. Remove Dir to remove it.
type Home struct {
	Dir string   // absolute; HOME itself is a folder in it
	Env []string // the whole environment of what runs there
}

// gitConfig is what somebody has who has used git before. Repacking in the background is off: it would go on after a test
// has ended.
const gitConfig = `[user]
	name = Ada Maintainer
	email = ada@models.example
[init]
	defaultBranch = main
[maintenance]
	auto = false
[advice]
	detachedHead = false
`

// New lays a private HOME in dir, which must exist. The folders named by path stand first on PATH.
func New(dir string, path ...string) (*Home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("making a private HOME: %w", err)
	}
	h := &Home{Dir: dir}
	for _, sub := range []string{h.Path(), filepath.Join(dir, ".tmp")} {
		if err := os.MkdirAll(sub, 0o777); err != nil {
			return nil, fmt.Errorf("making a private HOME: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(h.Path(), ".gitconfig"), []byte(gitConfig), 0o666); err != nil {
		return nil, fmt.Errorf("making a private HOME: %w", err)
	}
	h.Env = h.environment(path)
	return h, nil
}

// Path is the folder that HOME names.
func (h *Home) Path() string {
	return filepath.Join(h.Dir, "home")
}

func (h *Home) environment(path []string) []string {
	env := []string{
		"HOME=" + h.Path(),
		"USERPROFILE=" + h.Path(),
		"PATH=" + strings.Join(append(path[:len(path):len(path)], os.Getenv("PATH")), string(filepath.ListSeparator)),
		"TMPDIR=" + filepath.Join(h.Dir, ".tmp"),
		"TMP=" + filepath.Join(h.Dir, ".tmp"),
		"GIT_CONFIG_SYSTEM=" + filepath.Join(h.Dir, "system.gitconfig"),
		"GIT_TERMINAL_PROMPT=0",
		"GIT_EDITOR=true",
		"LANG=C.UTF-8",
		"TZ=UTC",
		"TERM=dumb",
		"NO_COLOR=1",
		// A program that was built with the race detector would else sleep for a second as it exits, for the sake of goroutines that
		// would be gone by then. Races are found, and end it with status 66, all the same.
		"GORACE=atexit_sleep_ms=0",
		"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
		"no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1",
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env = append(env, "GOCOVERDIR="+dir)
	}
	if runtime.GOOS == "windows" {
		env = append(env, "SystemRoot="+os.Getenv("SystemRoot"))
	}
	return env
}

// Lookup returns the value of a variable of the environment, the last one set as for a child process.
func (h *Home) Lookup(name string) string {
	for i := len(h.Env) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(h.Env[i], "="); key == name {
			return value
		}
	}
	return ""
}

// Command makes a command that runs in the folder dir with this environment. The program is looked up on its PATH.
func (h *Home) Command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	program := name
	if !strings.ContainsRune(name, filepath.Separator) {
		for _, p := range filepath.SplitList(h.Lookup("PATH")) {
			if found, err := exec.LookPath(filepath.Join(p, name)); err == nil {
				program = found
				break
			}
		}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Args[0] = name
	cmd.Dir = dir
	cmd.Env = append(h.Env[:len(h.Env):len(h.Env)], "PWD="+dir)
	return cmd
}
