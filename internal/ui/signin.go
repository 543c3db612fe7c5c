package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// Attended says whether somebody sees what is written to stderr.
func Attended() bool { return term.IsTerminal(int(os.Stderr.Fd())) }

// SigningAs says whom a signature will name, before it is logged. As that cannot be taken back, --quiet does not leave it out.
func (t *Terminal) SigningAs(identity, issuer, instance string) {
	t.line(t.Err, "signing as %s via %s; %s will log this publicly and for ever", Quote(identity), Quote(issuer), instance)
}

// MaybeLogged is the hint for who does not know whether a signature that failed was logged.
const MaybeLogged = "the log may have the signature all the same, which does no harm; to sign again logs another"

// SignIn is how somebody is asked to sign in. What it writes is needed, so --quiet does not leave it out.
type SignIn struct{ *Terminal }

// Browse says that a browser was opened at a URL, or where none could be, that somebody has to do that.
func (s SignIn) Browse(url string, opened bool) {
	if opened {
		s.line(s.Err, "sign in with the browser that opens now; if none does, with one on this machine at")
	} else {
		s.line(s.Err, "no browser could be opened: sign in with one on this machine at")
	}
	s.line(s.Err, "  %s", url)
}

// Enter says at which URL a code is to be entered.
func (s SignIn) Enter(url, code string) {
	s.line(s.Err, "sign in with a browser on any machine at")
	s.line(s.Err, "  %s", url)
	s.line(s.Err, "where the code is %s", code)
}

// Paste asks for the code that a browser shows once somebody has signed in at a URL. It is not echoed.
func (s SignIn) Paste(ctx context.Context, url string) (string, error) {
	s.line(s.Err, "sign in with a browser on any machine at")
	s.line(s.Err, "  %s", url)
	tty, err := openTerminal()
	if err != nil {
		return "", errors.New("no terminal to ask for the code on")
	}
	defer tty.Close()
	code, err := tty.ask(ctx, "Code that it shows (not echoed): ")
	if err != nil {
		return "", fmt.Errorf("asking for the code: %w", err)
	}
	return strings.TrimSpace(string(code)), nil
}
