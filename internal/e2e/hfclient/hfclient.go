// Package hfclient finds hf, the Hugging Face Hub's own client, for the tests. It is installed once from the Python Package Index
// into a virtual environment in the user's cache folder.
package hfclient

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Version is the release of huggingface_hub, to which hf belongs, that is installed.
const Version = "2.4.0"

// Find returns the path of the program, installing it the first time.
func Find(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding hf: no folder to keep it in: %w", err)
	}
	dir := filepath.Join(cache, "git-model-sign", "huggingface-hub-"+Version)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("finding hf: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, "lock")).Lock()
	if err != nil {
		return "", fmt.Errorf("finding hf: %w", err)
	}
	defer unlock()
	venv := filepath.Join(dir, "venv")
	bin := filepath.Join(venv, "bin")
	if runtime.GOOS == "windows" {
		bin = filepath.Join(venv, "Scripts")
	}
	program := filepath.Join(bin, "hf")
	if run(ctx, program, "version") == nil {
		return program, nil
	}
	// --clear: an installation that was interrupted, or whose Python is gone, is made anew.
	if err := run(ctx, "python3", "-m", "venv", "--clear", venv); err != nil {
		return "", fmt.Errorf("making a virtual environment for hf: %w", err)
	}
	if err := run(ctx, filepath.Join(bin, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "huggingface_hub=="+Version); err != nil {
		return "", fmt.Errorf("installing hf: %w", err)
	}
	return program, run(ctx, program, "version")
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
