package ui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// identity describes a Sigstore signer without the time of signing.
func identity(s *verify.Signer) string {
	return verify.Identity{ID: s.Identity, Issuer: s.Issuer}.String()
}

// UnknownSigner says who has signed what, and that nothing is known of them.
func UnknownSigner(s *verify.Signer, url string) string {
	return fmt.Sprintf("signed by %s, who is not known for %s", identity(s), url)
}

// AcceptHowTo is the command that pins the signer which a repository has now.
func AcceptHowTo(top, signature string) string {
	return "git -C " + ShellQuote(top) + " model-sign trust accept " + ShellQuote(signature)
}

// AddHowTo is the command that pins a signer of whom nothing is known yet. An empty
// signature is the usual one.
func AddHowTo(url, signature string, s *verify.Signer) string {
	add := "git model-sign trust add " + ShellQuote(url) + " --identity " + ShellQuote(s.Identity) + " --identity-provider " + ShellQuote(s.Issuer)
	if signature != "" {
		add += " --signature " + ShellQuote(signature)
	}
	return add
}

// RemoveHowTo is the command that forgets a pinned signer.
func RemoveHowTo(url, signature string) string {
	return "git model-sign trust remove " + ShellQuote(url) + " --signature " + ShellQuote(signature)
}

// OwnConfigHowTo tells how to have the configuration count that a repository without a
// worktree has, in the worktree of another one.
func OwnConfigHowTo(gitDir string) string {
	return "if it is yours, name it: git -C " + ShellQuote(gitDir) + " --git-dir=. model-sign ...; else clone it, or put it elsewhere"
}

// CanConfirm says whether there is a terminal to ask a question on, and whether
// git may ask there.
func CanConfirm() bool {
	if os.Getenv("GIT_TERMINAL_PROMPT") == "0" {
		return false
	}
	tty, err := openTerminal()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// ConfirmSigner asks on the terminal, whatever the standard streams are, whether
// the signer of a signature is to be believed from now on, or this time only where he is
// not to be pinned. Everything but "y" and "yes" is no.
func ConfirmSigner(ctx context.Context, v *Verdict) (bool, error) {
	tty, err := openTerminal()
	if err != nil {
		return false, err
	}
	defer tty.Close()
	when := "from now on"
	if v.Unpinnable != "" {
		when = "this time"
	}
	fmt.Fprintf(tty.out, "%s is %s.\nBelieve this signer for it %s? [y/N]: ", escape(Quote(v.Signature)), escape(UnknownSigner(v.Signer, v.URL)), when)
	type reply struct {
		text string
		err  error
	}
	read := make(chan reply, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(tty.in, maxReply)).ReadString('\n')
		read <- reply{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return false, r.err
		}
		answer := strings.ToLower(strings.TrimSpace(r.text))
		return answer == "y" || answer == "yes", nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// maxReply bounds the answer to a question, in bytes.
const maxReply = 1 << 10

// NotChecked says why nothing was found out about a signature, which is no
// failure: nobody had said whom to believe.
func (t *Terminal) NotChecked(v *Verdict) {
	t.Note("%s: %s: not checked", Quote(v.Signature), oneLine(errorText(v.Err)))
	t.hints(v.Err)
}

// pinned tells of a signer who is believed from now on.
func (t *Terminal) pinned(v *Verdict) {
	switch {
	case v.Pinned:
		t.Note("pinned %s as the signer of %s from %s", identity(v.Signer), Quote(v.Signature), v.URL)
	case v.Unpinnable != "" && v.TrustedBy == ByFirstUse:
		t.Note("nobody was pinned as the signer of %s from %s: %s", Quote(v.Signature), v.URL, oneLine(v.Unpinnable))
	case v.NotPinned != nil:
		t.Warn("the signer could not be pinned, and will be as new the next time: %s", oneLine(errorText(v.NotPinned)))
	}
	for _, beside := range v.Beside {
		t.pinned(beside)
	}
}
