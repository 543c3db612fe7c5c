package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// Errors that callers tell apart; each is wrapped in one that says more.
var (
	// ErrNotCached says that the cache does not hold what was asked for.
	ErrNotCached = errors.New("not in the local cache")
	// ErrMalformed says that something in the cache is not as Hugging Face's client
	// makes it, so that it would load what was never asked for.
	ErrMalformed = errors.New("not as Hugging Face's client makes it")
)

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
	// Store is the folder of the cache whose files the repositories share: what
	// stands in Blobs may be a link to one of them.
	Store string
}

// cached is the folder of one repository in a cache.
type cached struct {
	repo   Repo
	folder string // its path
	store  string // Snapshot.Store
}

func newCached(cache, folder string, repo Repo) cached {
	return cached{repo: repo, folder: filepath.Join(cache, folder), store: filepath.Join(cache, "blobs")}
}

func (c cached) snapshot(hash string) *Snapshot {
	return &Snapshot{Repo: c.repo, Commit: hash, Path: filepath.Join(c.folder, "snapshots", hash),
		Blobs: filepath.Join(c.folder, "blobs"), Store: c.store}
}

// FindSnapshot finds a revision of a repository in the cache: a branch, a tag
// or a commit. The error is ErrNotCached where it is not there.
func FindSnapshot(cache string, repo Repo, rev string) (*Snapshot, error) {
	if err := repo.check(); err != nil {
		return nil, err
	}
	c := newCached(cache, repo.CacheName(), repo)
	hash := rev
	if !IsCommit(rev) {
		var err error
		if hash, err = c.readRef(rev); err != nil {
			return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", repo.Type, repo.ID, rev, err, c.folder)
		}
	}
	s := c.snapshot(hash)
	if err := s.verifyFolders(); err != nil {
		return nil, fmt.Errorf("%s %s at revision %q: %w (looked in %q)", repo.Type, repo.ID, rev, err, s.Path)
	}
	return s, nil
}

// CacheName is what the folder of a repository is called in the cache. No id has
// "--" in it.
func (r Repo) CacheName() string {
	return r.Type.plural() + "--" + strings.ReplaceAll(r.ID, "/", "--")
}

// parseCacheName tells the repository of which a folder of the cache has the name.
func parseCacheName(name string) (Repo, bool) {
	kind, rest, _ := strings.Cut(name, "s--")
	r := Repo{Type: RepoType(kind), ID: strings.Replace(rest, "--", "/", 1)}
	return r, r.check() == nil
}

// verifyFolders sees that the snapshot is there, and that its folders are folders: a link
// in the place of one would have files of anywhere pass for those of the cache. The
// folder of the whole repository may be one, as people make to move it to another disk.
func (s *Snapshot) verifyFolders() error {
	for _, dir := range []string{filepath.Dir(s.Path), s.Path, s.Blobs} {
		switch info, err := os.Lstat(dir); {
		case errors.Is(err, fs.ErrNotExist) && dir == s.Blobs:
			// There are none where the files themselves stand in the snapshot.
		case errors.Is(err, fs.ErrNotExist):
			return ErrNotCached
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%q is a symbolic link in the place of a folder: %w", filepath.Base(dir), ErrMalformed)
		case !info.IsDir():
			return fmt.Errorf("%q is no folder: %w", filepath.Base(dir), ErrMalformed)
		}
	}
	return nil
}

// maxRef is the largest ref that is read, in bytes; one holds a commit.
const maxRef = 100

// readRef reads the commit that a branch or tag was at when it was downloaded.
func (c cached) readRef(name string) (string, error) {
	if !IsRevision(name) {
		return "", errors.New("no name of a branch, a tag or a commit")
	}
	path := filepath.Join(c.folder, "refs", filepath.FromSlash(name))
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", ErrNotCached
	case info.Mode()&fs.ModeSymlink != 0:
		return "", fmt.Errorf("the cache's ref is a symbolic link: %w", ErrMalformed)
	}
	b, err := bounded.ReadRegular(path, maxRef)
	switch {
	case errors.Is(err, bounded.ErrTooLarge), errors.Is(err, bounded.ErrNotRegular):
		return "", fmt.Errorf("the cache's ref holds no commit: %w: %w", err, ErrMalformed)
	case err != nil:
		return "", fmt.Errorf("reading the cache's ref: %w", err)
	}
	hash := strings.TrimSpace(string(b))
	if !IsCommit(hash) {
		return "", fmt.Errorf("the cache's ref holds %.50q, expected a commit of 40 hex digits: %w", hash, ErrMalformed)
	}
	return hash, nil
}

// SnapshotOf recognises the folder of a snapshot by where it lies in the cache;
// nil for any other folder. A folder elsewhere may have been named to look like
// a repository for which there is a policy. The error is ErrMalformed for one that
// is not as it has to be.
func SnapshotOf(cache, path string) (*Snapshot, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil
	}
	hash, snapshots := filepath.Base(abs), filepath.Dir(abs)
	folder := filepath.Dir(snapshots)
	if real, err := os.Stat(cache); err != nil {
		return nil, nil
	} else if holds, err := os.Stat(filepath.Dir(folder)); err != nil || !os.SameFile(real, holds) {
		return nil, nil
	}
	repo, ok := parseCacheName(filepath.Base(folder))
	if !ok || !IsCommit(hash) || filepath.Base(snapshots) != "snapshots" {
		return nil, nil
	}
	s := newCached(filepath.Dir(folder), filepath.Base(folder), repo).snapshot(hash)
	if err := s.verifyFolders(); err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	return s, nil
}

// OfPullRequest says whether only pull requests lead to the snapshot.
func (s *Snapshot) OfPullRequest() bool {
	refs := s.refs()
	return len(refs) > 0 && !slices.ContainsFunc(refs, func(ref string) bool { return !IsPullRequest(ref) })
}

// Named says whether a ref leads to the snapshot: one that was downloaded by its commit's
// name has none, nor has one from whose branch newer ones were downloaded since.
func (s *Snapshot) Named() bool { return len(s.refs()) > 0 }

// refs are those that lead to the snapshot.
func (s *Snapshot) refs() []string {
	all := new(Inventory).refs(cached{repo: s.Repo, folder: filepath.Dir(filepath.Dir(s.Path)), store: s.Store})
	return slices.DeleteFunc(all[s.Commit], func(ref string) bool { return NamesCommit(ref, s.Commit) })
}

// sharedName is what a file is called that the repositories of a cache share.
var sharedName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Follows says whether a symbolic link of the snapshot, by its absolute path, is
// one that Hugging Face's client makes: directly to a regular file in Blobs, or to
// a link there that leads directly to a regular file in Store.
func (s *Snapshot) Follows(link string) bool {
	blob, info, err := target(link)
	if err != nil || !isIn(s.Blobs, blob) {
		return false
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		shared, sharedInfo, err := target(blob)
		if err != nil || !s.stores(shared) {
			return false
		}
		info = sharedInfo
	}
	// The paths were put together by their text, and the system goes by what is there.
	opened, err := os.Stat(link)
	return err == nil && info.Mode().IsRegular() && os.SameFile(opened, info)
}

// stores says whether a path is one of the store, <2 digits>/<64 digits>, on which no
// part is a link.
func (s *Snapshot) stores(path string) bool {
	name, prefix := filepath.Base(path), filepath.Dir(path)
	info, err := os.Lstat(prefix)
	return sharedName.MatchString(name) && filepath.Base(prefix) == name[:2] && err == nil && info.IsDir() && isIn(s.Store, prefix)
}

// target is what a link leads to directly.
func target(link string) (path string, info fs.FileInfo, err error) {
	path, err = os.Readlink(link)
	if err != nil {
		return "", nil, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(link), path)
	}
	info, err = os.Lstat(path)
	return path, info, err
}

// isIn says whether a path lies directly in a folder that is itself no link.
func isIn(folder, path string) bool {
	wanted, err := os.Lstat(folder) // of a link this is the link itself, in which nothing lies
	if err != nil {
		return false
	}
	holds, err := os.Stat(filepath.Dir(path))
	return err == nil && os.SameFile(holds, wanted)
}
