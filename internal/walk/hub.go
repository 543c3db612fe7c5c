package walk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// remote is a revision of a repository on the Hub, in a [Place] of which nothing
// is here.
type remote struct {
	client   *hub.Client
	revision hub.Revision
	entries  []hub.Entry // sorted by path
	// signatures are the contents of the signature and of its siblings, as they were
	// when they were looked at: asked once more, the Hub may send something else.
	signatures map[string][]byte
	beside     map[string][]string // the siblings of a signature, once they are known
}

// LocateHub asks the Hub what a repository holds at a revision. An empty
// signature means model.sig in it, or else its one *.oms.sig; another is a file
// here.
func LocateHub(ctx context.Context, client *hub.Client, repo hub.Repo, revision, signature string) (*Place, error) {
	r := &remote{client: client, signatures: make(map[string][]byte), beside: make(map[string][]string)}
	var err error
	if r.revision, err = client.Resolve(ctx, repo, revision); err != nil {
		return nil, hubError(repo, err)
	}
	if r.entries, err = client.List(ctx, r.revision); err != nil {
		return nil, hubError(repo, err)
	}
	p := &Place{Name: repo.String(), Commit: r.revision.Commit, Signature: signature, Detached: signature != "", remote: r}
	if p.Detached {
		if p.Signature, err = filepath.Abs(signature); err != nil {
			return nil, ui.Trouble("", "finding %s: %w", ui.Quote(signature), err)
		}
		return p, nil
	}
	p.Signature, p.several = r.signature()
	return p, nil
}

// OnHub says whether the model is a repository on the Hub and not here.
func (p *Place) OnHub() bool { return p.remote != nil }

// HubURL is the address by which policy knows a model on the Hub: as it was asked
// for, also where the repository was renamed.
func (p *Place) HubURL() string { return p.remote.revision.Repo.URL() }

// movedTo is what the Hub calls the repository now, by type too as [Place.Name] does,
// and "" where that is as it was asked for.
func (r *remote) movedTo() string {
	if r.revision.MovedTo == "" {
		return ""
	}
	return hub.Repo{Type: r.revision.Repo.Type, ID: r.revision.MovedTo}.String()
}

// signature is the path of the signature of the whole repository, by theSignature.
func (r *remote) signature() (name string, several error) {
	if _, found := r.entry(SignatureName); found {
		return SignatureName, nil
	}
	var others []string
	for _, e := range r.entries {
		if !strings.Contains(e.Path, "/") && strings.HasSuffix(e.Path, SignatureSuffix) {
			others = append(others, e.Path)
		}
	}
	return theSignature(r.revision.Repo.String(), others, "")
}

// entry finds a file in the listing.
func (r *remote) entry(name string) (hub.Entry, bool) {
	i, found := slices.BinarySearchFunc(r.entries, name, func(e hub.Entry, name string) int { return strings.Compare(e.Path, name) })
	if !found {
		return hub.Entry{}, false
	}
	return r.entries[i], true
}

// read fetches a signature, once. One that is not listed is fs.ErrNotExist, wrapped.
func (r *remote) read(ctx context.Context, name string) ([]byte, error) {
	if raw, known := r.signatures[name]; known {
		return raw, nil
	}
	e, found := r.entry(name)
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if e.Size > oms.MaxBundleSize {
		return nil, &fs.PathError{Op: "read", Path: name, Err: bounded.ErrTooLarge}
	}
	body, _, err := r.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, oms.MaxBundleSize+1))
	if err == nil && len(raw) > oms.MaxBundleSize {
		err = &fs.PathError{Op: "read", Path: name, Err: bounded.ErrTooLarge}
	}
	if err != nil {
		return nil, err
	}
	r.signatures[name] = raw
	return raw, nil
}

// fetch opens a file of the revision.
func (r *remote) fetch(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	content, err := r.client.Open(ctx, r.revision, name, 0)
	if err != nil {
		return nil, 0, err
	}
	return content, content.Size, nil
}

// open lists the model.
func (r *remote) open(ctx context.Context, o tree.Options) *tree.Tree {
	return tree.OpenHub(ctx, r.revision.Repo.String(), r.entries, r.fetch, o)
}

// siblings is [Place.siblings] on the Hub, where what is called as a signature and
// has to be fetched counts, whatever it is. What is there beyond the bounds, by the
// listing, is compared as any other file.
func (r *remote) siblings(ctx context.Context, signature string) ([]string, error) {
	if names, known := r.beside[signature]; known {
		return names, nil
	}
	held := func(name string) bool { _, found := r.entry(name); return found }
	names, read, left := []string{}, 0, int64(maxSiblingBytes)
	for _, e := range r.entries {
		if strings.Contains(e.Path, "/") || e.Path == signature || !signs(e.Path, held) {
			continue
		}
		if read++; read > maxSiblings || e.Size > left {
			continue
		}
		left -= e.Size
		raw, err := r.read(ctx, e.Path)
		switch {
		case errors.Is(err, bounded.ErrTooLarge):
			continue
		case err != nil:
			return nil, hubError(r.revision.Repo, err)
		}
		if _, err := oms.ParseBundle(raw); err == nil && int64(len(raw)) == e.Size {
			names = append(names, e.Path)
		} else {
			delete(r.signatures, e.Path)
		}
	}
	r.beside[signature] = names
	return names, nil
}

// hubError says what to do about an error of asking the Hub.
func hubError(repo hub.Repo, err error) error {
	hint := ""
	switch {
	case errors.Is(err, hub.ErrGated):
		hint = "ask for access on " + repo.URL() + ", then set HF_TOKEN or run hf auth login"
	case errors.Is(err, hub.ErrUnauthorized):
		hint = "the token in HF_TOKEN or of hf auth login was refused: make a new one"
	case errors.Is(err, hub.ErrRepoNotFound):
		hint = "look at its spelling and --repo-type; a private one needs HF_TOKEN or hf auth login"
	case errors.Is(err, hub.ErrRevisionNotFound):
		hint = "--revision names a branch, a tag or a commit of that repository"
	}
	return ui.Trouble(hint, "%w", err)
}
