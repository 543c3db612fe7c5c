// Package check holds a tree of files against a manifest, and takes the
// manifest of a tree.
//
// [Take] is the last step before signing; [Compare] is the last step of
// verifying, and gets a manifest that somebody else has decided to believe. It
// never decides whom to believe, and it prints nothing: its answer is a
// [Report].
package check

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
)

// Options say how strictly a tree is compared.
type Options struct {
	// IgnoreUnsigned lets files be there that the manifest does not name (OMS 8.5).
	IgnoreUnsigned bool
	// RequireRead takes a promise for a failure: every signed byte must be read.
	RequireRead bool
	// Memory knows the digests of files that were read before; nil knows none.
	// With RequireRead it is told what was read, and not asked.
	Memory Memory
}

// Memory remembers digests of files that were read. Package memory has the one
// that may be believed.
type Memory interface {
	// Recall returns the digest of a byte range of an open file, -1 being the
	// length of one that runs to the end, or nil unless it is certain that
	// reading it now would give this digest.
	Recall(f digest.File, a digest.Algorithm, offset, length int64) []byte
	// Watch is called with an open file before it is read. The file that it
	// returns is read in its place, and keep is called with each digest of it
	// once it has been closed.
	Watch(f digest.File) (watched digest.File, keep func(a digest.Algorithm, offset, length int64, sum []byte))
}

// Compare holds t against m and reports every signed resource and every file
// that was not signed. It fails only where no report can be made: when ctx ends.
func Compare(ctx context.Context, m *oms.Manifest, t *tree.Tree, h digest.Hasher, o Options) (*Report, error) {
	c := comparison{
		manifest: m, tree: t, options: o,
		report: &Report{Algorithm: string(m.Serialization.HashType), Untracked: t.Untracked, Fetched: t.Fetched},
		files:  make(map[string]*tree.File, len(t.Files)),
	}
	for i := range t.Files {
		c.files[t.Files[i].Path] = &t.Files[i]
	}
	for _, w := range t.Warnings {
		c.report.Warnings = append(c.report.Warnings, fmt.Sprintf("%q %v", w.Path, w.Err))
	}
	signed := c.matchSigned()
	c.reportUnsigned(signed)
	if err := c.readPending(ctx, h); err != nil {
		return nil, err
	}
	c.report.sort()
	return c.report, nil
}

// comparison is one run of Compare.
type comparison struct {
	manifest *oms.Manifest
	tree     *tree.Tree
	options  Options
	report   *Report
	files    map[string]*tree.File
	pending  []pending
}

// pending is a resource whose bytes must be read before anything can be said.
type pending struct {
	resource oms.Resource
	file     *tree.File
}

// EmptyInShards says why an empty file is neither signed nor extra: a manifest
// of shards has no resource for it (OMS 6.3.2).
const EmptyInShards = "a signature by shards cannot cover it"

// matchSigned finds each resource's file, reports those that can be judged
// without reading, and returns the set of paths that the manifest names.
func (c *comparison) matchSigned() map[string]bool {
	problems := make(map[string]error, len(c.tree.Problems))
	for _, p := range c.tree.Problems {
		problems[p.Path] = p.Err
	}
	sparse := make(map[string]bool, len(c.tree.Sparse))
	for _, p := range c.tree.Sparse {
		sparse[p] = true
	}
	signed := make(map[string]bool, len(c.manifest.Resources))
	sizes := c.signedSizes()
	for _, r := range c.manifest.Resources {
		name := c.nameInTree(r)
		signed[name] = true
		finding := File{Path: name, Start: r.Start, End: r.End, Expected: hex.EncodeToString(r.Digest)}
		f, here := c.files[name]
		switch {
		case problems[name] != nil:
			finding.Status, finding.Detail = statusOf(problems[name]), problems[name].Error()
		case !here && sparse[name]:
			finding.Status = Sparse
			if c.options.RequireRead {
				finding.Status, finding.Detail = NotDownloaded, "outside the sparse checkout"
			}
		case !here:
			finding.Status = Missing
		case f.Kind == tree.Pointer:
			c.judgePointer(&finding, f)
		case sizes != nil && f.Size != sizes[name]:
			finding.Status = Changed
			finding.Detail = fmt.Sprintf("expected %d bytes, found %d", sizes[name], f.Size)
		default:
			c.pending = append(c.pending, pending{r, f})
			continue
		}
		c.report.add(finding)
	}
	return signed
}

// statusOf tells what cannot be part of a model from what could not be looked at.
func statusOf(problem error) Status {
	if errors.Is(problem, tree.ErrUnreadable) {
		return Unreadable
	}
	return Refused
}

// nameInTree is the path by which the tree knows a resource. A model that is a
// single file is called "." in many signatures, and by its name in others.
func (c *comparison) nameInTree(r oms.Resource) string {
	if r.Path == oms.SingleFile && c.tree.Single {
		return c.tree.Name // there need not be a file: it may be a problem, or gone
	}
	return r.Path
}

// signedSizes are the sizes that a manifest of shards gives away; nil for whole files.
func (c *comparison) signedSizes() map[string]int64 {
	if c.manifest.Serialization.Method != oms.Shards {
		return nil
	}
	sizes := make(map[string]int64)
	for _, r := range c.manifest.Resources {
		name := c.nameInTree(r)
		sizes[name] = max(sizes[name], r.End)
	}
	return sizes
}

// judgePointer says what an LFS pointer is worth: its oid is the SHA-256 of the
// whole content, so it can promise nothing else.
func (c *comparison) judgePointer(finding *File, f *tree.File) {
	s := c.manifest.Serialization
	switch {
	case s.Method != oms.Files || s.HashType != oms.SHA256:
		finding.Status = NotDownloaded
		finding.Detail = "an LFS pointer cannot be compared with " + describe(s)
	case f.Pointer.OID != finding.Expected:
		finding.Status, finding.Found = Changed, f.Pointer.OID
		finding.Detail = "its LFS pointer names other content"
	case c.options.RequireRead:
		finding.Status, finding.Detail = NotDownloaded, "its LFS pointer names the signed content, which is not here"
	default:
		finding.Status, finding.Found = Promised, f.Pointer.OID
	}
}

func describe(s oms.Serialization) string {
	if s.Method == oms.Shards {
		return "digests of shards"
	}
	return "a " + string(s.HashType) + " digest"
}

// reportUnsigned names what is in the tree and not in the manifest.
func (c *comparison) reportUnsigned(signed map[string]bool) {
	for _, p := range c.tree.Problems {
		// What makes the whole commit unfit is not excused by nobody having signed it.
		if !signed[p.Path] && (!c.options.IgnoreUnsigned || errors.Is(p.Err, tree.ErrAmbiguous)) {
			c.report.add(File{Path: p.Path, Status: statusOf(p.Err), Detail: p.Err.Error()})
		}
	}
	if c.options.IgnoreUnsigned {
		return
	}
	shards := c.manifest.Serialization.Method == oms.Shards
	for _, f := range c.tree.Files {
		switch {
		case signed[f.Path]:
		case shards && f.Kind == tree.Content && f.Size == 0:
			c.report.Warnings = append(c.report.Warnings, fmt.Sprintf("%q is empty: %s", f.Path, EmptyInShards))
		default:
			c.report.add(File{Path: f.Path, Status: Extra})
		}
	}
}

// readPending hashes what has to be read, and judges it.
func (c *comparison) readPending(ctx context.Context, h digest.Hasher) error {
	items := itemsOf(c.manifest.Serialization, c.pending)
	memories := c.remembering(items, h.Progress)
	results, err := sum(ctx, c.tree, c.manifest.Serialization, h, c.pending, items)
	if err != nil {
		return err
	}
	for i, res := range results {
		memories[i].learn(items[i], res)
		c.report.Bytes += res.Bytes
		c.report.add(judgeRead(c.pending[i], res))
	}
	return nil
}

// judgeRead says what became of a resource that had to be read.
func judgeRead(p pending, res digest.Result) File {
	finding := File{Path: p.file.Path, Start: p.resource.Start, End: p.resource.End,
		Expected: hex.EncodeToString(p.resource.Digest), Found: hex.EncodeToString(res.Digest)}
	switch {
	case errors.Is(res.Err, errRemembered):
		finding.Status, finding.Found = Remembered, finding.Expected
	case errors.Is(res.Err, tree.ErrListing):
		finding.Status, finding.Detail = Changed, res.Err.Error()
	case errors.Is(res.Err, tree.ErrSymlink), errors.Is(res.Err, tree.ErrIrregular), errors.Is(res.Err, tree.ErrReplaced):
		finding.Status, finding.Detail = Refused, res.Err.Error()
	case res.Err != nil:
		finding.Status, finding.Detail = Unreadable, res.Err.Error()
	case finding.Found == finding.Expected:
		finding.Status = Read
	default:
		finding.Status = Changed
	}
	return finding
}

// itemsOf are the byte ranges that resources speak of.
func itemsOf(s oms.Serialization, of []pending) []digest.Item {
	items := make([]digest.Item, len(of))
	for i, p := range of {
		items[i] = item(p.file, s, p.resource)
	}
	return items
}

func algorithm(s oms.Serialization) digest.Algorithm { return digest.Algorithm(s.HashType) }

// sum hashes items, which are of resources of a tree, in the groups in which the
// tree brings them near.
func sum(ctx context.Context, t *tree.Tree, s oms.Serialization, h digest.Hasher, of []pending, items []digest.Item) ([]digest.Result, error) {
	h.Algorithm = algorithm(s)
	if !t.Apart() {
		return h.Sum(ctx, items)
	}
	files := make([]tree.File, len(of))
	for i, p := range of {
		files[i] = *p.file
	}
	h.Progress = inOne(h.Progress, items)
	results := make([]digest.Result, 0, len(of))
	err := t.Load(ctx, files, func(from, to int) error {
		group, err := h.Sum(ctx, items[from:to])
		results = append(results, group...)
		return err
	})
	return results, err
}

// inOne makes one progress of the groups that items are hashed in: it announces
// them all now and none later.
func inOne(report func(digest.Progress), items []digest.Item) func(digest.Progress) {
	if report == nil {
		return nil
	}
	all := digest.Progress{ExpectedItems: len(items)}
	for _, it := range items {
		if it.Length < 0 {
			it.Length = it.Size
		}
		all.ExpectedBytes += it.Length
	}
	report(all)
	return func(p digest.Progress) {
		p.ExpectedBytes, p.ExpectedItems = 0, 0
		report(p)
	}
}

// item is the byte range of f that a resource speaks of.
func item(f *tree.File, s oms.Serialization, r oms.Resource) digest.Item {
	it := digest.Item{Name: f.Path, Open: f.Open, Length: -1, Size: f.Size}
	if s.Method == oms.Shards {
		it.Offset, it.Length = r.Start, r.End-r.Start
	}
	return it
}
