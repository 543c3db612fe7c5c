package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// OpenCommit lists the files that a commit holds at or under a path, as a clone
// would check them out here, without any worktree: sizes and contents are those
// after git's conversions by the commit's own attributes. A path that these send
// through LFS and whose blob is a canonical pointer is a Pointer; nothing of LFS
// is run or downloaded. The path, and Options.Signature, have slashes and are
// relative to the top of the repository, which may be bare.
//
// In a partial clone the blobs of the model that are missing are fetched, in one
// go; Tree.Fetched counts them. A path that the commit does not hold is
// fs.ErrNotExist, wrapped.
func OpenCommit(ctx context.Context, repo *gitrepo.Repository, commit, path string, o Options) (*Tree, error) {
	return openObjects(ctx, repo, commit, path, o)
}

// OpenIndex is OpenCommit for what is staged: what the next commit would hold.
func OpenIndex(ctx context.Context, repo *gitrepo.Repository, path string, o Options) (*Tree, error) {
	return openObjects(ctx, repo, "", path, o)
}

// objects is a listing of entries whose contents are git's objects.
type objects struct {
	*listing
	ctx      context.Context // in which contents are read: that of the opening
	repo     *gitrepo.Repository
	snapshot *gitrepo.Snapshot
	files    []objectFile // regular files of the model
	links    []gitrepo.Entry
	// attributes are those conversions of each of files, in their order.
	attributes [][]string
	scratch    *gitrepo.Scratch // made when it is needed
}

// objectFile is an entry of a regular file, and what it is called in the model:
// by its own path, or by that of a link which leads to it.
type objectFile struct {
	gitrepo.Entry
	name string
	link bool
}

func openObjects(ctx context.Context, repo *gitrepo.Repository, commit, name string, o Options) (*Tree, error) {
	t := &Tree{RepoPath: name, Objects: true, contents: objectContents(repo)}
	w := &objects{ctx: ctx, repo: repo, snapshot: o.Snapshot, listing: &listing{tree: t, options: o}}
	t.closer = w.close
	if w.snapshot == nil {
		var err error
		if w.snapshot, err = repo.Snapshot(ctx, commit); err != nil {
			return nil, err
		}
	}
	if err := w.read(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w.finish(), nil
}

// close removes what was written for the tree.
func (w *objects) close() error {
	if w.tree.store != nil {
		w.tree.store.Close()
	}
	if w.scratch == nil {
		return nil
	}
	return w.scratch.Close()
}

// read lists the model.
func (w *objects) read(ctx context.Context) error {
	if err := w.name(); err != nil {
		return err
	}
	w.sort()
	if err := w.followLinks(ctx); err != nil {
		return err
	}
	if err := w.fetch(ctx, slices.Concat(w.entries(), w.attributeFiles())); err != nil {
		return err
	}
	if err := w.readAttributes(ctx); err != nil {
		return err
	}
	if err := w.readBlobs(ctx); err != nil {
		return err
	}
	return w.convert(ctx)
}

// name finds out what the path is, and what the model is called.
func (w *objects) name() error {
	t := w.tree
	if t.RepoPath == "" {
		t.Name = topName(w.repo)
	} else {
		t.Name = path.Base(t.RepoPath)
		under := w.snapshot.Under(t.RepoPath)
		if len(under) == 0 {
			return &fs.PathError{Op: "open", Path: t.RepoPath, Err: fs.ErrNotExist}
		}
		t.Single = under[0].Path == t.RepoPath
	}
	w.rules(relativeInRepo(t.base(), w.options.Signature))
	t.signature = w.options.Signature
	return nil
}

// topName is what a model at the top of a repository is called: by its folder.
func topName(repo *gitrepo.Repository) string {
	if repo.Top != "" {
		return filepath.Base(repo.Top)
	}
	dir := repo.CommonDir
	if filepath.Base(dir) == ".git" {
		dir = filepath.Dir(dir)
	}
	return strings.TrimSuffix(filepath.Base(dir), ".git")
}

// relativeInRepo is a path of the repository relative to a folder of it, "" if
// it does not lie there.
func relativeInRepo(folder, name string) string {
	if folder == "" {
		return name
	}
	rel, inside := strings.CutPrefix(name, folder+"/")
	if !inside {
		return ""
	}
	return rel
}

// sort takes the regular files of the model from the entries, and tells what is
// none.
func (w *objects) sort() {
	w.refuseAmbiguous()
	under := w.snapshot.Under(w.tree.RepoPath)
	for i, e := range under {
		file := w.tree.inModel(e.Path)
		if _, ambiguous := slices.BinarySearch(w.snapshot.Ambiguous, e.Path); ambiguous || w.leftOut(file) {
			continue
		}
		switch {
		case i > 0 && under[i-1].Path == e.Path: // another side of a conflict
		case e.Stage != 0:
			w.problem(file, ErrUnmerged, "resolve the conflict and commit it")
		case e.IntentToAdd:
			w.tree.Untracked = append(w.tree.Untracked, file)
		case e.Mode == gitrepo.ModeSubmodule:
			w.problem(file, ErrSubmodule, submoduleHint)
		case checkName(file) != nil:
			w.problem(file, checkName(file), "")
		case e.Mode == gitrepo.ModeSymlink && w.options.AllowSymlinks:
			w.links = append(w.links, e)
		case e.Mode == gitrepo.ModeSymlink:
			w.problem(file, ErrSymlink, "")
		case !isFileMode(e.Mode):
			w.problem(file, fmt.Errorf("%w: its mode is %o", ErrIrregular, e.Mode), "")
		default:
			w.files = append(w.files, objectFile{Entry: e, name: file})
		}
	}
}

// refuseAmbiguous tells what the commit holds more than once, wherever that is and
// whatever is left out: nobody can say what a clone will have there, and by which
// attributes it will write the rest.
func (w *objects) refuseAmbiguous() {
	for _, p := range w.snapshot.Ambiguous {
		w.problem(w.tree.inModel(p), ErrAmbiguous, "")
	}
}

// entries are those of the files.
func (w *objects) entries() []gitrepo.Entry {
	entries := make([]gitrepo.Entry, len(w.files))
	for i, f := range w.files {
		entries[i] = f.Entry
	}
	return entries
}

// attributeFiles are the .gitattributes that hold for the model: in it, and in
// the folders above it.
func (w *objects) attributeFiles() []gitrepo.Entry {
	var files []gitrepo.Entry
	base := w.tree.base()
	for _, e := range w.snapshot.Entries {
		if path.Base(e.Path) != attributesFile || e.Stage != 0 {
			continue
		}
		dir := parent(e.Path)
		if gitrepo.IsUnder(dir, base) || gitrepo.IsUnder(base, dir) {
			files = append(files, e)
		}
	}
	return files
}

// fetch gets of the contents of entries what a partial clone has left out.
func (w *objects) fetch(ctx context.Context, entries []gitrepo.Entry) error {
	oids := make([]string, len(entries))
	for i, e := range entries {
		oids[i] = e.OID
	}
	n, err := w.snapshot.Fetch(ctx, oids)
	w.tree.Fetched += n
	return err
}

// readAttributes asks for the attributes by which bytes change. Those that the
// index holds are asked of it; those of a commit are put into an index of their
// own.
func (w *objects) readAttributes(ctx context.Context) error {
	paths := make([]string, len(w.files))
	for i, e := range w.files {
		paths[i] = e.Path
	}
	var err error
	if w.snapshot.Commit == "" {
		w.attributes, err = w.snapshot.StagedAttributes(ctx, paths, conversions...)
		return err
	}
	if err := w.makeScratch(ctx); err != nil {
		return err
	}
	w.attributes, err = w.scratch.Attributes(ctx, paths, conversions...)
	return err
}

// ReadAhead begins to read what opening any model of the index asks git about. The
// caller calls stop when no more are opened.
func ReadAhead(ctx context.Context, index *gitrepo.Snapshot) (stop func()) {
	return index.ReadAttributesAhead(ctx, conversions...)
}

// makeScratch makes an index with the attributes that hold for the model.
func (w *objects) makeScratch(ctx context.Context) (err error) {
	if w.scratch != nil {
		return nil
	}
	if w.scratch, err = w.repo.NewScratch(ctx); err != nil {
		return err
	}
	return w.scratch.Add(ctx, w.attributeFiles())
}

// maxKept is how much of the small contents that are read while listing is kept
// until they are hashed, in bytes.
const maxKept = 16 << 20

// readBlobs finds out sizes, and which files are pointers.
func (w *objects) readBlobs(ctx context.Context) error {
	first := make(map[string]int, len(w.files)) // of the files with a content
	next := make([]int, len(w.files))           // with the same content, or -1
	oids := make([]string, 0, len(w.files))
	for i, e := range w.files {
		other, seen := first[e.OID]
		if first[e.OID], next[i] = i, other; !seen {
			next[i] = -1
			oids = append(oids, e.OID)
		}
	}
	w.tree.Files = make([]File, 0, len(w.files))
	kept := 0
	w.tree.store = w.repo.OpenStore()
	return w.tree.store.Blobs(ctx, oids, lfs.MaxPointerSize-1, func(found gitrepo.Blob) error {
		b := &blob{id: found.OID, size: found.Size, stream: func() (io.ReadCloser, error) { return w.repo.OpenBlob(w.ctx, found.OID) }}
		switch {
		case kept+len(found.Content) <= maxKept && (found.Content != nil || found.Size == 0):
			b.content, b.keep = found.Content, true
			kept += len(found.Content)
		case found.Packed() && found.Size <= maxPacked:
			b.store, b.packed = w.tree.store, found
		}
		for i := first[b.id]; i >= 0; i = next[i] {
			w.addBlob(i, b, found.Content)
		}
		return nil
	})
}

// addBlob takes in one file.
func (w *objects) addBlob(i int, b *blob, content []byte) {
	e := w.files[i]
	f := File{Path: e.name, Size: b.size, BlobID: e.OID, RepoPath: e.Path, blob: b}
	if e.link {
		f.BlobID = "" // as in a worktree: the link's own is another
	}
	f.LFS = w.attributes[i][attrFilter] == lfsFilter
	f.Open = b.opener(path.Base(e.Path))
	if f.LFS && b.size > 0 {
		pointer, err := lfs.ParsePointer(content)
		switch {
		case err == nil && pointer.Extensions:
			f.Kind, f.Pointer = Pointer, pointer
			w.problem(f.Path, fmt.Errorf("%w: %w, and its extensions hide which", ErrBadLFS, ErrNotDownloaded), "")
		case err == nil:
			f.Kind, f.Pointer = Pointer, pointer
		case lfs.Resembles(content):
			w.warn(f.Path, fmt.Errorf("%w: it reads like a pointer, and is none in canonical form", ErrBadLFS))
		default:
			w.warn(f.Path, fmt.Errorf("%w: its attributes send it through LFS, and the commit holds it without", ErrBadLFS))
		}
	}
	f.converted = f.Kind == Content && f.Size > 0 && mayConvert(w.snapshot.Checkout, w.attributes[i])
	w.tree.Files = append(w.tree.Files, f)
}

// convert has git write those files whose bytes a checkout may change.
func (w *objects) convert(ctx context.Context) error {
	var paths []string
	var add []gitrepo.Entry
	byPath := make(map[string][]int)
	for i, f := range w.tree.Files {
		if f.converted {
			if byPath[f.RepoPath] == nil {
				paths = append(paths, f.RepoPath)
				add = append(add, gitrepo.Entry{Mode: gitrepo.ModeFile, OID: f.blob.id, Path: f.RepoPath})
			}
			byPath[f.RepoPath] = append(byPath[f.RepoPath], i)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	if err := w.makeScratch(ctx); err != nil {
		return err
	}
	if err := w.scratch.Add(ctx, add); err != nil {
		return err
	}
	written, err := w.scratch.CheckOut(ctx, paths)
	if err != nil {
		return fmt.Errorf("converting files as a checkout does: %w", err)
	}
	for name, places := range byPath {
		for _, i := range places {
			if err := w.tree.Files[i].readFrom(written[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayConvert reports whether a checkout may write other bytes than the blob's, by
// the values of conversions. It may say so of too many files, never of too few.
func mayConvert(checkout gitrepo.Checkout, attributes []string) bool {
	set := func(i int) bool { return attributes[i] != "" && attributes[i] != gitrepo.AttrUnset }
	binary := attributes[attrText] == gitrepo.AttrUnset || attributes[attrText] == "" && attributes[attrCRLF] == gitrepo.AttrUnset
	switch filter := attributes[attrFilter]; {
	case set(attrIdent), set(attrEncoding), attributes[attrEOL] == "crlf":
		return true
	case filter != lfsFilter && checkout.Drivers[filter]:
		return true
	}
	return checkout.CRLF && !binary
}
