package tree

import (
	"context"
	"errors"
	"slices"
)

// promise has the files of a worktree that HEAD holds as LFS pointers, by its own
// attributes, stand for what those say: see Options.Promised.
func (w *worktree) promise(ctx context.Context) error {
	head, err := w.repo.HeadCommit(ctx)
	if err != nil || head == "" {
		return err
	}
	committed, err := w.pointersOf(ctx, head)
	if err != nil {
		return err
	}
	w.tree.Fetched += committed.fetched
	for i := range w.tree.Files {
		f := &w.tree.Files[i]
		pointer, found := committed.pointers[f.RepoPath]
		// What the index holds otherwise is refused as a change that is not committed.
		if found && pointer.BlobID == f.BlobID {
			f.Kind, f.Pointer, f.Promised = Pointer, pointer.Pointer, true
		}
	}
	for _, p := range committed.problems {
		known := func(q Problem) bool { return q.Path == p.Path }
		if !slices.ContainsFunc(w.tree.Problems, known) {
			w.tree.Problems = append(w.tree.Problems, p)
		}
	}
	return nil
}

// promises are the LFS files of a commit.
type promises struct {
	pointers map[string]File // by the path in the repository
	problems []Problem       // pointers that promise nothing
	fetched  int             // blobs that a partial clone lacked
}

// pointersOf reads the LFS pointers that a commit holds of the model.
func (w *worktree) pointersOf(ctx context.Context, commit string) (promises, error) {
	snapshot, err := w.repo.Snapshot(ctx, commit)
	if err != nil {
		return promises{}, err
	}
	t := &Tree{RepoPath: w.tree.RepoPath, Objects: true}
	o := &objects{ctx: ctx, repo: w.repo, snapshot: snapshot, listing: &listing{tree: t, options: w.options}}
	o.options.Signature = w.tree.signature
	found, err := o.pointers(ctx)
	return found, errors.Join(err, o.close())
}

// pointers reads what of the model goes through LFS, and nothing else.
func (w *objects) pointers(ctx context.Context) (promises, error) {
	if len(w.snapshot.Under(w.tree.RepoPath)) == 0 {
		return promises{}, nil
	}
	if err := w.name(); err != nil {
		return promises{}, err
	}
	w.sort()
	w.tree.Problems = nil // the worktree's own are told
	if err := w.fetch(ctx, w.attributeFiles()); err != nil {
		return promises{}, err
	}
	if err := w.readAttributes(ctx); err != nil {
		return promises{}, err
	}
	w.keepLFS()
	if err := w.fetch(ctx, w.entries()); err != nil {
		return promises{}, err
	}
	if err := w.readBlobs(ctx); err != nil {
		return promises{}, err
	}
	found := promises{pointers: make(map[string]File, len(w.tree.Files)), problems: w.tree.Problems, fetched: w.tree.Fetched}
	for _, f := range w.tree.Files {
		if f.Kind == Pointer && !f.Pointer.Extensions {
			found.pointers[f.RepoPath] = f
		}
	}
	return found, nil
}

// keepLFS leaves only files that go through LFS.
func (w *objects) keepLFS() {
	n := 0
	for i, attributes := range w.attributes {
		if attributes[attrFilter] == lfsFilter {
			w.files[n], w.attributes[n] = w.files[i], attributes
			n++
		}
	}
	w.files, w.attributes = w.files[:n], w.attributes[:n]
}
