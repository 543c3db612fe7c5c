package walk

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// LogOptions say which commits Log looks at.
type LogOptions struct {
	// Under is a path relative to the top of the repository: signatures at or under
	// it count. "" is everywhere.
	Under string
	// Range is a revision or a range of them; "" is HEAD.
	Range string
	// Max is how many commits are told at most, 0 for all.
	Max int
	// Verify says whom to believe, and how to hash.
	Verify VerifyOptions
}

// LocateLog finds the repository, and tells a path from a range of revisions: a
// path comes first, or behind "--", and one argument alone is a path if there is
// such a file or folder, or if it is no revision. Without "--" a path has to be in
// the worktree or in HEAD. dash is how many arguments came before "--", -1 without
// one. Without a path everything counts, as with git log.
func LocateLog(ctx context.Context, args []string, dash int) (repo *gitrepo.Repository, o LogOptions, err error) {
	var path string
	switch n := len(args); {
	case n > 2, n == 2 && dash == 2, n == 2 && dash == 0:
		return nil, o, ui.Usage("git model-sign log [<path>] [<revision range>]", "expected a path and a revision range, found %s", ui.QuoteAll(args))
	case n == 2 && dash == 1:
		o.Range, path = args[0], args[1]
	case n == 2:
		path, o.Range = args[0], args[1]
	case n == 1 && dash == 0:
		path = args[0]
	case n == 1:
		if repo, _, err = FindInRepository(ctx, "."); err != nil {
			return nil, o, err
		}
		if isRange(ctx, repo, args[0]) {
			o.Range = args[0]
		} else {
			path = args[0]
		}
	}
	repo, o.Under, err = FindInRepository(ctx, path)
	switch {
	case path == "":
		o.Under = ""
	case err == nil && dash < 0:
		err = checkHeld(ctx, repo, path, o.Under)
	}
	return repo, o, err
}

// checkHeld refuses a word that no "--" says to be a path, and that is neither in
// the worktree nor in HEAD: it may be a revision that is misspelt.
func checkHeld(ctx context.Context, repo *gitrepo.Repository, word, under string) error {
	if _, err := os.Lstat(word); err == nil && repo.Top != "" {
		return nil
	}
	head, err := repo.HeadCommit(ctx)
	if err != nil {
		return ui.Trouble("", "finding HEAD: %w", err)
	}
	if head != "" {
		held, err := repo.CommitEntries(ctx, head, under)
		if err != nil {
			return ui.Trouble("", "looking at HEAD: %w", err)
		}
		if len(held) > 0 {
			return nil
		}
	}
	if _, err := repo.ResolveCommit(ctx, word); err == nil {
		return ui.Usage("git model-sign log [<path>] [<revision range>]", "%s is a revision, and the path comes first", ui.Quote(word))
	}
	return ui.Usage("for a path that only earlier commits hold write -- before it",
		"%s is no revision, and neither the worktree nor HEAD holds a path of that name", ui.Quote(word))
}

// isRange says whether an argument is rather a range of revisions than a path.
// Git's own files, among which the current folder is in a bare repository, are no
// paths of a model.
func isRange(ctx context.Context, repo *gitrepo.Repository, arg string) bool {
	if _, err := os.Lstat(arg); err == nil && repo.Top != "" {
		return false
	}
	if from, to, ok := strings.Cut(arg, ".."); ok {
		return !strings.Contains(from+to, "/..") && !strings.HasPrefix(arg, "../")
	}
	_, err := repo.ResolveCommit(ctx, arg)
	return err == nil
}

// Log calls each for every signature that a commit changed, the newest commit
// first and as soon as it is judged: by the policy, and by comparing what the
// commit holds from blobs and LFS pointers. The repository may be bare. The first
// error of each ends it and is returned.
func Log(ctx context.Context, repo *gitrepo.Repository, o LogOptions, each func(*ui.LogEntry) error) error {
	told := 0
	o.Verify = o.Verify.once()
	err := repo.VisitHistory(ctx, gitrepo.HistoryOptions{Range: o.Range, Under: o.Under, Suffix: ".sig"}, func(v gitrepo.Visit) error {
		entries, err := judgeVisit(ctx, repo, v, o.Verify)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := each(e); err != nil {
				return err
			}
		}
		if len(entries) > 0 {
			told++
		}
		if told == o.Max && o.Max > 0 {
			return gitrepo.ErrStop
		}
		return nil
	})
	if errors.Is(err, gitrepo.ErrNoCommit) {
		if o.Range != "" {
			return ui.Usage("the range is one that git log takes, such as main or v1..main", "%w", err)
		}
		unborn, unbornErr := repo.Unborn(ctx)
		if unborn {
			return ui.Usage("", "there are no commits yet")
		}
		return ui.Trouble("", "reading the history: %w", errors.Join(err, unbornErr))
	}
	return err
}

// judgeVisit looks at the signatures that one commit changed.
func judgeVisit(ctx context.Context, repo *gitrepo.Repository, v gitrepo.Visit, o VerifyOptions) ([]*ui.LogEntry, error) {
	all := &Place{Repo: repo, Commit: v.Commit}
	places, err := signaturesIn(ctx, all)
	if err != nil {
		return nil, err
	}
	judged := newJudgedOnce(places, o)
	var entries []*ui.LogEntry
	for _, change := range v.Paths {
		e := &ui.LogEntry{Commit: v.Commit, Time: v.Time, Signature: change.Path}
		i := slices.IndexFunc(places, func(p *Place) bool { return p.Signature == change.Path })
		switch {
		case i >= 0:
			e.Verdict, e.Together = judged.of(ctx, places[i]), judged.all(ctx, places[i].Path)
			if err := misconfigured(e.Verdict); err != nil && ctx.Err() == nil {
				return nil, err
			}
			if e.Verdict.Signer == nil && e.Verdict.Claim == nil {
				e.Verdict.Claim = claimOf(ctx, places[i])
			}
		case !wasSignature(ctx, all, change):
			continue // another program's
		default:
			e.CoveredBy = covering(places, change.Path)
			e.Together = judged.all(ctx, signedFolder(change.Path))
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// covering is a signature among places for what a signature that is gone was for, ""
// if there is none.
func covering(places []*Place, gone string) string {
	model := strings.TrimSuffix(gone, ".sig")
	if isSignatureName(gone) {
		model = signedFolder(gone)
	}
	for _, p := range places {
		if p.Path == model || !p.Single && gitrepo.IsUnder(model, p.Path) {
			return p.Signature
		}
	}
	return ""
}

// signedFolder is the folder that a signature of that path is for, unless it is one for
// a file.
func signedFolder(signature string) string { return strings.TrimPrefix(path.Dir("/"+signature), "/") }

// claimOf is what the signature at p claims; nil where it cannot be read.
func claimOf(ctx context.Context, p *Place) *ui.Claim {
	raw, err := readSignature(ctx, p)
	if err != nil {
		return nil
	}
	b, err := oms.ParseBundle(raw)
	if err != nil {
		return nil
	}
	return &ui.Claim{Signature: p.signatureName(), Bundle: b}
}

// wasSignature says whether a file that is no model signature in a commit was one in
// its parent: it is gone, or something else was written over it.
func wasSignature(ctx context.Context, now *Place, lost gitrepo.PathChange) bool {
	if isSignatureName(lost.Path) {
		return true
	}
	_, beside := now.snapshot.Entry(strings.TrimSuffix(lost.Path, ".sig"))
	if lost.Old == "" || lost.New != "" && !beside && !isCoSignatureName(lost.Path) {
		return false // it is new, or nothing is there that it could be for
	}
	if _, err := now.snapshot.Fetch(ctx, []string{lost.Old}); err != nil {
		return false
	}
	claims := false
	err := now.Repo.Blobs(ctx, []string{lost.Old}, oms.MaxBundleSize, func(_ string, content []byte, _ int64) error {
		claims = claimsToBeBundle(content)
		return nil
	})
	return err == nil && claims
}
