// Package refsigner finds the reference model signer for interoperability tests: the package model-signing from PyPI, in a
// Python virtual environment that it makes in the user's cache folder. It is a peer to test against, never a dependency.
package refsigner

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

// Version is the release of the reference signer that is tested against.
const Version = "1.1.1"

// requirements pin the signer and what decides its behaviour. It imports OpenSSL without asking for it: sigstore used to
// bring that along, and no longer does.
var requirements = []string{"model-signing==" + Version, "sigstore==4.5.1", "sigstore-models==0.0.6", "pyOpenSSL==26.4.0"}

// A Signer is a virtual environment with the reference signer in it.
type Signer struct {
	Program string // path of model_signing, the command-line program
	Python  string // path of the environment's Python, which imports model_signing
}

// Find returns the reference signer, installing it the first time, which takes about half a minute.
func Find(ctx context.Context) (*Signer, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the reference signer: no folder to keep it in: %w", err)
	}
	dir := filepath.Join(cache, "git-model-sign", "model-signing-"+Version)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("finding the reference signer: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, "lock")).Lock()
	if err != nil {
		return nil, fmt.Errorf("finding the reference signer: %w", err)
	}
	defer unlock()
	venv := filepath.Join(dir, "venv")
	bin := filepath.Join(venv, "bin")
	if runtime.GOOS == "windows" {
		bin = filepath.Join(venv, "Scripts")
	}
	s := &Signer{Program: filepath.Join(bin, "model_signing"), Python: filepath.Join(bin, "python")}
	if run(ctx, s.Python, "-c", "import model_signing") == nil {
		return s, nil
	}
	// --clear: an installation that was interrupted, or whose Python is gone, is made anew.
	if err := run(ctx, "python3", "-m", "venv", "--clear", venv); err != nil {
		return nil, fmt.Errorf("making a virtual environment for the reference signer: %w", err)
	}
	pip := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, requirements...)
	if err := run(ctx, s.Python, pip...); err != nil {
		return nil, fmt.Errorf("installing the reference signer: %w", err)
	}
	return s, run(ctx, s.Python, "-c", "import model_signing")
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
