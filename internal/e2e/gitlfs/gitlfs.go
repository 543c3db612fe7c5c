// Package gitlfs finds git-lfs for the tests and the demonstration: the one on PATH, else one that it builds from the
// project's Go module at a pinned version and keeps in the user's cache folder.
//
// It builds with the go command that runs the tests and asks only the Go module proxy. It installs nothing where git would
// find it by itself: callers put the folder on the PATH of what they run.
package gitlfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/e2e/keep"
)

// Module is what is built where PATH has no git-lfs.
const Module = "github.com/git-lfs/git-lfs/v3@v3.8.1"

// Find returns the path of git-lfs. announce is called with one line before a build, which takes a minute or two the first
// time; it may be nil.
func Find(ctx context.Context, announce func(string)) (string, error) {
	if path, err := exec.LookPath("git-lfs"); err == nil {
		return filepath.Abs(path)
	}
	dir, release, err := keep.Dir(strings.ReplaceAll(filepath.Base(Module), "@", "-git-lfs-"))
	if err != nil {
		return "", fmt.Errorf("finding git-lfs: not on PATH, and for a build: %w", err)
	}
	defer release()
	path := filepath.Join(dir, "git-lfs"+executableSuffix())
	if works(ctx, path) {
		return path, nil
	}
	if announce != nil {
		announce("git-lfs is not on PATH: building " + Module)
	}
	return path, build(ctx, dir)
}

// build installs the module's program in dir.
func build(ctx context.Context, dir string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "install", Module)
	// The module decides how it is built, not flags meant for ours or a build for another system.
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOOS=", "GOARCH=", "GOWORK=off")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git-lfs is not on PATH, and building %s failed: %w: %s", Module, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// works tells a whole program from none, or one that an interrupted build left behind.
func works(ctx context.Context, path string) bool {
	return exec.CommandContext(ctx, path, "version").Run() == nil
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
