package tree

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// CheckSignable tells why the tree cannot be signed as it is, file by file, and
// what should be known before it is. It reads no large file. For a tree that is
// no worktree repo may be nil.
//
// For uncommitted changes it asks git, which believes its stat cache; what that
// hides comes out in CompareCommitted.
func (t *Tree) CheckSignable(ctx context.Context, repo *gitrepo.Repository) (refusals, warnings []Problem, err error) {
	refusals = slices.Clone(t.Problems)
	warnings = slices.Clone(t.Warnings)
	if !utf8.ValidString(t.Name) {
		refusals = append(refusals, Problem{Err: fmt.Errorf("model's %w: %q", ErrNotUTF8, t.Name), Hint: "a signature holds it: rename the folder"})
	}
	if t.Worktree {
		c := &signable{tree: t, repo: repo, refused: make(map[string]bool)}
		for _, p := range refusals {
			c.refused[p.Path] = true
		}
		c.absent()
		if err := c.links(ctx); err != nil {
			return nil, nil, err
		}
		if err := c.changes(ctx); err != nil {
			return nil, nil, err
		}
		c.notDownloaded()
		if err := c.signatureFilter(ctx); err != nil {
			return nil, nil, err
		}
		refusals, warnings = append(refusals, c.refusals...), append(warnings, c.warnings...)
	}
	if len(refusals) == 0 {
		refusals = t.Empty()
	}
	sortProblems(refusals)
	return refusals, warnings, nil
}

// Empty is the refusal of a model without files, and nothing for any other.
func (t *Tree) Empty() []Problem {
	if len(t.Files) > 0 {
		return nil
	}
	if len(t.Uncommitted) > 0 {
		return []Problem{{Err: fmt.Errorf("%w that are committed", ErrEmpty), Hint: "git commit the files of the model first"}}
	}
	if len(t.Untracked) > 0 {
		return []Problem{{Err: fmt.Errorf("%w that git tracks", ErrEmpty), Hint: "git add the files of the model and commit them"}}
	}
	return []Problem{{Err: ErrEmpty}}
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
}

// signable is one run of CheckSignable on a worktree.
type signable struct {
	tree               *Tree
	repo               *gitrepo.Repository
	refusals, warnings []Problem
	refused            map[string]bool // one cause for a path is enough
	targets            map[string]linkTarget
}

func (c *signable) refuse(path string, err error, hint string) {
	if !c.refused[path] {
		c.refused[path] = true
		c.refusals = append(c.refusals, Problem{Path: path, Err: err, Hint: hint})
	}
}

// absent refuses tracked files that are not here.
func (c *signable) absent() {
	for _, path := range c.tree.Missing {
		c.refuse(path, ErrMissing, "git checkout, or git rm and commit, the files that are gone")
	}
	for _, path := range c.tree.Sparse {
		c.refuse(path, fmt.Errorf("%w: the sparse checkout leaves it out", ErrMissing), "git sparse-checkout disable")
	}
}

// notDownloaded refuses pointers in the place of content.
func (c *signable) notDownloaded() {
	for _, f := range c.tree.Files {
		if f.Kind == Pointer && !f.Promised {
			c.refuse(f.Path, ErrNotDownloaded, hintPull+", or sign from the pointers with --promised")
		}
	}
}

// links refuses symbolic links that lead to a file here, and to none in a clone:
// they are followed in HEAD alone.
func (c *signable) links(ctx context.Context) (err error) {
	if c.targets, err = c.tree.linkTargets(ctx, c.repo); err != nil {
		return err
	}
	for _, f := range c.tree.Files {
		if err := c.targets[f.Path].err; err != nil {
			c.refuse(f.Path, err, hintLink)
		}
	}
	return nil
}

// changes refuses what differs from HEAD in the model, or where its links lead. A
// change of attributes, also above those, is a warning: the files were written by
// other rules than another clone will have.
func (c *signable) changes(ctx context.Context) error {
	above, leadOut := attributesAbove(c.tree.RepoPath), false
	links := make(map[string][]string) // by what they lead to
	for link, target := range c.targets {
		if target.err == nil {
			links[target.Path] = append(links[target.Path], link)
			above = append(above, attributesAbove(target.Path)...)
			leadOut = leadOut || !gitrepo.IsUnder(target.Path, c.tree.RepoPath)
		}
	}
	slices.Sort(above)
	above = slices.Compact(above)
	under := append(slices.Clone(above), c.tree.RepoPath)
	if leadOut {
		under = nil // they may be more than fit on a command line
	}
	changes, err := c.repo.Changes(ctx, under...)
	if err != nil {
		return err
	}
	model := make(map[string]string, len(c.tree.Files))
	for _, f := range c.tree.Files {
		model[f.RepoPath] = f.Path
	}
	for _, change := range changes {
		for _, link := range links[change.Path] {
			c.refuse(link, c.tree.behindLink(c.targets[link], describeChange(change.Kind)), hintCommit)
		}
		file, isFile := model[change.Path]
		switch {
		case change.Path == c.tree.signature:
		case slices.Contains(c.tree.Uncommitted, c.tree.inModel(change.Path)): // left out already
		case isFile:
			c.refuse(file, describeChange(change.Kind), hintCommit)
		case slices.Contains(above, change.Path), path.Base(change.Path) == attributesFile && gitrepo.IsUnder(change.Path, c.tree.RepoPath):
			c.warnings = append(c.warnings, Problem{Path: c.tree.inModel(change.Path), Err: fmt.Errorf("%w: another clone will use other attributes", ErrUncommitted)})
		case change.Kind&gitrepo.Untracked != 0 || !c.tree.holds(change.Path):
		default:
			// It is in HEAD and no longer in the index, or only meant to be added.
			c.refuse(c.tree.inModel(change.Path), describeChange(change.Kind), hintCommit)
		}
	}
	return nil
}

const (
	attributesFile = ".gitattributes"
	hintCommit     = "commit or undo the changes first"
)

// describeChange says what about a file is not committed.
func describeChange(kind gitrepo.ChangeKind) error {
	switch {
	case kind&gitrepo.Unmerged != 0:
		return ErrUnmerged
	case kind&gitrepo.IntentToAdd != 0:
		return fmt.Errorf("%w: it was never committed", ErrUncommitted)
	case kind&(gitrepo.Staged|gitrepo.Deleted) == gitrepo.Staged|gitrepo.Deleted:
		return fmt.Errorf("%w: its removal is staged", ErrUncommitted)
	case kind&gitrepo.Unstaged == 0:
		return fmt.Errorf("%w: they are staged", ErrUncommitted)
	}
	return ErrUncommitted
}

// attributesAbove returns the attribute files that hold for a path in the
// repository and lie above it.
func attributesAbove(repoPath string) []string {
	var files []string
	for dir := repoPath; dir != ""; {
		dir = parent(dir)
		files = append(files, join(dir, attributesFile))
	}
	return files
}

// signatureFilter refuses a signature that git would hand to a filter: with LFS,
// the commit would hold a pointer to a signature.
func (c *signable) signatureFilter(ctx context.Context) error {
	signature := c.tree.signature
	if signature == "" {
		return nil
	}
	attributes, err := c.repo.Attributes(ctx, []string{signature}, "filter")
	if err != nil {
		return err
	}
	filter := attributes[signature]["filter"]
	if filter == "" || filter == gitrepo.AttrUnset {
		return nil
	}
	hint := "add a line to .gitattributes and commit it: " + attributesPattern(signature) + " !filter !diff !merge !text"
	c.refuse(c.tree.inModel(signature), fmt.Errorf("%w: filter=%s", ErrSignatureLFS, filter), hint)
	return nil
}

// attributesPattern writes a path, relative to the worktree, as a pattern for
// itself only at the top of a .gitattributes file.
func attributesPattern(name string) string {
	pattern := "/" + strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
	if strings.ContainsAny(pattern, " \t\r\n\"") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(pattern) + `"`
	}
	return pattern
}
