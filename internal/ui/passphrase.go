package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// passphraseVariable is the environment variable that a passphrase is taken
// from where nobody can be asked.
const passphraseVariable = "MODELSIGN_PASSPHRASE"

// pinVariable is the same for the PIN of a security token.
const pinVariable = "MODELSIGN_PIN"

// ErrNoTerminal says that a passphrase is needed and there is nobody to ask.
var ErrNoTerminal = errors.New("no terminal to ask for the passphrase on, and " + passphraseVariable + " is not set")

// ErrNoPIN says that a PIN is needed and there is nobody to ask.
var ErrNoPIN = errors.New("no terminal to ask for the PIN on, and " + pinVariable + " is not set")

// Passphrase takes a passphrase from MODELSIGN_PASSPHRASE, or asks for it on
// the terminal, whatever the standard streams are. The variable is taken out of
// the environment, so that no program that is started later sees it.
func Passphrase(ctx context.Context, prompt string) ([]byte, error) {
	answers, err := ask(ctx, passphraseVariable, prompt)
	if err != nil {
		return nil, err
	}
	return answers[0], nil
}

// PIN is Passphrase for the PIN of a security token, and takes it from MODELSIGN_PIN. Where a wrong one would lock the
// token, as the last try, it is asked for in any case.
func PIN(ctx context.Context, prompt string, last bool) ([]byte, error) {
	variable := pinVariable
	if last {
		os.Unsetenv(variable)
	}
	answers, err := ask(ctx, variable, prompt)
	if errors.Is(err, ErrNoTerminal) {
		return nil, ErrNoPIN
	}
	if err != nil {
		return nil, err
	}
	return answers[0], nil
}

// Keypad says that a token asks for its PIN itself. It waits for that, so --quiet does not leave it out.
func (t *Terminal) Keypad(label string) {
	t.line(t.Err, "token %s asks for its PIN on its own keypad", Quote(label))
}

// NewPassphrase is Passphrase for a passphrase that is made up now, and asks for
// it twice.
func NewPassphrase(ctx context.Context, prompt string) ([]byte, error) {
	answers, err := ask(ctx, passphraseVariable, prompt, "Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(answers[0], answers[len(answers)-1]) {
		return nil, errors.New("the two passphrases differ")
	}
	return answers[0], nil
}

// ask gets an answer to each prompt, or the one that the environment holds.
func ask(ctx context.Context, variable string, prompts ...string) ([][]byte, error) {
	if s := os.Getenv(variable); s != "" {
		os.Unsetenv(variable)
		return [][]byte{[]byte(s)}, nil
	}
	tty, err := openTerminal()
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.Close()
	var answers [][]byte
	for _, prompt := range prompts {
		answer, err := tty.ask(ctx, prompt)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// terminal is the one that controls the process, whatever the standard streams are.
type terminal struct{ in, out *os.File }

func (t *terminal) Close() {
	t.in.Close()
	t.out.Close()
}

// ask shows the prompt and reads a line that is not echoed. Where ctx ends
// first, the terminal is left as it was found.
func (t *terminal) ask(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(t.out, prompt)
	defer fmt.Fprintln(t.out)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
