// Package hub knows how Hugging Face's clients keep what they downloaded: where
// the cache is, what a repository is called in it, and what a snapshot is made of.
package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrNotCached says that the cache does not hold what was asked for.
var ErrNotCached = errors.New("not in the local cache")

// RepoType is the kind of a repository on the Hub.
type RepoType string

// The kinds of repositories.
const (
	Model   RepoType = "model"
	Dataset RepoType = "dataset"
	Space   RepoType = "space"
)

// LocalFolder is what `hf download --local-dir` leaves in a folder beside the
// files that it downloaded.
const LocalFolder = ".cache/huggingface"

// endpoint is the Hub whose repositories policies are written for.
const endpoint = "https://huggingface.co"

// URL is the address of a repository on the Hub, by which policy knows it.
func URL(t RepoType, id string) string {
	if t == Model {
		return endpoint + "/" + id
	}
	return endpoint + "/" + string(t) + "s/" + id
}

// Snapshot is one revision of a repository in the cache.
type Snapshot struct {
	Type RepoType
	// ID is org/name, or name alone for the Hub's oldest repositories.
	ID string
	// Commit is the revision in 40 hex digits.
	Commit string
	// Path is the snapshot's folder, and Blobs the one that its links lead to.
	Path, Blobs string
}

// CacheDir is the folder of the cache, by the environment variables that
// Hugging Face's clients read.
func CacheDir(getenv func(string) string) (string, error) {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := getenv(name); dir != "" {
			return filepath.Abs(dir)
		}
	}
	if home := getenv("HF_HOME"); home != "" {
		return filepath.Abs(filepath.Join(home, "hub"))
	}
	if cache := getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "huggingface", "hub"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the Hugging Face cache: %w", err)
	}
	return filepath.Join(home, ".cache", "huggingface", "hub"), nil
}

var (
	// repoID is a name, or an organisation and a name, of the characters that
	// the Hub allows. Neither can leave the cache's folder.
	repoID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)
	commit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// revision is a branch or tag: no empty, "." or ".." part, which is checked apart.
	revision = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,200}$`)
)

// IsRepoID says whether s can be the id of a repository.
func IsRepoID(s string) bool {
	return repoID.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..")
}

// FindSnapshot finds a revision of a repository in the cache: a branch, a tag
// or a commit. The error is ErrNotCached where it is not there.
func FindSnapshot(cache string, t RepoType, id, rev string) (*Snapshot, error) {
	if !IsRepoID(id) {
		return nil, fmt.Errorf("%q is no repository id, expected org/name", id)
	}
	folder := filepath.Join(cache, string(t)+"s--"+strings.ReplaceAll(id, "/", "--"))
	hash := rev
	if !commit.MatchString(rev) {
		var err error
		if hash, err = readRef(folder, rev); err != nil {
			return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", t, id, rev, err, folder)
		}
	}
	path := filepath.Join(folder, "snapshots", hash)
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", t, id, rev, ErrNotCached, path)
	}
	return &Snapshot{Type: t, ID: id, Commit: hash, Path: path, Blobs: filepath.Join(folder, "blobs")}, nil
}

// readRef reads the commit that a branch or tag was at when it was downloaded.
func readRef(folder, rev string) (string, error) {
	if !revision.MatchString(rev) {
		return "", errors.New("no name of a branch, a tag or a commit")
	}
	for part := range strings.SplitSeq(rev, "/") {
		if part == "" || part == "." || part == ".." {
			return "", errors.New("no name of a branch, a tag or a commit")
		}
	}
	b, err := os.ReadFile(filepath.Join(folder, "refs", filepath.FromSlash(rev)))
	if err != nil {
		return "", ErrNotCached
	}
	hash := strings.TrimSpace(string(b))
	if !commit.MatchString(hash) {
		return "", fmt.Errorf("the cache's ref holds %.50q, expected a commit of 40 hex digits", hash)
	}
	return hash, nil
}

// SnapshotOf recognises the folder of a snapshot by where it lies; nil for any
// other folder.
func SnapshotOf(path string) *Snapshot {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	hash, snapshots := filepath.Base(abs), filepath.Dir(abs)
	folder := filepath.Dir(snapshots)
	kind, name, ok := strings.Cut(filepath.Base(folder), "s--")
	t := RepoType(kind)
	if !ok || !commit.MatchString(hash) || filepath.Base(snapshots) != "snapshots" || (t != Model && t != Dataset && t != Space) {
		return nil
	}
	id := strings.Replace(name, "--", "/", 1)
	if !IsRepoID(id) {
		return nil
	}
	return &Snapshot{Type: t, ID: id, Commit: hash, Path: abs, Blobs: filepath.Join(folder, "blobs")}
}
