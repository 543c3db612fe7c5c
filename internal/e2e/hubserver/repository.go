package hubserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A repository is a bare git repository with a name.
type repository struct {
	name   string // org/model, datasets/org/data
	dir    string
	access Access // guarded by the server's mutex

	mu       sync.Mutex
	listings map[string][]entry // by commit
}

func newRepository(name, dir string, a Access) *repository {
	return &repository{name: name, dir: dir, access: a, listings: make(map[string][]entry)}
}

// An entry is a file or a folder of a commit.
type entry struct {
	folder bool
	path   string
	id     string // git's name of the blob or tree
	size   int64  // of the content; 0 for a folder

	oid         string // of an LFS object, "" where the file is in git itself
	pointerSize int64
}

var (
	errNoRevision = errors.New("no such revision")
	nameForm      = regexp.MustCompile(`^(?:(datasets|spaces)/)?(\w[\w.-]*/\w[\w.-]*)$`)
	commitForm    = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// A pointer as git-lfs writes it; https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
	pointerForm = regexp.MustCompile(`^version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,17})\n$`)
)

// maxPointer bounds the blobs that are looked at for being a pointer, as git-lfs does.
const maxPointer = 1024

// parseName takes a name apart into the type of repository, as the API's addresses have it, and its id.
func parseName(name string) ([2]string, error) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return [2]string{}, fmt.Errorf("%q is no repository's name: want org/model, datasets/org/data or spaces/org/app", name)
	}
	if m[1] == "" {
		m[1] = "models"
	}
	return [2]string{m[1], m[2]}, nil
}

// nameOf puts together what parseName takes apart.
func nameOf(kind, id string) string {
	if kind == "models" {
		return id
	}
	return kind + "/" + id
}

func (r *repository) git(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	return git(ctx, stdin, append([]string{"-C", r.dir, "-c", "safe.directory=*"}, args...)...)
}

func git(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("git %q: %w: %s", args, err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.Bytes(), nil
}

// resolve finds the commit that a revision names: a branch, a tag, a full ref or a full commit id. errNoRevision says that there
// is none.
func (r *repository) resolve(ctx context.Context, revision string) (string, error) {
	candidates := []string{"refs/heads/" + revision, "refs/tags/" + revision}
	if commitForm.MatchString(revision) || strings.HasPrefix(revision, "refs/") {
		candidates = append([]string{revision}, candidates...)
	}
	for _, c := range candidates {
		out, err := r.git(ctx, "", "rev-parse", "--verify", "--quiet", c+"^{commit}")
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("%q: %w", revision, errNoRevision)
}

// list returns every file and folder of a commit, in git's order.
func (r *repository) list(ctx context.Context, commit string) ([]entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entries, ok := r.listings[commit]; ok {
		return entries, nil
	}
	out, err := r.git(ctx, "", "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		about, path, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about) // mode, type, id, size
		if len(fields) != 4 || fields[1] == "commit" {
			continue // an empty tree, or a submodule, of which the Hub has nothing to show
		}
		e := entry{folder: fields[1] == "tree", path: path, id: fields[2]}
		if !e.folder {
			if e.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
				return nil, fmt.Errorf("size of %s: %w", path, err)
			}
		}
		entries = append(entries, e)
	}
	if err := r.followPointers(ctx, entries); err != nil {
		return nil, err
	}
	r.listings[commit] = entries
	return entries, nil
}

// followPointers completes the entries whose blobs are LFS pointers.
func (r *repository) followPointers(ctx context.Context, entries []entry) error {
	var small []*entry
	var ids strings.Builder
	for i := range entries {
		if e := &entries[i]; !e.folder && e.size <= maxPointer {
			small = append(small, e)
			ids.WriteString(e.id + "\n")
		}
	}
	blobs, err := r.git(ctx, ids.String(), "cat-file", "--batch")
	if err != nil {
		return err
	}
	for _, e := range small {
		// For each: a line about the blob, its bytes, a line feed.
		start := int64(bytes.IndexByte(blobs, '\n') + 1)
		blob := blobs[start : start+e.size]
		blobs = blobs[start+e.size+1:]
		if m := pointerForm.FindSubmatch(blob); m != nil {
			e.pointerSize, e.oid = e.size, string(m[1])
			if e.size, err = strconv.ParseInt(string(m[2]), 10, 64); err != nil {
				return fmt.Errorf("pointer %s: %w", e.path, err)
			}
		}
	}
	return nil
}

func (r *repository) blob(ctx context.Context, id string) ([]byte, error) {
	return r.git(ctx, "", "cat-file", "blob", id)
}

// find returns the file or folder of that path.
func find(entries []entry, path string) (entry, bool) {
	for _, e := range entries {
		if e.path == path {
			return e, true
		}
	}
	return entry{}, false
}

// Publish copies the branches, tags and pull requests (refs/pr/N) of a repository on disk, and its LFS objects, to the one of
// that name, which it creates if need be. What is there and not in the source is removed, as after a push --mirror.
func (s *Server) Publish(ctx context.Context, name, source string) error {
	source, err := filepath.Abs(source)
	if err != nil {
		return fmt.Errorf("publishing %s: %w", name, err)
	}
	if err := s.Create(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	r := s.repos[name]
	s.mu.Unlock()
	common, err := git(ctx, "", "-C", source, "-c", "safe.directory=*", "rev-parse", "--git-common-dir")
	if err != nil {
		return fmt.Errorf("publishing %s: %w", name, err)
	}
	dir := strings.TrimSpace(string(common))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(source, dir)
	}
	if _, err := r.git(ctx, "", "fetch", "--quiet", "--force", "--prune", dir,
		"refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*", "refs/pr/*:refs/pr/*"); err != nil {
		return fmt.Errorf("publishing %s: %w", name, err)
	}
	return s.copyObjects(filepath.Join(dir, "lfs", "objects"))
}

// copyObjects takes the LFS objects of a clone into the store.
func (s *Server) copyObjects(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return nil // nothing of this repository is in LFS
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(s.ObjectPath(d.Name()), content, 0o666)
	})
}
