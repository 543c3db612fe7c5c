package walk

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Revision is a model in one commit, or in each commit of a range.
type Revision struct {
	Repo *gitrepo.Repository
	// Path is the model's, relative to the top of the repository, and Name what
	// the user called it.
	Path, Name string
	// Commits are full ids, the oldest first: one, or with Range those of the
	// range that change the model, what signs it, or its attributes.
	Commits []string
	Range   bool

	signature string // absolute path of a signature outside of the commits, "" for those in them
}

// LocateRev finds out which commits a revision names, and what name, relative to
// the current folder, is in their repository. The revision is anything that git
// takes for a commit, or <from>..<to> for the commits that to has and from has
// not. A signature is a file outside of the commits; "" takes each commit's own.
func LocateRev(ctx context.Context, name, rev, signature string) (*Revision, error) {
	if name == "" {
		name = "."
	}
	r := &Revision{Name: name}
	if err := r.findRepository(ctx); err != nil {
		return nil, err
	}
	if signature != "" {
		var err error
		if r.signature, err = filepath.Abs(signature); err != nil {
			return nil, ui.Trouble("", "finding %s: %w", ui.Quote(signature), err)
		}
	}
	return r, r.findCommits(ctx, rev)
}

// findRepository opens the repository that the path is in, which need not exist
// in the worktree, and finds its path in there.
func (r *Revision) findRepository(ctx context.Context) error {
	abs, err := filepath.Abs(r.Name)
	if err != nil {
		return ui.Trouble("", "finding %s: %w", ui.Quote(r.Name), err)
	}
	at := abs
	for {
		if info, err := os.Stat(at); err == nil && info.IsDir() {
			break
		}
		if filepath.Dir(at) == at {
			return ui.Trouble("", "finding %s: no folder on the way there exists", ui.Quote(r.Name))
		}
		at = filepath.Dir(at)
	}
	if r.Repo, err = repositoryAt(ctx, at); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return ui.Trouble("", "finding %s: %w", ui.Quote(r.Name), err)
	}
	rest, _ := gitrepo.Within(at, abs)
	inside := false
	if r.Path, inside = gitrepo.Within(repoRoot(r.Repo), filepath.Join(real, filepath.FromSlash(rest))); !inside {
		return ui.Usage("the path is relative to the current folder, and lies in the repository", "%s is not in the repository %s",
			ui.Quote(r.Name), ui.Quote(repoRoot(r.Repo)))
	}
	return nil
}

// repoRoot is the folder that stands for the top of a repository: that of its
// worktree, or where there is none its own.
func repoRoot(repo *gitrepo.Repository) string {
	if repo.Top != "" {
		return repo.Top
	}
	return repo.GitDir
}

// repositoryAt opens the repository that a folder is in, a bare one too. A folder
// that passes for a bare repository and is tracked by the repository around it
// came with that, and is a part of its worktree.
func repositoryAt(ctx context.Context, dir string) (*gitrepo.Repository, error) {
	own, err := gitrepo.Open(ctx, dir)
	switch {
	case errors.Is(err, gitrepo.ErrNoGit):
		return nil, ui.Trouble("install git", "%w", err)
	case errors.Is(err, gitrepo.ErrNotRepository):
		return nil, ui.Usage("--rev names a commit of the repository that the model is in", "%w", err)
	case err != nil:
		return nil, ui.Trouble("", "%w", err)
	case own.Top != "":
		return own, nil
	}
	around, _, err := worktree(ctx, dir)
	if err != nil {
		return nil, err
	}
	if around == nil {
		return own, nil
	}
	inside, err := around.PathOf(own.GitDir)
	if err != nil {
		return own, nil
	}
	tracked, err := around.Index(ctx, inside)
	switch {
	case err != nil:
		return nil, ui.Trouble("", "%w", err)
	case len(tracked) > 0:
		return around, nil
	}
	return own, nil
}

// findCommits resolves a revision or a range. As to git, what holds two dots is a
// range where both of its ends are there, and else may be one revision, such as
// :/text..., HEAD^{/a..b} or @{1..2}.
func (r *Revision) findCommits(ctx context.Context, rev string) error {
	from, to, dots := strings.Cut(rev, "..")
	if !dots {
		commit, err := r.resolve(ctx, rev)
		r.Commits = []string{commit}
		return err
	}
	to, symmetric := strings.CutPrefix(to, ".")
	ends, err := r.resolveEnds(ctx, from, to)
	if err != nil {
		if commit, whole := r.Repo.ResolveCommit(ctx, rev); whole == nil {
			r.Commits = []string{commit}
			return nil
		}
	}
	switch {
	case symmetric:
		return ui.Usage("a range is <from>..<to>", "--rev %s: a symmetric difference is no range", ui.Quote(rev))
	case err != nil:
		return err
	}
	r.Range = true
	if r.Commits, err = r.Repo.CommitsBetween(ctx, ends[0], ends[1], r.watched()...); err != nil {
		return ui.Trouble("", "listing commits: %w", err)
	}
	return nil
}

// resolveEnds resolves the ends of a range, of which "" is HEAD.
func (r *Revision) resolveEnds(ctx context.Context, from, to string) (ends [2]string, err error) {
	for i, end := range []string{from, to} {
		if ends[i], err = r.resolve(ctx, cmp.Or(end, "HEAD")); err != nil {
			return ends, err
		}
	}
	return ends, nil
}

func (r *Revision) resolve(ctx context.Context, rev string) (string, error) {
	commit, err := r.Repo.ResolveCommit(ctx, rev)
	switch {
	case errors.Is(err, gitrepo.ErrNoCommit):
		return "", ui.Usage("git log, git branch and git tag list commits by their names", "--rev %s: no such commit in %s", ui.Quote(rev), ui.Quote(repoRoot(r.Repo)))
	case err != nil:
		return "", ui.Trouble("", "finding commit %s: %w", ui.Quote(rev), err)
	}
	return commit, nil
}

// watched are the paths that a verdict on the model follows from.
func (r *Revision) watched() []string { return watched(r.Path) }

// watched are the model, its signature as a single file, and the attributes that
// hold for it from above.
func watched(model string) []string {
	if model == "" {
		return []string{"."}
	}
	paths := []string{model, model + ".sig"}
	for dir := model; dir != ""; {
		cut := strings.LastIndexByte(dir, '/')
		if dir = dir[:max(cut, 0)]; dir == "" {
			return append(paths, ".gitattributes")
		}
		paths = append(paths, dir+"/.gitattributes")
	}
	return paths
}

// Place is the model in one of the commits.
func (r *Revision) Place(ctx context.Context, commit string) (*Place, error) {
	p, err := LocateAt(ctx, r.Repo, commit, r.Path, "")
	if err != nil {
		return nil, err
	}
	if p.Name = r.Name; r.signature != "" {
		p.Signature, p.Detached = r.signature, true
	}
	return p, nil
}

// VerifyRev verifies the model in every commit, and hands each verdict to tell
// once it is there. It ends early, without an error, when ctx does. The ignore
// paths are relative to the current folder.
func VerifyRev(ctx context.Context, r *Revision, ignore []string, o VerifyOptions, tell func(*ui.Verdict)) {
	o = o.once()
	for _, commit := range r.Commits {
		v := r.verify(ctx, commit, ignore, o)
		if ctx.Err() != nil {
			return
		}
		tell(v)
	}
}

func (r *Revision) verify(ctx context.Context, commit string, ignore []string, o VerifyOptions) *ui.Verdict {
	p, err := r.Place(ctx, commit)
	if err == nil {
		o.Ignore, err = p.Ignored(ignore)
	}
	if err == nil {
		return Verify(ctx, p, o)
	}
	if errors.Is(err, errNotHeld) && r.Range {
		// A commit of the range has taken the model away, with what signed it.
		err = ui.Unsigned("", "%w", err)
		if o.Policy.Require {
			err = ui.Failed("", "%w, and a signature is required", err)
		}
	}
	return &ui.Verdict{Model: r.Name, Signature: r.Path, Commit: commit, Err: err}
}
