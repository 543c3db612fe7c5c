package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// committable is the error of a signature that git would not commit.
func (p *Place) committable(ctx context.Context, signature string, o SignOptions) error {
	err := p.Repo.CheckCommittable(ctx, signature, o.Amend)
	hint := "finish it first, or use --no-commit"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gitrepo.ErrNoIdentity):
		hint = "git config user.name and user.email say who commits; or use --no-commit"
	case errors.Is(err, gitrepo.ErrOverlooked):
		name := ui.ShellQuote(displayPath(p.Signature))
		hint = "git update-index --no-skip-worktree " + name + " && git update-index --no-assume-unchanged " + name + " takes that back; or use --no-commit"
	}
	return ui.Trouble(hint, "committing the signature: %w", err)
}

// commit commits the signature file alone, by its path in the repository.
func (p *Place) commit(ctx context.Context, signature string, done *ui.Signing, o SignOptions) error {
	text, err := p.message(ctx, done, o)
	if err != nil {
		return err
	}
	made, err := p.Repo.CommitFile(ctx, gitrepo.CommitOptions{
		Path: signature, Message: text, Amend: o.Amend,
		Stdin: o.Input, Stderr: o.Output,
		Stdout: io.Discard, // git's summary: what was committed is told by the caller
	})
	switch {
	case errors.Is(err, gitrepo.ErrNothingToCommit):
		return nil
	case err != nil:
		name := ui.ShellQuote(displayPath(p.Signature))
		return ui.Trouble(fmt.Sprintf("the signature is written and complete; commit it when that is mended: git add -f -- %s && git commit -- %s", name, name),
			"committing the signature: %w", err)
	}
	done.Commit = made.Short
	return nil
}

// message is the user's commit message, or one that says what was signed and by
// whom, with what the user's commit.template asks for. A commit that is amended
// keeps its own.
func (p *Place) message(ctx context.Context, done *ui.Signing, o SignOptions) (string, error) {
	switch {
	case o.Message != "" && done.Promised > 0:
		return withNote(o.Message, promisedNote(done.Promised)), nil
	case o.Amend && o.Message == "" && done.Promised > 0:
		old, err := p.Repo.HeadMessage(ctx)
		if err != nil {
			return "", ui.Trouble("the signature is written and complete; commit it when that is mended", "%w", err)
		}
		if text := withNote(old, promisedNote(done.Promised)); text != old {
			return text, nil
		}
		return "", nil
	case o.Message != "" || o.Amend:
		return o.Message, nil
	}
	template, err := p.Repo.CommitTemplate(ctx)
	if err != nil {
		return "", ui.Trouble("the signature is written and complete; commit it when that is mended", "%w", err)
	}
	root := done.Manifest.RootDigest()
	text := fmt.Sprintf("Sign model: %s, %s\n\nSigner: %s\nRoot digest: sha256:%x\n",
		ui.Plural(done.Files, "file"), ui.Size(done.Bytes), done.Signer, root)
	if done.Promised > 0 {
		text += "\n" + promisedNote(done.Promised) + "\n"
	}
	if template != "" {
		text += "\n" + template
	}
	return text, nil
}

// promisedNote says in a commit message what was not read.
func promisedNote(n int) string {
	return ui.TakenFromPointers(n) + "."
}

// promisedNotes are those of earlier signatures, each with the empty line before it.
var promisedNotes = regexp.MustCompile(`(?m)\n*^\d+ files? (was|were) taken from (its|their) LFS pointers? and not read\.$`)

// trailers are the lines at the end of a message that programs read.
var trailers = regexp.MustCompile(`\n\n([A-Za-z0-9-]+: [^\n]*\n?)([A-Za-z0-9-]+: [^\n]*\n?|[ \t][^\n]*\n?)*$`)

// withNote is a commit message with a note in place of earlier ones, before its trailers.
func withNote(message, note string) string {
	message = promisedNotes.ReplaceAllString(message, "")
	at := len(message)
	if found := trailers.FindStringIndex(message); found != nil {
		at = found[0]
	}
	return message[:at] + "\n\n" + note + message[at:]
}
