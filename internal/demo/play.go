package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
)

// A play runs what the scenes tell it to, until something is not as expected: then err says what, and nothing more is run.
type play struct {
	ctx              context.Context
	out              io.Writer
	dir              string
	maintainer, user *home.Home

	home   *home.Home // whose turn it is
	folder string     // where they are
	said   string     // what the last command printed
	err    error
}

// turn hands over to somebody, in their folder.
func (p *play) turn(h *home.Home, text string) {
	p.home, p.folder = h, h.Dir
	p.tell(text)
}

// tell prints a line of explanation.
func (p *play) tell(text string) {
	if p.err == nil {
		fmt.Fprintf(p.out, "\n# %s\n", text)
	}
}

func (p *play) cd(folder string) {
	if p.err == nil {
		fmt.Fprintf(p.out, "$ cd %s\n", folder)
		p.folder = filepath.Join(p.folder, folder)
	}
}

// run runs a command that must succeed. Its output is shown as it comes.
func (p *play) run(args ...string) {
	p.exits(0, args...)
}

// exits runs a command that must end with this exit status.
func (p *play) exits(status int, args ...string) {
	if p.err != nil {
		return
	}
	fmt.Fprintf(p.out, "$ %s\n", line(args))
	var said bytes.Buffer
	// Leading NAME=VALUE words are for the environment, as in a shell.
	var env []string
	for strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := p.home.Command(p.ctx, p.folder, args[0], args[1:]...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout = io.MultiWriter(p.out, &said)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	p.said = said.String()
	exit := (*exec.ExitError)(nil)
	switch {
	case p.ctx.Err() != nil:
		p.err = errors.New("interrupted")
	case err != nil && !errors.As(err, &exit):
		p.err = err
	case cmd.ProcessState.ExitCode() != status:
		p.err = fmt.Errorf("%s: exit status %d, expected %d", line(args), cmd.ProcessState.ExitCode(), status)
	case status != 0:
		fmt.Fprintf(p.out, "# exit status %d\n", status)
	}
}

// expect wants the last command to have said something.
func (p *play) expect(texts ...string) {
	for _, text := range texts {
		if p.err == nil && !strings.Contains(p.said, text) {
			p.err = fmt.Errorf("expected the last command to say %q", text)
		}
	}
}

// expectNot wants the last command not to have said something.
func (p *play) expectNot(text string) {
	if p.err == nil && strings.Contains(p.said, text) {
		p.err = fmt.Errorf("expected the last command not to say %q", text)
	}
}

// maxShown is the size in bytes up to which the content of a file is shown as it is written.
const maxShown = 200

// write lays a file down where the play is.
func (p *play) write(name string, content []byte) {
	if p.err != nil {
		return
	}
	if len(content) <= maxShown {
		fmt.Fprintf(p.out, "$ echo '%s' > %s\n", bytes.TrimSpace(content), name)
	} else {
		fmt.Fprintf(p.out, "# (%s is written: %d MiB of random weights)\n", name, len(content)>>20)
	}
	file := filepath.Join(p.folder, filepath.FromSlash(name))
	if p.err = os.MkdirAll(filepath.Dir(file), 0o777); p.err == nil {
		p.err = os.WriteFile(file, content, 0o666)
	}
}

// remove takes away a file where the play is.
func (p *play) remove(name string) {
	if p.err == nil {
		fmt.Fprintf(p.out, "$ rm %s\n", name)
		p.err = os.Remove(filepath.Join(p.folder, name))
	}
}

// line shows a command as it would be typed.
func line(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " *'\"\\$") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
