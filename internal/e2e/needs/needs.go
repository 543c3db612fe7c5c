// Package needs finds what a test needs from outside the module, and decides what becomes of the test where that is missing:
// with CI=true it fails, so that nothing is left untested there unnoticed; on anybody's own machine it is skipped and says why.
package needs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/refsigner"
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

// ReferenceSigner returns the reference signer.
func ReferenceSigner(t testing.TB) *refsigner.Signer {
	t.Helper()
	s, err := refsigner.Find(t.Context())
	if err != nil {
		Missing(t, "%v", err)
	}
	return s
}

// Corpus returns the folder of real signatures and vectors: the one that OMS_CORPUS names, else shared/corpus beside the
// module. root is the module's folder.
func Corpus(t testing.TB, root string) string {
	t.Helper()
	dir := os.Getenv("OMS_CORPUS")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "corpus")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "README.md"))
	}
	if err != nil {
		Missing(t, "the corpus of real signatures (OMS_CORPUS): %v", err)
	}
	return dir
}
