package hook

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// Decide says whether the worktree is to be verified after an event. gitDir is the absolute git folder
// of the worktree; in a linked worktree its own. When in doubt the answer is yes.
//
// The error, an [ErrEvent], is for a call that git does not make.
func Decide(event Event, args []string, gitDir string) (run bool, err error) {
	switch event {
	case PostCheckout:
		single := len(args) == 3 && args[2] == "0" // files were checked out, not a commit
		return !single && !beginsRebase(args, gitDir), nil
	case PostMerge:
		return true, nil
	case PostRewrite:
		// An amended commit leaves the worktree as it is. At the end of a rebase its state is still there.
		return !slices.Equal(args, []string{"amend"}), nil
	case PostIndexChange, PrePush, PreReceive:
		return false, nil // nothing lands in a worktree
	}
	return false, fmt.Errorf("%w: %q", ErrEvent, event)
}

// maxRebaseState bounds the files in which git keeps how far a rebase is, in bytes.
const maxRebaseState = 4 << 20

// beginsRebase says whether a checkout is that of the base of a rebase which git will end with a
// post-rewrite hook. It does so only if a commit was rewritten: a rebase that merely moves forward, or drops
// every commit, ends with the checkout of its base, and that is then the call to verify at.
//
// The merge backend has written down the base and what is left to do before that checkout, and counts in
// msgnum from the first command on: a checkout after that is the user's, in a rebase that has stopped, or one
// of its commands. Commits at the beginning that stay as they are it passes over before, and checks out the
// last of them. The apply backend writes its state afterwards, so that a rebase with it is verified twice.
func beginsRebase(args []string, gitDir string) bool {
	if gitDir == "" || len(args) != 3 {
		return false
	}
	state := filepath.Join(gitDir, "rebase-merge")
	if _, err := os.Lstat(filepath.Join(state, "msgnum")); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	onto, err := bounded.ReadRegular(filepath.Join(state, "onto"), maxRebaseState)
	if err != nil || strings.TrimSpace(string(onto)) != args[1] && lastDone(state) != args[1] {
		return false
	}
	todo, err := os.Open(filepath.Join(state, "git-rebase-todo"))
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

// lastDone is the commit of the last command that is done, "" if there is none.
func lastDone(state string) string {
	done, err := bounded.ReadRegular(filepath.Join(state, "done"), maxRebaseState)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(done)), "\n")
	if words := strings.Fields(lines[len(lines)-1]); len(words) > 1 {
		return words[1]
	}
	return ""
}

// rewriting are the commands of a rebase that make commits, see git-rebase(1), and their short forms.
var rewriting = []string{"pick", "p", "reword", "r", "edit", "e", "squash", "s", "fixup", "f", "merge", "m"}
