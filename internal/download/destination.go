package download

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// Destination is where files go: a [Folder] or a [Cache].
type Destination interface {
	// open prepares the destination and takes its lock.
	open(ctx context.Context) (*store, error)
}

// Folder is a folder that the files lie in by their paths, as with
// `hf download --local-dir`. It is made if need be. Beside the files it gets the
// notes of Hugging Face's clients, in .cache/huggingface, by which they know what
// they need not download again; the partial files lie there too.
type Folder struct {
	Dir string
	// Commit is the revision that the files are of, in 40 hex digits, for the
	// notes. Without it there are none.
	Commit string
}

// Cache is one revision of a repository in the cache of Hugging Face's clients:
// the content in blobs, and links to it in snapshots/<Commit>. The name of the
// revision in refs is for [Cache.WriteRef] to write.
type Cache struct {
	// Dir is the folder of the cache.
	Dir string
	// Repo is the name of the repository's folder in it, such as models--org--name.
	Repo string
	// Commit is the revision in 40 hex digits.
	Commit string
	// Ref is the branch or tag that was asked for; empty for none.
	Ref string
	// RealFiles puts files in the place of links, as HF_HUB_DISABLE_SYMLINKS does.
	// So it is in any case where no link can be made.
	RealFiles bool
}

const (
	// notes is the folder that Hugging Face's clients keep in a local folder.
	notes = ".cache/huggingface"
	// folderStaging and cacheStaging hold partial files and the lock. Neither the
	// clients nor a verification look there.
	folderStaging = notes + "/model-sign"
	cacheStaging  = ".model-sign"
)

// cacheTag marks a folder that backups may leave out (bford.info/cachedir).
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n# Files from the Hugging Face Hub. See https://bford.info/cachedir/\n"

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (f Folder) open(ctx context.Context) (s *store, err error) {
	if f.Commit != "" && !commitID.MatchString(f.Commit) {
		return nil, fmt.Errorf("%.50q is no commit in 40 hex digits", f.Commit)
	}
	if err := os.MkdirAll(f.Dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, err
	}
	s = newStore(root, folderStaging)
	s.reserved, s.commit = notes, f.Commit
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	// What git and backups are to leave out; it does no harm if that cannot be said.
	s.create(notes+"/.gitignore", "*")
	s.create(notes+"/CACHEDIR.TAG", cacheTag)
	return s, nil
}

func (c Cache) open(ctx context.Context) (*store, error) {
	switch {
	case !commitID.MatchString(c.Commit):
		return nil, fmt.Errorf("%.50q is no commit in 40 hex digits", c.Commit)
	case c.Repo == "" || filepath.Base(c.Repo) != c.Repo || !filepath.IsLocal(c.Repo) || c.Repo == ".":
		return nil, fmt.Errorf("%q is no name of a repository's folder", c.Repo)
	}
	if c.Ref != "" {
		if err := checkName(c.Ref); err != nil {
			return nil, fmt.Errorf("the revision: %w", err)
		}
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return nil, err
	}
	root, shared, err := openRepo(c.Dir, c.Repo)
	if err != nil {
		return nil, err
	}
	s := newStore(root, cacheStaging)
	s.shared = shared
	s.cache, s.commit = true, c.Commit
	s.prefix = "snapshots/" + c.Commit + "/"
	err = s.prepare(ctx)
	if err == nil {
		err = s.makeFolder("snapshots") // which the clients miss in any repository
	}
	if err == nil && !c.RealFiles && !s.linksWork() {
		s.close()
		c.RealFiles = true
		return c.open(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.links = !c.RealFiles
	return s, nil
}

// WriteRef has Ref lead to Commit, so that clients load the snapshot where they are
// asked for that revision. It is for whoever has found every file in the snapshot, and
// nothing there that is not to be loaded. A commit by itself needs no ref.
func (c Cache) WriteRef(ctx context.Context) error {
	if c.Ref == "" || c.Ref == c.Commit {
		return nil
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.replace("refs/"+c.Ref, c.Commit, true); err != nil {
		return fmt.Errorf("noting what %q is: %w", c.Ref, err)
	}
	return s.flush()
}

// openRepo opens the folder of a repository in the cache, and makes it if need be,
// and what the repositories of the cache share, if there is anything.
func openRepo(dir, repo string) (root *os.Root, shared *store, err error) {
	cache, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer cache.Close()
	whole := newStore(cache, "")
	whole.create("CACHEDIR.TAG", cacheTag)
	if err := whole.makeFolder(repo); err != nil {
		return nil, nil, err
	}
	if root, err = cache.OpenRoot(repo); err != nil {
		return nil, nil, err
	}
	if there, err := whole.isFolder("blobs"); err == nil && there {
		if blobs, err := cache.OpenRoot("blobs"); err == nil {
			shared = newStore(blobs, "")
		}
	}
	return root, shared, nil
}

// linksWork tries whether a symbolic link can be made. Not everybody may on Windows,
// and not every file system has them.
func (s *store) linksWork() bool {
	name := s.scratch("link")
	return s.root.Symlink("nowhere", name) == nil && s.root.Remove(name) == nil
}

// prepare makes the staging folder and takes the lock in it.
func (s *store) prepare(ctx context.Context) error {
	if err := s.makeFolder(s.staging); err != nil {
		return err
	}
	name := s.staging + "/lock"
	info, err := s.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%q: %w: expected the lock's file", name, ErrExists)
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|openFlags, 0o666)
	if err != nil {
		return err
	}
	unlock, err := durable.LockFile(ctx, f)
	if err != nil {
		return fmt.Errorf("waiting for another download to %q: %w", s.root.Name(), err)
	}
	s.unlock = unlock
	return nil
}
