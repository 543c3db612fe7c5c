package walk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// ModelOptions say where LocateModel looks.
type ModelOptions struct {
	// Signature is the signature's file. "" stands for model.sig in the model's
	// folder, or else the one *.oms.sig there.
	Signature string
	// Environment says where the cache is, and which addresses are the Hub's.
	Environment hub.Environment
	// Client asks the Hub; nil stands for looking into the cache only.
	Client *hub.Client
	// Cached takes a name for that of a repository, whatever there is at a path of
	// that name.
	Cached bool
	// Type and Revision say which repository is meant and which revision of it, as
	// the user calls them; "" is a model, and main, unless the name says otherwise.
	Type, Revision string
	// Fetch says that the model is to be downloaded, so that it has to be one on the Hub.
	Fetch bool
}

// LocateModel finds out what the users of Hugging Face's clients call a model: a
// path, or where there is none the id or address of a repository on the Hub or in
// the cache.
func LocateModel(ctx context.Context, name string, o ModelOptions) (*Place, error) {
	var s *hub.Snapshot
	if o.isPath(name) {
		if err := o.checkPath(name); err != nil {
			return nil, err
		}
		var err error
		s, err = hub.SnapshotOf(o.Environment.Cache, name)
		if err != nil {
			return nil, snapshotError(err, "")
		}
	} else {
		n, err := parseName(name, o)
		if err != nil {
			return nil, err
		}
		switch {
		case o.Fetch && o.Cached:
			return nil, ui.Usage("leave out one of them", "--download is for repositories on the Hub, and --cached for the local cache")
		case o.Fetch && o.Client == nil:
			return nil, ui.Usage("", "--download: %w", hub.ErrOffline)
		}
		if o.Client != nil && !o.Cached {
			return LocateHub(ctx, o.Client, n.Repo, n.Revision, o.Signature)
		}
		if s, err = hub.FindSnapshot(o.Environment.Cache, n.Repo, n.Revision); err != nil {
			return nil, snapshotError(err, ui.DownloadHowTo(n.Repo))
		}
	}
	var p *Place
	var err error
	if s != nil {
		p, err = locateSnapshot(ctx, s, o.Signature)
	} else {
		p, err = locateDownload(ctx, name, o.Signature)
	}
	if err != nil || o.Signature != "" || p.Single {
		return p, err
	}
	return p, p.findSignature(name, "name one with --signature")
}

// isPath says whether a name is that of something here.
func (o ModelOptions) isPath(name string) bool {
	_, err := os.Stat(name)
	return err == nil && !o.Cached
}

// checkPath refuses for a path what is said of a repository: somebody who says it
// means one, and would take the verdict for that one's.
func (o ModelOptions) checkPath(name string) error {
	hint := ""
	if hub.IsRepoID(name) {
		hint = "hf://" + name + " names the repository on the Hub, --cached the one in the local cache"
	}
	switch {
	case o.Type != "":
		return ui.Usage(hint, "--repo-type is for repositories, and %s is a path here", ui.Quote(name))
	case o.Revision != "":
		return ui.Usage(hint, "--revision is for repositories, and %s is a path here", ui.Quote(name))
	case o.Fetch:
		return ui.Usage(hint, "--download is for repositories on the Hub, and %s is here already", ui.Quote(name))
	}
	return nil
}

// parseName is the repository and the revision that are meant by a name that is no
// path. What is said twice has to be the same.
func parseName(name string, o ModelOptions) (hub.Name, error) {
	n, err := hub.ParseName(name, o.Environment.Endpoint)
	if err != nil {
		return n, ui.Usage("a repository id is org/name; -h lists the options", "neither a path nor a repository: %w", err)
	}
	t, ok := hub.ParseRepoType(o.Type)
	switch {
	case !ok:
		return n, ui.Usage("the types are model, dataset and space", "--repo-type %s: unknown type", ui.Quote(o.Type))
	case hub.IsRepoID(name):
		n.Type = t
	case o.Type != "" && n.Type != t:
		return n, ui.Usage("", "--repo-type %s, and %s is a %s", t, ui.Quote(name), n.Type)
	}
	switch {
	case n.Revision == "":
		n.Revision = o.Revision
	case o.Revision != "" && o.Revision != n.Revision:
		return n, ui.Usage("", "--revision %s, and %s names the revision %s", ui.Quote(o.Revision), ui.Quote(name), ui.Quote(n.Revision))
	}
	if n.Revision == "" {
		n.Revision = "main"
	}
	return n, nil
}

// snapshotError gives an error of looking into the cache its exit code, and where
// something is not there how it comes there.
func snapshotError(err error, download string) error {
	var failed *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hub.ErrNotCached):
		return ui.Trouble(download+" puts it there", "%w", err)
	case errors.Is(err, hub.ErrMalformed):
		return ui.Failed("", "%w", err)
	case errors.As(err, &failed):
		return ui.Trouble("", "looking into the cache: %w", err)
	}
	return ui.Usage("", "%w", err)
}

// locateSnapshot is the place of a snapshot.
func locateSnapshot(ctx context.Context, s *hub.Snapshot, signature string) (*Place, error) {
	p, err := Locate(ctx, s.Path, signature, true)
	if err != nil {
		return nil, err
	}
	p.Cached = s
	return p, nil
}

// locateDownload is the place of a folder or file. One in a worktree of which git
// tracks nothing was downloaded to there, and is taken as it lies.
func locateDownload(ctx context.Context, name, signature string) (*Place, error) {
	p, err := Locate(ctx, name, signature, false)
	if err != nil {
		return nil, err
	}
	if p.Repo != nil {
		tracked, err := p.tracked(ctx)
		if err != nil || tracked {
			return p, err
		}
		p.Repo = nil
	}
	if !p.Single {
		p.ignored = []string{hub.LocalFolder}
	}
	return p, nil
}

// tracked says whether git tracks anything of the model.
func (p *Place) tracked(ctx context.Context) (bool, error) {
	path, err := filepath.EvalSymlinks(p.Path)
	if err != nil {
		return false, ui.Trouble("", "finding the model: %w", err)
	}
	under, inside := gitrepo.Within(p.Repo.Top, path)
	if !inside {
		return true, nil // whatever it is, it is for git to say
	}
	entries, err := p.Repo.Index(ctx, under)
	if err != nil {
		return false, ui.Trouble("", "listing what git tracks: %w", err)
	}
	return len(entries) > 0, nil
}

// findSignature takes the one signature of the folder where it is not called as usual.
// The hint is how one of several could be chosen.
func (p *Place) findSignature(name, hint string) error {
	if _, err := os.Lstat(p.Signature); err == nil {
		return nil
	}
	entries, err := os.ReadDir(p.Path)
	if err != nil {
		return ui.Trouble("", "looking for a signature: %w", err)
	}
	var found []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), SignatureSuffix) {
			found = append(found, e.Name())
		}
	}
	signature, several := theSignature(name, found, hint)
	p.Signature, p.several = filepath.Join(p.Path, signature), several
	return nil
}

// theSignature chooses among the signatures of a folder that holds no model.sig. Where
// there are none it is missed by that name. Where there are several they are judged
// together under it; the error says so to whoever wants one.
func theSignature(folder string, others []string, hint string) (name string, several error) {
	switch len(others) {
	case 0:
		return SignatureName, nil
	case 1:
		return others[0], nil
	}
	return SignatureName, ui.Usage(hint, "%s holds several signatures: %s", ui.Quote(folder), ui.QuoteAll(others))
}

// progressTitle is what is said to be checked while that takes time.
func (p *Place) progressTitle() string {
	if p.Cached != nil {
		return p.Cached.ID
	}
	return "model"
}

// follows is the rule by which symbolic links of the model are followed, nil for none.
func (p *Place) follows() func(link string) bool {
	if p.Cached == nil {
		return nil
	}
	return p.Cached.Follows
}

// checkCached sees that a signature in a snapshot is one of the snapshot's files, as
// every other file has to be.
func (p *Place) checkCached() error {
	if p.Cached == nil || !within(p.Cached.Path, p.Signature) {
		return nil
	}
	info, err := os.Lstat(p.Signature)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 || p.Cached.Follows(p.Signature) {
		return nil // that it cannot be read is for others to tell
	}
	return ui.Failed("", "%s is a symbolic link that leads out of the repository's blobs", ui.Quote(p.signatureTitle()))
}

// empty says whether the model is a snapshot without any file, whatever folders it has.
func (p *Place) empty() bool {
	if p.Cached == nil {
		return false
	}
	return filepath.WalkDir(p.Path, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			return fs.ErrExist
		}
		return err
	}) == nil
}

// VerifyCache verifies every snapshot of a cache, each as Verify does. How is asked
// for by the URL of its repository on the Hub. The error is one of the cache's folder,
// or of ctx.
func VerifyCache(ctx context.Context, cache string, how func(ctx context.Context, url string) (VerifyOptions, error)) (*ui.CacheReport, error) {
	found, err := hub.Scan(ctx, cache)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case notExist(err):
		return nil, ui.Trouble("hf download makes it; HF_HUB_CACHE or HF_HOME names another folder", "opening the cache: %w", err)
	case err != nil:
		return nil, ui.Trouble("", "looking into the cache: %w", err)
	}
	report := &ui.CacheReport{Dir: cache, Problems: found.Problems, Foreign: found.Foreign}
	once := new(readOnce)
	for _, s := range found.Snapshots {
		v := verifySnapshot(ctx, s.Snapshot, once, how)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		report.Snapshots = append(report.Snapshots, ui.CachedVerdict{Snapshot: s, Verdict: v, Excused: excused(v)})
	}
	return report, nil
}

// verifySnapshot verifies one snapshot; files that it shares with others are read once.
func verifySnapshot(ctx context.Context, s *hub.Snapshot, once *readOnce, how func(ctx context.Context, url string) (VerifyOptions, error)) *ui.Verdict {
	failed := func(err error) *ui.Verdict {
		return &ui.Verdict{Model: s.Path, Signature: displayPath(filepath.Join(s.Path, SignatureName)), Err: err}
	}
	o, err := how(ctx, s.URL())
	if err != nil {
		return failed(err)
	}
	p, err := locateSnapshot(ctx, s, "")
	if err != nil {
		return failed(err)
	}
	if err := p.findSignature(s.ID, ""); err != nil {
		return failed(err)
	}
	o.Check.Memory = once
	return Verify(ctx, p, o)
}

// excused says whether a verdict is of no signature, or of one by nobody who is
// known, and the policy does not mind.
func excused(v *ui.Verdict) bool {
	var nobody *unchecked
	return ui.Code(v.Err) == ui.ExitUnsigned || errors.As(v.Err, &nobody)
}
