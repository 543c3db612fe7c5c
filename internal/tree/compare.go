package tree

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// CompareCommitted holds the bytes that were hashed against those that the index
// promises, whatever git's stat cache believes. sha256Of returns the SHA-256 that
// was read for a File.Path, or nil if the caller has none; the file is read
// (again) then, by h. For a tree that is no worktree there is nothing to compare.
//
// A file that goes through LFS is held against the oid of the committed pointer.
// Any other file is read once more for its object id: nothing cheaper is right,
// as both the stat cache and the assume-unchanged bit may hide a change. Where
// the ids differ and git's conversions explain it, that is a warning, as another
// clone may have other bytes; else the file was changed, and refused. Refused is
// also what a checkout of HEAD would write otherwise than it is here, though git
// sees no change: no clone would have the bytes that were hashed. All this holds for
// what links lead to, wherever in the repository it lies.
func (t *Tree) CompareCommitted(ctx context.Context, repo *gitrepo.Repository, h digest.Hasher, sha256Of func(path string) []byte) (refusals, warnings []Problem, err error) {
	if !t.Worktree {
		return nil, nil, nil
	}
	c := &comparison{tree: t, repo: repo, hasher: h, sha256Of: sha256Of, refused: make(map[string]bool)}
	files, err := c.throughLinks(ctx)
	if err != nil {
		return nil, nil, err
	}
	plain, promised, err := c.sort(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	if err := c.comparePromised(ctx, promised); err != nil {
		return nil, nil, err
	}
	if err := c.comparePlain(ctx, plain); err != nil {
		return nil, nil, err
	}
	sortProblems(c.refusals)
	sortProblems(c.warnings)
	return c.refusals, c.warnings, nil
}

// comparison is one run of CompareCommitted.
type comparison struct {
	tree     *Tree
	repo     *gitrepo.Repository
	hasher   digest.Hasher
	sha256Of func(path string) []byte

	refusals, warnings []Problem
	refused            map[string]bool // one cause for a file is enough
	targets            map[string]linkTarget
}

func (c *comparison) refuse(f File, err error, hint string) {
	if c.refused[f.Path] {
		return
	}
	c.refused[f.Path] = true
	if target, isLink := c.targets[f.Path]; isLink && target.err == nil {
		err = c.tree.behindLink(target, err)
	}
	c.refusals = append(c.refusals, Problem{Path: f.Path, Err: err, Hint: hint})
}

func (c *comparison) warn(f File, err error, hint string) {
	c.warnings = append(c.warnings, Problem{Path: f.Path, Err: err, Hint: hint})
}

// throughLinks returns the files of the tree, links as what HEAD has where they
// lead: with its path, blob and attribute, to be held against what was read through
// the link.
func (c *comparison) throughLinks(ctx context.Context) (files []File, err error) {
	if c.targets, err = c.tree.linkTargets(ctx, c.repo); err != nil || len(c.targets) == 0 {
		return c.tree.Files, err
	}
	var paths []string
	for _, target := range c.targets {
		if target.err == nil {
			paths = append(paths, target.Path)
		}
	}
	viaLFS, err := c.repo.PathsWithAttribute(ctx, paths, "filter", lfsFilter)
	if err != nil {
		return nil, err
	}
	files = slices.Clone(c.tree.Files)
	for i := range files {
		f := &files[i]
		switch target, isLink := c.targets[f.Path]; {
		case !isLink:
		case target.err != nil:
			c.refuse(*f, target.err, hintLink)
		default:
			f.RepoPath, f.BlobID, f.LFS = target.Path, target.OID, viaLFS[target.Path]
		}
	}
	return files, nil
}

// promise is a file with the pointer that is committed for it.
type promise struct {
	File
	pointer lfs.Pointer
}

// sort tells files whose commit holds a pointer from those whose content it
// holds itself. It is not enough that attributes ask for a pointer.
func (c *comparison) sort(ctx context.Context, files []File) (plain []File, promised []promise, err error) {
	var oids []string
	byOID := make(map[string][]File)
	for _, f := range files {
		switch {
		case f.Kind != Content || f.BlobID == "":
		case !f.LFS:
			plain = append(plain, f)
		default:
			if len(byOID[f.BlobID]) == 0 {
				oids = append(oids, f.BlobID)
			}
			byOID[f.BlobID] = append(byOID[f.BlobID], f)
		}
	}
	err = c.repo.Blobs(ctx, oids, lfs.MaxPointerSize-1, func(oid string, content []byte, size int64) error {
		pointer, err := lfs.ParsePointer(content)
		for _, f := range byOID[oid] {
			switch {
			case err == nil && pointer.Extensions:
				c.warn(f, fmt.Errorf("%w or not: LFS extensions hide what was committed", ErrDiffers), "")
			case err == nil:
				promised = append(promised, promise{f, pointer})
			case c.notPointer(f, size):
				plain = append(plain, f)
			}
		}
		return nil
	})
	return plain, promised, err
}

// notPointer judges a file that is committed as it is though its attributes send
// it through LFS, and reports whether it is to be compared as any other. An
// empty file is never a pointer.
func (c *comparison) notPointer(f File, size int64) bool {
	if size == 0 {
		return true
	}
	head, err := readHead(f)
	if err == nil && lfs.Resembles(head) {
		c.refuse(f, fmt.Errorf("%w: it reads like a pointer, and is none in canonical form", ErrBadLFS), "git add --renormalize, and commit")
		return false
	}
	c.warn(f, fmt.Errorf("%w: its attributes send it through LFS, and the commit holds it without", ErrBadLFS), "git add --renormalize, and commit")
	return true
}

// readHead reads as much of a file as a pointer may have.
func readHead(f File) ([]byte, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, min(f.Size, lfs.MaxPointerSize))
	n, err := file.ReadAt(head, 0)
	if n == len(head) {
		err = nil
	}
	return head[:n], err
}

// comparePromised holds digests against the oids of pointers. What the caller
// has not read is read here.
func (c *comparison) comparePromised(ctx context.Context, files []promise) error {
	var items []digest.Item
	var unread []int
	sums := make([][]byte, len(files))
	for i, f := range files {
		if sums[i] = c.sha256Of(f.Path); sums[i] == nil {
			unread = append(unread, i)
			items = append(items, digest.Item{Name: f.Path, Open: f.Open, Length: -1, Size: f.Size})
		}
	}
	if len(items) > 0 {
		c.hasher.Algorithm = digest.SHA256
		results, err := c.hasher.Sum(ctx, items)
		if err != nil {
			return err
		}
		for n, res := range results {
			if res.Err != nil {
				c.refuse(files[unread[n]].File, res.Err, "")
				continue
			}
			sums[unread[n]] = res.Digest
		}
	}
	for i, f := range files {
		if found := hex.EncodeToString(sums[i]); sums[i] != nil && found != f.pointer.OID {
			c.refuse(f.File, fmt.Errorf("%w: the commit promises sha256:%s, found sha256:%s", ErrBadLFS, f.pointer.OID, found),
				"git lfs fsck finds a damaged LFS store; git add and commit what was changed on purpose")
		}
	}
	return nil
}

// comparePlain holds the object ids of files against the index, and against what
// a checkout would write. Where they differ from the index it asks git for the ids
// after its conversions.
func (c *comparison) comparePlain(ctx context.Context, files []File) (err error) {
	var w *written
	var attributesErr error
	var wg sync.WaitGroup
	wg.Go(func() { w, attributesErr = c.attributesAt(ctx, files) })
	differs, err := c.differing(ctx, files)
	wg.Wait()
	defer func() { err = errors.Join(err, w.close()) }()
	if err = errors.Join(err, attributesErr); err != nil {
		return err
	}
	if err := c.refuseUncommitted(ctx, differs); err != nil {
		return err
	}
	outdated, err := c.outdated(ctx, w, files, differs)
	if err != nil {
		return err
	}
	hint := checkOutAnew(c.repo, outdated)
	for _, f := range outdated {
		c.refuse(f, fmt.Errorf("%w: %s", ErrOutdated, explain(w.attributes[f.RepoPath])), hint)
	}
	for _, f := range differs {
		if !c.refused[f.Path] {
			c.warn(f, fmt.Errorf("%w, which another clone may have: %s", ErrDiffers, explain(w.attributes[f.RepoPath])),
				"mark such files as -text in .gitattributes, and check them out anew")
		}
	}
	return nil
}

// refuseUncommitted refuses those of the files that differ from the index whose
// difference git's conversions do not explain.
func (c *comparison) refuseUncommitted(ctx context.Context, differs []File) error {
	var paths []string
	for _, f := range differs {
		// What goes through LFS would be put into its store by being asked about.
		if !f.LFS {
			paths = append(paths, f.RepoPath)
		}
	}
	clean, err := c.repo.CleanBlobIDs(ctx, paths)
	if err != nil {
		return err
	}
	for _, f := range differs {
		if clean[f.RepoPath] != f.BlobID {
			c.refuse(f, fmt.Errorf("%w that git has not noticed", ErrUncommitted), "git update-index --really-refresh shows them; then commit or undo them")
		}
	}
	return nil
}

// outdated returns the files that a checkout would write otherwise than they are
// here: of those that it converts the ones that are not what it writes, and of all
// others the ones that are not their blob. Refused ones are left out.
func (c *comparison) outdated(ctx context.Context, w *written, files, differs []File) ([]File, error) {
	blobs, err := w.blobs(ctx, c.repo, slices.DeleteFunc(slices.Clone(files), func(f File) bool { return c.refused[f.Path] }))
	if err != nil {
		return nil, err
	}
	out, err := c.differing(ctx, blobs)
	if err != nil {
		return nil, err
	}
	for _, f := range differs {
		if !w.converted[f.RepoPath] && !c.refused[f.Path] {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// conversions are the attributes by which a checkout changes bytes.
var conversions = []string{"text", "eol", "crlf", "ident", "filter", "working-tree-encoding"}

// Places in conversions.
const (
	attrText = iota
	attrEOL
	attrCRLF
	attrIdent
	attrFilter
	attrEncoding
)

// explain lists what converts a file, of the values of conversions.
func explain(values []string) string {
	var causes []string
	for i, value := range values {
		if value != "" && value != gitrepo.AttrUnset {
			causes = append(causes, conversions[i]+"="+value)
		}
	}
	if len(causes) == 0 {
		return "core.autocrlf or core.eol"
	}
	return strings.Join(causes, " ")
}

// differing returns the files whose bytes are not the blob of the index. Each is
// read as a whole; where the caller has read it before, it must have been the
// same bytes.
func (c *comparison) differing(ctx context.Context, files []File) ([]File, error) {
	found := make([]error, len(files))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				found[i] = c.compareBlob(ctx, files[i])
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var differs []File
	for i, err := range found {
		switch {
		case errors.Is(err, errOtherBlob):
			differs = append(differs, files[i])
		case err != nil:
			c.refuse(files[i], err, "")
		}
	}
	return differs, nil
}

// errOtherBlob says that a file is not the blob of the index.
var errOtherBlob = errors.New("another blob")

// compareBlob reads one file.
func (c *comparison) compareBlob(ctx context.Context, f File) error {
	file, err := f.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	var content io.Reader = untilDone{ctx, io.NewSectionReader(file, 0, f.Size)}
	before, now := c.sha256Of(f.Path), sha256.New()
	if before != nil {
		content = io.TeeReader(content, now)
	}
	id, err := c.repo.BlobID(content, f.Size)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", digest.ErrChanged, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnreadable, cause(err))
	case before != nil && !bytes.Equal(before, now.Sum(nil)):
		return digest.ErrChanged
	case id != f.BlobID:
		return errOtherBlob
	}
	return nil
}

// untilDone is a reader that ends with a context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
