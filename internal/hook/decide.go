package hook

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Decide says whether the worktree is to be verified after an event. gitDir is the absolute git folder
// of the worktree; in a linked worktree its own. When in doubt the answer is yes.
//
// The error, an [ErrEvent], is for a call that git does not make.
func Decide(event Event, args []string, gitDir string) (run bool, err error) {
	switch event {
	case PostCheckout:
		single := len(args) == 3 && args[2] == "0" // files were checked out, not a commit
		return !single && !rebasing(gitDir), nil
	case PostMerge:
		return !rebasing(gitDir), nil
	case PostRewrite:
		// An amended commit leaves the worktree as it is. At the end of a rebase its state is still there.
		return !slices.Equal(args, []string{"amend"}), nil
	case PostIndexChange, PrePush, PreReceive:
		return false, nil // nothing lands in a worktree
	}
	return false, fmt.Errorf("%w: %q", ErrEvent, event)
}

// rebasing says whether a rebase is under way that git will end with a post-rewrite hook. It
// does so only if a commit was rewritten: a rebase that merely moves forward, or drops every commit, ends
// with the checkout of its base, and that is then the call to verify at.
//
// The merge backend has written down what is left to do before that checkout. The apply backend
// writes its state afterwards, so that a rebase with it is verified twice.
func rebasing(gitDir string) bool {
	if gitDir == "" {
		return false
	}
	if _, err := os.Stat(filepath.Join(gitDir, "rebase-apply", "rebasing")); err == nil {
		return true
	}
	todo, err := os.Open(filepath.Join(gitDir, "rebase-merge", "git-rebase-todo"))
	if err != nil {
		return false
	}
	defer todo.Close()
	for lines := bufio.NewScanner(todo); lines.Scan(); {
		command, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if slices.Contains(rewriting, command) {
			return true
		}
	}
	return false
}

// rewriting are the commands of a rebase that make commits, see git-rebase(1), and their short forms.
var rewriting = []string{"pick", "p", "reword", "r", "edit", "e", "squash", "s", "fixup", "f", "merge", "m"}
