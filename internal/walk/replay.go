package walk

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Bounds of the search for the commit that a signature was made for.
const (
	maxHistory    = 1000 // commits that changed the model
	maxTracked    = 8    // paths whose versions are followed
	maxCandidates = 32   // commits whose files are read
	// maxEntries is how many paths the commits that were read may hold together
	// before another one is. The first is read however many it has.
	maxEntries = 50_000
)

// madeFor looks for an earlier commit whose files are those that a believed
// signature lists, as they were before the model was changed or an old signature
// put back. It follows first parents, and returns the commit's id, "" if it finds
// none within its bounds, or if the current commit is as signed and only the
// worktree or the index is not. A partial clone is not searched: that would fetch
// old versions.
func (p *Place) madeFor(ctx context.Context, m *oms.Manifest, failures []check.File, o VerifyOptions) (string, error) {
	model, inRepo := p.modelInRepo()
	start := p.Commit
	if start == "" || start == Staged {
		var err error
		if start, err = p.Repo.HeadCommit(ctx); err != nil {
			return "", err
		}
	}
	if !inRepo || start == "" || m == nil {
		return "", nil
	}
	signature, _ := p.signatureInRepo()
	paths := watched(model)
	if signature != "" {
		paths = append(paths, signature)
	}
	commits, err := p.Repo.History(ctx, start, maxHistory, paths...)
	if err != nil || len(commits) == 0 {
		return "", err
	}
	r := &replay{place: p, model: model, signature: signature, manifest: m, options: o, bad: make(map[string]bool)}
	r.track(failures)
	r.findExtras()
	if err := r.readVersions(ctx, commits); err != nil {
		return "", err
	}
	found, err := r.search(ctx, commits)
	if found == commits[0] && p.Commit != start {
		return "", err
	}
	return found, err
}

// modelInRepo is the model's path in the repository, and whether it is in one.
func (p *Place) modelInRepo() (string, bool) {
	switch {
	case p.Commit != "":
		return p.Path, true
	case p.Repo == nil:
		return "", false
	}
	name, err := p.Repo.PathOf(p.Path)
	return name, err == nil
}

// replay is one search.
type replay struct {
	place            *Place
	model, signature string // in the repository
	manifest         *oms.Manifest
	options          VerifyOptions
	tracked          []string          // paths of the model that are known to fail
	versions         map[string]string // of a tracked path, by commit and path
	bad              map[string]bool   // versions of paths that were seen to fail, by path and version
	extras           []string          // those of tracked that no commit as signed holds
	entries          int               // paths that the commits that were read hold
}

// track takes the first paths that are not as signed.
func (r *replay) track(failures []check.File) {
	for _, f := range failures {
		plain := !strings.ContainsAny(f.Path, "\n\x00")
		if plain && len(r.tracked) < maxTracked && !slices.Contains(r.tracked, f.Path) {
			r.tracked = append(r.tracked, f.Path)
		}
	}
}

// findExtras picks the tracked paths that a commit cannot hold and be as signed:
// neither they nor anything below them is. A commit that holds one need not be
// read.
func (r *replay) findExtras() {
	if r.place.Single || r.options.Check.IgnoreUnsigned {
		return
	}
	for _, file := range r.tracked {
		if !slices.ContainsFunc(r.manifest.Resources, func(res oms.Resource) bool {
			return res.Path == file || strings.HasPrefix(res.Path, file+"/")
		}) {
			r.extras = append(r.extras, file)
		}
	}
}

// holdsExtra says whether a commit has what no commit as signed has. A version
// begins with the object's id, where there is an object.
func (r *replay) holdsExtra(commit string) bool {
	return slices.ContainsFunc(r.extras, func(file string) bool { return !strings.HasPrefix(r.versions[commit+":"+file], " ") })
}

// inRepo is the path in the repository of a path of the model.
func (r *replay) inRepo(file string) string {
	if r.place.Single {
		return r.model
	}
	return path.Join(r.model, file)
}

// readVersions asks, in one go, which object each tracked path is in each commit,
// together with the attributes that hold for it.
func (r *replay) readVersions(ctx context.Context, commits []string) error {
	var names []string
	for _, file := range r.tracked {
		name := r.inRepo(file)
		names = append(names, name)
		for dir := name; dir != "" && dir != "."; {
			dir = path.Dir(dir)
			names = append(names, path.Join(dir, ".gitattributes"))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	objects, err := r.place.Repo.ObjectsAt(ctx, commits, names)
	if err != nil {
		return err
	}
	r.versions = make(map[string]string, len(commits)*len(r.tracked))
	for i, commit := range commits {
		at := make(map[string]string, len(names))
		for j, name := range names {
			at[name] = objects[i][j]
		}
		for _, file := range r.tracked {
			name := r.inRepo(file)
			version := at[name]
			for dir := name; dir != "" && dir != "."; {
				dir = path.Dir(dir)
				version += " " + at[path.Join(dir, ".gitattributes")]
			}
			r.versions[commit+":"+file] = version
		}
	}
	return nil
}

// search goes through the commits, the newest first, and reads the files of those
// that have no version that is known to fail.
func (r *replay) search(ctx context.Context, commits []string) (string, error) {
	read := 0
	for i, commit := range commits {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if i == 0 && r.place.Commit != "" && r.place.Commit != Staged {
			r.learn(commit, r.tracked) // it is the one that has failed, or holds the same
			continue
		}
		if r.holdsExtra(commit) || r.knownBad(commit) {
			continue
		}
		if read++; read > maxCandidates || r.entries > maxEntries {
			return "", nil
		}
		failed, err := r.compare(ctx, commit)
		if err != nil {
			return "", err
		}
		if failed == nil {
			return commit, nil
		}
		r.learn(commit, failed)
	}
	return "", nil
}

func (r *replay) knownBad(commit string) bool {
	return slices.ContainsFunc(r.tracked, func(file string) bool { return r.bad[file+"\x00"+r.versions[commit+":"+file]] })
}

// learn remembers that these paths fail as they are in a commit.
func (r *replay) learn(commit string, failed []string) {
	for _, file := range failed {
		r.bad[file+"\x00"+r.versions[commit+":"+file]] = true
	}
}

// errPartial says that a partial clone is not searched.
var errPartial = errors.New("a partial clone is not searched")

// compare returns the paths of a commit that are not as signed, nil if all are.
// The tracked ones come first: if one of those fails nothing else is read.
func (r *replay) compare(ctx context.Context, commit string) ([]string, error) {
	at := &Place{Path: r.model, Name: r.place.Name, Single: r.place.Single, Repo: r.place.Repo, Commit: commit, Signature: r.signature}
	if err := at.takeSnapshot(ctx); err != nil {
		return nil, err
	}
	r.entries += len(at.snapshot.Entries)
	if len(at.snapshot.Checkout.Promisors) > 0 {
		return nil, errPartial
	}
	if len(at.snapshot.Under(r.model)) == 0 {
		return r.tracked, nil
	}
	siblings, err := at.siblings(ctx)
	if err != nil {
		return nil, err
	}
	t, err := at.open(ctx, tree.Options{
		Ignore: slices.Concat(leftOut(r.manifest, siblings), r.options.Ignore), Keep: signedPaths(r.manifest),
		AllowSymlinks: r.options.AllowSymlinks || r.manifest.Serialization.AllowSymlinks,
	})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	for _, m := range []*oms.Manifest{r.trackedOnly(), r.manifest} {
		strict := check.Options{IgnoreUnsigned: r.options.Check.IgnoreUnsigned || m != r.manifest}
		report, err := check.Compare(ctx, m, t, r.options.Hasher, strict)
		if err != nil {
			return nil, err
		}
		if failures := report.Failures(); len(failures) > 0 {
			return pathsOf(failures), nil
		}
	}
	return nil, nil
}

// trackedOnly is the manifest without what is not tracked.
func (r *replay) trackedOnly() *oms.Manifest {
	m := *r.manifest
	m.Resources = slices.DeleteFunc(slices.Clone(m.Resources), func(res oms.Resource) bool {
		return res.Path != oms.SingleFile && !slices.Contains(r.tracked, res.Path)
	})
	return &m
}

func pathsOf(files []check.File) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	return names
}

// findReplay fills in the commit that the signature was made for, where the files
// are not as signed. That it cannot be found out changes nothing about the verdict.
func findReplay(ctx context.Context, v *ui.Verdict, p *Place, o VerifyOptions) {
	if !o.Replay || p.Repo == nil || v.Report == nil || v.Report.OnlyUnreadable() {
		return
	}
	failures := slices.DeleteFunc(v.Report.Failures(), func(f check.File) bool { return f.Status == check.NotDownloaded })
	if len(failures) == 0 {
		return
	}
	o.Hasher.Progress = nil
	if commit, err := p.madeFor(ctx, v.Manifest, failures, o); err == nil {
		v.MadeFor = commit
	}
}
