package walk

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/quarantine"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// wrongFiles are the files of a verdict about the model at p that should not be
// used: those that are there and are not as signed. What is missing, was not
// downloaded or could not be read is not among them.
func wrongFiles(p *Place, v *ui.Verdict) ([]quarantine.File, error) {
	if v.Report == nil {
		return nil, nil
	}
	folder, err := p.Repo.PathOf(p.folder())
	if err != nil {
		return nil, ui.Trouble("", "finding the model in the repository: %w", err)
	}
	signature, err := p.Repo.PathOf(p.Signature)
	if err != nil {
		return nil, ui.Trouble("", "finding the signature in the repository: %w", err)
	}
	var wrong []quarantine.File
	for _, f := range v.Report.Failures() {
		switch f.Status {
		case check.Changed, check.Extra, check.Refused:
		default:
			continue
		}
		detail := f.Detail
		if f.End > 0 && detail == "" {
			detail = fmt.Sprintf("bytes %d-%d", f.Start, f.End)
		}
		wrong = append(wrong, quarantine.File{Path: path.Join(folder, f.Path), Status: string(f.Status), Signature: signature,
			Expected: ui.Digest(v.Report.Algorithm, f.Expected), Found: ui.Digest(v.Report.Algorithm, f.Found), Detail: detail})
	}
	return wrong, nil
}

// Restore puts back what is in quarantine: all of this worktree's, or what args
// name by a quarantine's time or a file's path. Of a file that was put there
// several times the last is first.
func Restore(ctx context.Context, repo *gitrepo.Repository, args []string) (*ui.Restoration, error) {
	all, err := quarantine.All(repo)
	if err != nil && len(args) == 0 {
		return nil, ui.Trouble("", "%w", err)
	}
	slices.Reverse(all)
	wanted, err := namedIn(repo, all, args)
	if err != nil {
		return nil, err
	}
	done := &ui.Restoration{}
	for _, q := range all {
		restored, left, err := q.Restore(ctx, repo, func(f quarantine.File) bool { return wanted(q, f) })
		done.Restored, done.Left = append(done.Restored, restored...), append(done.Left, left...)
		if err != nil {
			return nil, ui.Trouble("", "restoring from quarantine %s: %w", q.ID, err)
		}
	}
	return done, nil
}

// namedIn says which files of quarantines are named by args.
func namedIn(repo *gitrepo.Repository, all []*quarantine.Quarantine, args []string) (func(*quarantine.Quarantine, quarantine.File) bool, error) {
	if len(args) == 0 {
		return func(q *quarantine.Quarantine, _ quarantine.File) bool { return q.Of(repo) }, nil
	}
	times, paths := make(map[string]bool), make(map[string]bool)
	for _, arg := range args {
		if slices.ContainsFunc(all, func(q *quarantine.Quarantine) bool { return q.ID == arg }) {
			times[arg] = true
			continue
		}
		name, err := repo.PathOf(arg)
		if err != nil { // its folder may be gone
			name = path.Join(repo.Prefix, filepath.ToSlash(arg))
		}
		if !slices.ContainsFunc(all, func(q *quarantine.Quarantine) bool { return q.Of(repo) && q.Holds(name) }) {
			return nil, ui.Usage("git model-sign quarantine list", "%s is not in quarantine", ui.Quote(arg))
		}
		paths[name] = true
	}
	return func(q *quarantine.Quarantine, f quarantine.File) bool {
		byPath := q.Of(repo) && paths[f.Path]
		delete(paths, f.Path) // an older one stays
		return byPath || times[q.ID]
	}, nil
}
