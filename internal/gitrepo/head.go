package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	boundedfile "github.com/git-model-sign/git-model-sign/internal/bounded"
)

// branch returns the name of the current branch, "" for a detached HEAD.
func (r *Repository) branch(ctx context.Context) (string, error) {
	if name, ok := r.plainBranch(ctx); ok {
		return name, nil
	}
	out, err := r.git.output(ctx, nil, "symbolic-ref", "-q", "HEAD")
	if exitedWith(err, 1) {
		return "", nil
	}
	return strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), "refs/heads/"), err
}

// maxHead bounds the file HEAD, in bytes.
const maxHead = 4 << 10

// plainHead is what HEAD holds where it names a branch, of whose possible names
// only those are taken that are nothing but a name: not refs/heads/.invalid, which
// stands there where refs are kept otherwise.
var plainHead = regexp.MustCompile(`^ref: refs/heads/([A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*)\n$`)

// plainBranch reads the name of the current branch from the file HEAD. It is not ok
// where git might find another, and has to be asked.
func (r *Repository) plainBranch(ctx context.Context) (name string, ok bool) {
	stored, err := r.variables(ctx, `^extensions\.refstorage$`)
	if err != nil || len(stored) > 0 || lookup(r.git.env, "GIT_REFERENCE_BACKEND") != "" {
		return "", false
	}
	text, err := boundedfile.ReadRegular(filepath.Join(r.GitDir, "HEAD"), maxHead)
	if err != nil {
		return "", false
	}
	found := plainHead.FindSubmatch(text)
	if found == nil || strings.Contains(string(text), ".lock") {
		return "", false
	}
	name = string(found[1])
	// The branch may be symbolic itself: a file, or a symbolic link.
	branch := filepath.Join(r.CommonDir, "refs", "heads", filepath.FromSlash(name))
	info, err := os.Lstat(branch)
	if errors.Is(err, fs.ErrNotExist) {
		return name, true
	}
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	text, err = boundedfile.ReadRegular(branch, maxHead)
	return name, err == nil && !strings.Contains(string(text), "ref:")
}
