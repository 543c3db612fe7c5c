package ui

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// passphraseVariable is the environment variable that a passphrase is taken
// from where nobody can be asked.
const passphraseVariable = "MODELSIGN_PASSPHRASE"

// ErrNoTerminal says that a passphrase is needed and there is nobody to ask.
var ErrNoTerminal = errors.New("no terminal to ask for the passphrase on, and " + passphraseVariable + " is not set")

// Passphrase takes a passphrase from MODELSIGN_PASSPHRASE, or asks for it on
// the terminal, whatever the standard streams are.
func Passphrase(prompt string) ([]byte, error) {
	if s := os.Getenv(passphraseVariable); s != "" {
		return []byte(s), nil
	}
	tty, err := openTerminal()
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.Close()
	return tty.ask(prompt)
}

// NewPassphrase asks for a passphrase twice, or takes it from
// MODELSIGN_PASSPHRASE.
func NewPassphrase(prompt string) ([]byte, error) {
	if s := os.Getenv(passphraseVariable); s != "" {
		return []byte(s), nil
	}
	tty, err := openTerminal()
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.Close()
	first, err := tty.ask(prompt)
	if err != nil {
		return nil, err
	}
	second, err := tty.ask("Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passphrases differ")
	}
	return first, nil
}

// terminal is the one that controls the process, whatever the standard streams are.
type terminal struct{ in, out *os.File }

func (t *terminal) Close() {
	t.in.Close()
	t.out.Close()
}

// ask shows the prompt and reads a line that is not echoed.
func (t *terminal) ask(prompt string) ([]byte, error) {
	fmt.Fprint(t.out, prompt)
	b, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(t.out)
	return b, err
}
