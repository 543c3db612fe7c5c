// Package hooks holds the scripts that git runs after it has changed a worktree and before it pushes
// or takes a push, in the form in which internal/hook writes them into a hooks folder. They are for git older than 2.54; newer git
// runs `git model-sign hook` from its configuration and needs no script.
//
// A script is POSIX sh (Git for Windows runs it too) and hands over to the program at once: what
// a hook decides is decided in Go. The lines between the two markers may also stand in somebody
// else's hook, so they neither end that script nor change its exit status when all is well: at its
// end, or at its beginning where git gives the hook something to read that both must get.
package hooks

import (
	"embed"
	"fmt"
)

// Begin and End enclose our lines wherever they stand. A line that starts with Begin goes on
// with what internal/hook wants to know when it takes them out again.
const (
	Begin = "# git-model-sign begin"
	End   = "# git-model-sign end"
)

//go:embed post-checkout post-merge post-rewrite post-index-change pre-push pre-receive
var scripts embed.FS

// Script returns the whole script for a git hook, for example "post-checkout".
func Script(event string) ([]byte, error) {
	b, err := scripts.ReadFile(event)
	if err != nil {
		return nil, fmt.Errorf("no script for the git hook %q", event)
	}
	return b, nil
}
