package tree

import (
	"context"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// linkTarget is the file that a symbolic link of a worktree leads to in HEAD, or
// why it leads to none there.
type linkTarget struct {
	gitrepo.Entry
	err error
}

// linkTargets follows the symbolic links among the files of a worktree in HEAD
// alone, as that is what a clone will have. They are by the links' File.Path; where
// nothing is committed yet there are none.
func (t *Tree) linkTargets(ctx context.Context, repo *gitrepo.Repository) (map[string]linkTarget, error) {
	var links []File
	for _, f := range t.Files {
		if f.BlobID == "" {
			links = append(links, f)
		}
	}
	if len(links) == 0 {
		return nil, nil
	}
	head, err := repo.HeadCommit(ctx)
	if err != nil || head == "" {
		return nil, err
	}
	snapshot, err := repo.Snapshot(ctx, head)
	if err != nil {
		return nil, err
	}
	committed := &objects{ctx: ctx, repo: repo, snapshot: snapshot, listing: &listing{tree: t}}
	texts, err := committed.linkTexts(ctx)
	if err != nil {
		return nil, err
	}
	targets := make(map[string]linkTarget, len(links))
	for _, f := range links {
		e, err := committed.follow(f.RepoPath, texts)
		if err == nil && e.Path == t.signature {
			err = fmt.Errorf("%w to the signature, which is no part of the model", ErrSymlink)
		}
		targets[f.Path] = linkTarget{e, err}
	}
	return targets, nil
}

// hintLink says what to do about a link that no clone could follow.
const hintLink = "have it lead, by a relative path, to a file that git tracks; or put the file in its place, and commit"

// behindLink says of a link what is the matter with the file that it leads to.
func (t *Tree) behindLink(target linkTarget, err error) error {
	return fmt.Errorf("%w to %s, which %w", ErrSymlink, t.inModel(target.Path), err)
}
