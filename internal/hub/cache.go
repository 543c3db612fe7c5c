package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// ErrNotCached says that the cache does not hold what was asked for.
var ErrNotCached = errors.New("not in the local cache")

// LocalFolder is what `hf download --local-dir` leaves in a folder beside the
// files that it downloaded.
const LocalFolder = ".cache/huggingface"

// Snapshot is one revision of a repository in the cache.
type Snapshot struct {
	Repo
	// Commit is the revision in 40 hex digits.
	Commit string
	// Path is the snapshot's folder, and Blobs the one that its links lead to.
	Path, Blobs string
}

// FindSnapshot finds a revision of a repository in the cache: a branch, a tag
// or a commit. The error is ErrNotCached where it is not there.
func FindSnapshot(cache string, repo Repo, rev string) (*Snapshot, error) {
	if err := repo.check(); err != nil {
		return nil, err
	}
	folder := filepath.Join(cache, repo.cacheName())
	hash := rev
	if !IsCommit(rev) {
		var err error
		if hash, err = readRef(folder, rev); err != nil {
			return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", repo.Type, repo.ID, rev, err, folder)
		}
	}
	path := filepath.Join(folder, "snapshots", hash)
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", repo.Type, repo.ID, rev, ErrNotCached, path)
	}
	return &Snapshot{Repo: repo, Commit: hash, Path: path, Blobs: filepath.Join(folder, "blobs")}, nil
}

// cacheName is what the folder of a repository is called in the cache. No id has
// "--" in it.
func (r Repo) cacheName() string {
	return r.Type.plural() + "--" + strings.ReplaceAll(r.ID, "/", "--")
}

// maxRef is the largest ref that is read, in bytes; one holds a commit.
const maxRef = 100

// readRef reads the commit that a branch or tag was at when it was downloaded.
func readRef(folder, rev string) (string, error) {
	if !IsRevision(rev) {
		return "", errors.New("no name of a branch, a tag or a commit")
	}
	b, err := bounded.ReadRegular(filepath.Join(folder, "refs", filepath.FromSlash(rev)), maxRef)
	if err != nil {
		return "", ErrNotCached
	}
	hash := strings.TrimSpace(string(b))
	if !IsCommit(hash) {
		return "", fmt.Errorf("the cache's ref holds %.50q, expected a commit of 40 hex digits", hash)
	}
	return hash, nil
}

// SnapshotOf recognises the folder of a snapshot by where it lies in the cache;
// nil for any other folder. A folder elsewhere may have been named to look like
// a repository for which there is a policy.
func SnapshotOf(cache, path string) *Snapshot {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	hash, snapshots := filepath.Base(abs), filepath.Dir(abs)
	folder := filepath.Dir(snapshots)
	kind, name, ok := strings.Cut(filepath.Base(folder), "s--")
	t := RepoType(kind)
	if real, err := os.Stat(cache); err != nil {
		return nil
	} else if holds, err := os.Stat(filepath.Dir(folder)); err != nil || !os.SameFile(real, holds) {
		return nil
	}
	if !ok || !IsCommit(hash) || filepath.Base(snapshots) != "snapshots" || (t != Model && t != Dataset && t != Space) {
		return nil
	}
	id := strings.Replace(name, "--", "/", 1)
	if !IsRepoID(id) {
		return nil
	}
	return &Snapshot{Repo: Repo{t, id}, Commit: hash, Path: abs, Blobs: filepath.Join(folder, "blobs")}
}
