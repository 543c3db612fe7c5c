package walk

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Staged is a Place.Commit: what is staged, which the next commit would hold.
const Staged = ":"

// LocateAt finds out what a path is in a commit, given by its full id, or in
// what is [Staged]. The path and the signature are relative to the top of the
// repository, which may be bare; an empty signature means the usual place.
func LocateAt(ctx context.Context, repo *gitrepo.Repository, commit, name, signature string) (*Place, error) {
	p := &Place{Path: name, Name: nameAt(name), Signature: signature, Repo: repo, Commit: commit}
	if err := p.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	_, p.Single = p.snapshot.Entry(name)
	if len(p.snapshot.Under(name)) == 0 && name != "" {
		return nil, ui.Usage("the model is a folder or a file of the commit, by default the current folder",
			"%s %w %s", describeCommit(commit), errNotHeld, ui.Quote(name))
	}
	switch {
	case signature != "":
	case p.Single:
		p.Signature = name + ".sig"
	default:
		p.Signature = path.Join(name, SignatureName)
	}
	return p, nil
}

// errNotHeld says that a path is not in a commit.
var errNotHeld = errors.New("does not hold")

// nameAt is how a user would call a path of the repository.
func nameAt(name string) string {
	if name == "" {
		return "."
	}
	return name
}

// describeCommit names a commit, or what is staged.
func describeCommit(commit string) string {
	if commit == Staged {
		return "the index"
	}
	return "commit " + commit[:min(len(commit), ui.Short)]
}

// takeSnapshot reads the commit or index once.
func (p *Place) takeSnapshot(ctx context.Context) error {
	if p.snapshot != nil {
		return nil
	}
	commit := p.Commit
	if commit == Staged {
		commit = ""
	}
	var err error
	if p.snapshot, err = p.Repo.Snapshot(ctx, commit); err != nil {
		return ui.Trouble("", "reading %s: %w", describeCommit(p.Commit), err)
	}
	return nil
}

// SignaturesAt is [Signatures] for a commit, given by its full id, or for what is
// [Staged].
func SignaturesAt(ctx context.Context, repo *gitrepo.Repository, commit string) ([]*Place, error) {
	return signaturesIn(ctx, &Place{Repo: repo, Commit: commit})
}

// signaturesIn are the signatures in the snapshot of a place, which is taken first
// if it was not yet.
func signaturesIn(ctx context.Context, all *Place) ([]*Place, error) {
	return signaturesWhere(ctx, all, func(string) bool { return true })
}

// signaturesWhere are those of [signaturesIn] whose folder is wanted; of others not
// even what a partial clone would have to fetch is read.
func signaturesWhere(ctx context.Context, all *Place, wanted func(folder string) bool) ([]*Place, error) {
	if err := all.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	var places []*Place
	for _, e := range all.snapshot.Entries {
		if !strings.HasSuffix(e.Path, ".sig") || e.Stage != 0 || e.IntentToAdd {
			continue
		}
		folder := strings.TrimPrefix(path.Dir("/"+e.Path), "/")
		if !wanted(folder) {
			continue
		}
		model := strings.TrimSuffix(e.Path, ".sig")
		at := &Place{Repo: all.Repo, Commit: all.Commit, Signature: e.Path, snapshot: all.snapshot}
		_, beside := all.snapshot.Entry(model)
		if !isSignatureName(e.Path) {
			if !beside && !isCoSignatureName(e.Path) {
				continue
			}
			if maybe, err := all.maybeBundleAt(ctx, e); err != nil {
				return nil, err
			} else if !maybe {
				continue
			}
		}
		if beside && !isSignatureName(e.Path) {
			at.Path, at.Name, at.Single = model, model, true
		} else {
			at.Path, at.Name = folder, nameAt(folder)
		}
		places = append(places, at)
	}
	return places, nil
}

// maybeBundleAt is maybeBundle for an entry of a commit.
func (p *Place) maybeBundleAt(ctx context.Context, signature gitrepo.Entry) (bool, error) {
	raw, err := p.readAt(ctx, signature.Path)
	switch {
	case errors.Is(err, bounded.ErrTooLarge), errors.Is(err, bounded.ErrNotRegular):
		return true, nil
	case err != nil:
		return false, ui.Trouble(fetchHint(err), "looking for signatures: %w", err)
	}
	return claimsToBeBundle(raw), nil
}

// readAt reads a file of the commit that may be as large as a signature. One
// that is not there is fs.ErrNotExist, wrapped.
func (p *Place) readAt(ctx context.Context, name string) ([]byte, error) {
	if p.remote != nil {
		return p.remote.read(ctx, name)
	}
	if err := p.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	e, found := p.snapshot.Entry(name)
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if e.Mode != gitrepo.ModeFile && e.Mode != gitrepo.ModeExecutable {
		return nil, &fs.PathError{Op: "open", Path: name, Err: bounded.ErrNotRegular}
	}
	n, err := p.snapshot.Fetch(ctx, []string{e.OID})
	if p.fetched += n; err != nil {
		return nil, err
	}
	var raw []byte
	err = p.Repo.Blobs(ctx, []string{e.OID}, oms.MaxBundleSize, func(_ string, content []byte, size int64) error {
		if size > oms.MaxBundleSize {
			return &fs.PathError{Op: "read", Path: name, Err: bounded.ErrTooLarge}
		}
		raw = content
		return nil
	})
	return raw, err
}

// openAt lists the model's files in the commit.
func (p *Place) openAt(ctx context.Context, o tree.Options) (*tree.Tree, error) {
	if err := p.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	o.Snapshot = p.snapshot
	if p.Detached {
		// It is left out of the model if it is a file of the worktree.
		o.Signature, _ = p.Repo.PathOf(p.Signature)
	}
	var t *tree.Tree
	var err error
	if p.Commit == Staged {
		t, err = tree.OpenIndex(ctx, p.Repo, p.Path, o)
	} else {
		t, err = tree.OpenCommit(ctx, p.Repo, p.Commit, p.Path, o)
	}
	if err != nil {
		return nil, atError(p.Commit, err)
	}
	return t, nil
}

// atError is an error of reading a commit.
func atError(commit string, err error) error {
	return ui.Trouble(fetchHint(err), "listing the model in %s: %w", describeCommit(commit), err)
}

// fetchHint says what to do where the network is what is missing.
func fetchHint(err error) string {
	if errors.Is(err, gitrepo.ErrFetch) {
		return "try again where that remote can be reached, or verify in a full clone"
	}
	return ""
}

// siblingsAt is siblings in the commit.
func (p *Place) siblingsAt(ctx context.Context) ([]string, error) {
	if err := p.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	prefix := p.Path + "/"
	if p.Path == "" {
		prefix = ""
	}
	held := func(name string) bool { _, found := p.snapshot.Entry(name); return found }
	var names, oids []string
	for _, e := range p.snapshot.Under(p.Path) {
		name, inside := strings.CutPrefix(e.Path, prefix)
		isFile := e.Stage == 0 && (e.Mode == gitrepo.ModeFile || e.Mode == gitrepo.ModeExecutable)
		if inside && !strings.Contains(name, "/") && e.Path != p.Signature && signs(e.Path, held) && isFile {
			names, oids = append(names, name), append(oids, e.OID)
		}
	}
	n, err := p.snapshot.Fetch(ctx, oids)
	if p.fetched += n; err != nil {
		return nil, atError(p.Commit, err)
	}
	var found siblingNames
	i := -1
	for some := range slices.Chunk(oids, 16) { // few are read without git, and there may be far too many
		err := p.Repo.Blobs(ctx, some, oms.MaxBundleSize, func(_ string, content []byte, _ int64) error {
			i++
			return found.add(names[i], content) // one that is too large has none, and is compared as any other file
		})
		if decided := (*ui.Error)(nil); errors.As(err, &decided) {
			return nil, err
		} else if err != nil {
			return nil, atError(p.Commit, err)
		}
	}
	return found.names, nil
}
