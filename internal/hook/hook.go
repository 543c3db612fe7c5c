// Package hook has git call git-model-sign when a clone, a checkout, a merge or a rebase ends and before
// a push is sent or taken, and says what such a call means.
//
// There are two ways to be called. Git 2.54 and newer run hooks that are named in the configuration
// (config.go); they stand beside every other hook and nothing can clash. Older git runs one script
// an event from a hooks folder (folder.go): that of a repository, the one that core.hooksPath names, or
// that of the template folder from which git fills new clones (template.go). There we live with
// git-lfs, which insists on its own text (lfs.go), and with whatever else the user has there.
//
// The package changes only what it has written itself: it adds marked lines and takes the same lines out
// again, refuses where it cannot do that, and never moves or replaces anything of the user's. What
// it needs to know later stands in the marks; nothing is recorded elsewhere. It verifies nothing.
package hook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Event is a hook of git's, see githooks(5).
type Event string

// The events that git-model-sign is called for.
const (
	PostCheckout Event = "post-checkout" // clone, checkout, switch, worktree add, submodule update
	PostMerge    Event = "post-merge"    // merge, pull
	PostRewrite  Event = "post-rewrite"  // the end of a rebase; also commit --amend, which is nothing to us
	PrePush      Event = "pre-push"      // push, before anything is sent
	PreReceive   Event = "pre-receive"   // where a push arrives, before any ref is changed
	// PostIndexChange is called for no verification but for [Repair], from a hooks folder only.
	PostIndexChange Event = "post-index-change"
)

// atClients are the events of those who clone, work and push; atServers those of where pushes arrive.
func atClients() []Event { return []Event{PostCheckout, PostMerge, PostRewrite, PrePush} }

func atServers() []Event { return []Event{PreReceive} }

// reads says whether git gives the hook something to read, which must be given on to whatever stands in
// the same script.
func (e Event) reads() bool { return e == PrePush || e == PreReceive }

// Scope is the configuration scope that an installation belongs to, as git config names it.
type Scope string

// The scopes of an installation.
const (
	Local  Scope = "local"  // one repository
	Global Scope = "global" // everything that the user clones
	System Scope = "system" // everything that anybody on this machine clones
)

// ErrEvent says that an event is none that git-model-sign is called for.
var ErrEvent = errors.New("not an event that git-model-sign is installed for")

// Error is what keeps an installation from being changed. It is a matter of configuration: nothing was
// written, and the user can do something about it.
type Error struct {
	Err error
	// Hints are what the user can do, commands and lines to add among them, a line each.
	Hints []string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its hints.
func (e *Error) Unwrap() error { return e.Err }

// refuse makes an Error. A hint may have several lines; an empty one is none.
func refuse(hint, format string, args ...any) error {
	e := &Error{Err: fmt.Errorf(format, args...)}
	if hint != "" {
		e.Hints = strings.Split(hint, "\n")
	}
	return e
}

// Result is what Install or Uninstall did.
type Result struct {
	Scope     Scope
	Git       string    // git's version, for example "2.39.5"
	Mechanism Mechanism // how git calls us now
	// Done lists what was changed, a line each. Where it is empty everything was as it had to be.
	Done []string
	// Notes list what was left as it is although one might expect otherwise, and why.
	Notes []string
	// Hints say what the user may want to do now.
	Hints []string
}

func (r *Result) done(format string, args ...any) {
	r.Done = append(r.Done, fmt.Sprintf(format, args...))
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Result) hint(format string, args ...any) {
	if h := fmt.Sprintf(format, args...); !slices.Contains(r.Hints, h) {
		r.Hints = append(r.Hints, h)
	}
}

// Mechanism is how git comes to call git-model-sign.
type Mechanism string

// The mechanisms.
const (
	ConfigHooks    Mechanism = "configured hooks" // hook.<name>.command, git 2.54 and newer
	HooksFolder    Mechanism = "hooks folder"     // of a repository, or the one that core.hooksPath names
	TemplateFolder Mechanism = "template folder"  // init.templateDir
)
