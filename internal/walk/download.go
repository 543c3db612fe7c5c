package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/download"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Download verifies a model that is on the Hub, and gets its files if nothing is
// wrong so far: what is signed, with the signatures, and with
// Check.IgnoreUnsigned what is not signed too. Each file appears at the
// destination only once its bytes have proved to be what was signed, or else
// listed. What is not signed and lay at the destination before stays there, and is a
// failure. p is of [LocateHub].
func Download(ctx context.Context, p *Place, to Destination, o VerifyOptions) *ui.Verdict {
	v := newVerdict(p)
	if o.Policy.Threshold == 0 {
		if v.Err = p.several; v.Err != nil {
			return v
		}
		v.Err = downloadInto(ctx, v, p, nil, to, o)
		return v
	}
	// The signers who count have signed the same files, as the Hub lists them. So it
	// is enough to hold what comes against one signature and the listing.
	listed := o
	listed.Check.RequireRead = false
	all, members := verifyTogether(ctx, p, listed)
	if all.ExitCode() != ui.ExitOK {
		return all
	}
	i := slices.IndexFunc(members, func(m *member) bool { return m.verdict.Signer == all.Signer })
	o.Policy.Threshold = 0
	v.Err = downloadInto(ctx, v, members[i].place, believed(members), to, o)
	v.Signature, v.Quorum = all.Signature, all.Quorum
	return v
}

// believed are what those who are believed have signed.
func believed(members []*member) (manifests []*oms.Manifest) {
	for _, m := range members {
		if !m.stranger && m.verdict.Manifest != nil {
			manifests = append(manifests, m.verdict.Manifest)
		}
	}
	return manifests
}

// Destination is where Download puts files: a folder, or a cache.
type Destination struct {
	// Folder gets the files by their paths. "" stands for the cache.
	Folder string
	// Environment says where the cache is, and what it is made of.
	Environment hub.Environment
}

// of is the destination for a revision, and the folder that its files will be in.
func (d Destination) of(r hub.Revision) (download.Destination, string) {
	if d.Folder != "" {
		return download.Folder{Dir: d.Folder, Commit: r.Commit}, displayPath(d.Folder)
	}
	c := download.Cache{Dir: d.Environment.Cache, Repo: r.Repo.CacheName(), Commit: r.Commit, Ref: r.Name, RealFiles: d.Environment.NoSymlinks}
	return c, filepath.Join(c.Dir, c.Repo, "snapshots", c.Commit)
}

// place is the destination as a place where the model of p is, now that it was downloaded.
func (d Destination) place(p *Place) (*Place, error) {
	here := &Place{Path: d.Folder, Name: d.Folder, Signature: p.Signature, ignored: []string{hub.LocalFolder}}
	if d.Folder == "" {
		s, err := hub.FindSnapshot(d.Environment.Cache, p.remote.revision.Repo, p.Commit)
		if err != nil {
			return nil, snapshotError(err, "")
		}
		here.Path, here.Name, here.Cached, here.ignored = s.Path, s.Path, s, nil
	}
	var err error
	if here.Path, err = filepath.Abs(here.Path); err != nil {
		return nil, ui.Trouble("", "finding %s: %w", ui.Quote(here.Name), err)
	}
	if !p.Detached {
		here.Signature = filepath.Join(here.Path, p.Signature)
	}
	return here, nil
}

// downloadInto is Download by one signature. The others that are believed are for the
// same files; what they leave out may differ.
func downloadInto(ctx context.Context, v *ui.Verdict, p *Place, others []*oms.Manifest, to Destination, o VerifyOptions) error {
	o.Check.RequireRead = false // what is promised is going to be read
	b, err := believe(ctx, v, p, o)
	if err != nil {
		return err
	}
	if err := compareFiles(ctx, v, p, v.Manifest, o); err != nil {
		return err
	}
	if len(v.Report.Failures()) > v.Report.Count(check.NotDownloaded) {
		return nil // which is the verdict, and nothing was fetched
	}
	files, err := p.remote.wanted(ctx, v.Manifest, p, o)
	if err != nil {
		return err
	}
	destination, folder := to.of(p.remote.revision)
	results, err := p.remote.get(ctx, files, destination, o)
	if err != nil {
		return downloadError(p.remote.revision.Repo, to, err)
	}
	tell(v.Report, results)
	if err := strangers(ctx, v, append(others, v.Manifest), files, p, to, o); err != nil {
		return err
	}
	if err := b.learn(ctx, v); err != nil || len(v.Report.Failures()) > 0 {
		return err
	}
	if cache, ok := destination.(download.Cache); ok && len(files) > 0 { // only now may clients load it by the revision's name
		if err := cache.WriteRef(ctx); err != nil {
			return downloadError(p.remote.revision.Repo, to, err)
		}
	}
	v.Hub.Downloaded = folder
	return nil
}

// wanted are the files to get, with what each must be.
func (r *remote) wanted(ctx context.Context, m *oms.Manifest, p *Place, o VerifyOptions) ([]download.File, error) {
	signed := make(map[string][]download.Range)
	for _, res := range m.Resources {
		signed[res.Path] = append(signed[res.Path], download.Range{Start: res.Start, End: res.End, Digest: res.Digest})
	}
	siblings, err := r.siblings(ctx, p.Signature)
	if err != nil {
		return nil, err
	}
	var files []download.File
	unsigned := oms.NewIgnored(oms.DefaultIgnored(), m.Serialization.IgnorePaths)
	ignored := oms.NewIgnored(o.Ignore)
	for _, e := range r.entries {
		f := download.File{Path: e.Path, Size: e.Size, Blob: e.BlobID}
		if e.SHA256 != "" {
			f.Blob = e.SHA256
		}
		ranges, isSigned := signed[e.Path]
		// A manifest of shards cannot name an empty file, which is part of what was signed.
		emptyInShards := m.Serialization.Method == oms.Shards && e.Size == 0 && !unsigned.Has(e.Path)
		isSignature := !p.Detached && e.Path == p.Signature || slices.Contains(siblings, e.Path)
		switch {
		case isSigned:
			f.Algorithm, f.Want = digest.Algorithm(m.Serialization.HashType), ranges
			if m.Serialization.Method != oms.Shards {
				f.Want[0].End = e.Size
			}
		case isSignature:
			f.Content = r.signatures[e.Path]
		case !o.Check.IgnoreUnsigned && !emptyInShards, ignored.Has(e.Path):
			continue
		}
		files = append(files, f)
	}
	return files, nil
}

// get downloads files.
func (r *remote) get(ctx context.Context, files []download.File, to download.Destination, o VerifyOptions) ([]download.Result, error) {
	progress := o.Terminal.StartProgress("Downloading "+r.revision.Repo.String(), "file")
	defer progress.Stop()
	// Each Open has tried again by itself as long as that was worth it.
	return download.Run(ctx, source{r}, files, to, download.Options{Progress: progress.Add, Retries: 1})
}

// source is a revision on the Hub to download from.
type source struct{ *remote }

// Open is [download.Source].
func (s source) Open(ctx context.Context, path string, offset int64) (body io.ReadCloser, size, begins int64, err error) {
	content, err := s.client.Open(ctx, s.revision, path, offset)
	if errors.Is(err, hub.ErrEntryNotFound) {
		err = fmt.Errorf("%w: it is listed and not there: %w", download.ErrWrong, err)
	}
	if err != nil {
		return nil, 0, 0, err
	}
	return content, content.Size, content.Offset, nil
}

// tell puts what became of the downloads into a report that took promises for them.
func tell(report *check.Report, results []download.Result) {
	became := make(map[string]error, len(results))
	for _, res := range results {
		report.Bytes += res.Received + res.Resumed
		became[res.Path] = res.Err
	}
	told := make(map[string]bool, len(results))
	for i := range report.Files {
		f := &report.Files[i]
		err, fetched := became[f.Path]
		if !fetched {
			continue
		}
		told[f.Path] = true
		f.Status, f.Found, f.Detail = check.Read, f.Expected, ""
		if err != nil {
			f.Status, f.Found, f.Detail = check.Changed, "", err.Error()
		}
	}
	for _, res := range results { // what is not signed
		if res.Err != nil && !told[res.Path] {
			report.Files = append(report.Files, check.File{Path: res.Path, Status: check.Changed, Detail: res.Err.Error()})
		}
	}
}

// strangers reports what lies where the model was downloaded to and is no part of
// it: it was there before, and whoever loads the model may load it too. As where the
// signatures are verified there, each of them has to have left it out.
func strangers(ctx context.Context, v *ui.Verdict, signed []*oms.Manifest, files []download.File, p *Place, to Destination, o VerifyOptions) error {
	if o.Check.IgnoreUnsigned || len(files) == 0 {
		return nil
	}
	here, err := to.place(p)
	if err != nil {
		return err
	}
	siblings, err := here.siblings(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(files))
	for _, f := range files {
		known[f.Path] = true
	}
	report := func(name string, status check.Status) {
		if !known[name] {
			known[name] = true
			v.Report.Files = append(v.Report.Files, check.File{Path: name, Status: status, Detail: "it was there before"})
		}
	}
	for _, m := range signed {
		t, err := here.open(ctx, tree.Options{Ignore: slices.Concat(leftOut(m, siblings), here.ignored, o.Ignore), Follows: here.follows()})
		if err != nil {
			return err
		}
		for _, f := range t.Files {
			report(f.Path, check.Extra)
		}
		for _, problem := range t.Problems {
			report(problem.Path, check.Refused)
		}
		t.Close()
	}
	return nil
}

// downloadError gives an error of downloading its exit code, and says what to do.
func downloadError(repo hub.Repo, to Destination, err error) error {
	hint := "the same command goes on where this one stopped"
	for _, place := range []error{download.ErrExists, download.ErrLink, download.ErrTwin, download.ErrName} {
		if !errors.Is(err, place) {
			continue
		}
		if to.Folder == "" {
			return ui.Failed("hf cache rm "+string(repo.Type)+"/"+repo.ID+" removes it from the cache; nothing of yours was changed", "downloading %s: %w", repo, err)
		}
		return ui.Trouble("move it away, or name another folder; nothing of yours was changed", "downloading %s: %w", repo, err)
	}
	if errors.Is(err, download.ErrDiskFull) {
		hint = "make room; what has come is kept, and the same command goes on"
	}
	var decided *ui.Error
	if errors.As(hubError(repo, err), &decided) && len(decided.Hints) > 0 {
		return decided
	}
	return ui.Trouble(hint, "downloading %s: %w", repo, err)
}
