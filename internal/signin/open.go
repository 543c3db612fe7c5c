package signin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/secretenv"
)

// errNoBrowser says that no program which opens browsers did.
var errNoBrowser = errors.New("no browser could be opened")

// browser is what opens a URL here; nil where there is no browser, or it would open on another machine than the one that
// somebody sits at.
func (f *flow) browser() func(url string) error {
	env := f.Environment.Getenv
	if list := env("BROWSER"); list != "" {
		return func(url string) error { return openAny(filepath.SplitList(list), url) }
	}
	if env("SSH_CONNECTION") != "" || env("SSH_TTY") != "" {
		return nil
	}
	opener := f.opener()
	if opener == nil {
		return nil
	}
	return func(url string) error { return start(append(opener, url)) }
}

// openAny starts the first of several commands that starts, as BROWSER lists them like PATH does: "%s" stands for the URL, which
// otherwise comes last. A program's path may have spaces in it. No shell looks at them.
func openAny(commands []string, url string) error {
	for _, command := range commands {
		args := strings.Fields(command)
		if len(args) == 0 {
			continue
		}
		if _, err := exec.LookPath(command); err == nil {
			args = []string{command}
		}
		placed := false
		for i, arg := range args[1:] {
			if strings.Contains(arg, "%s") {
				args[i+1], placed = strings.ReplaceAll(arg, "%s", url), true
			}
		}
		if !placed {
			args = append(args, url)
		}
		if start(args) == nil {
			return nil
		}
	}
	return errNoBrowser
}

// start starts a program and leaves it running: what is typed here, such as an interrupt, does not reach it. Our secrets are not
// for it.
func start(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = secretenv.Without(os.Environ())
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return errNoBrowser
	}
	go cmd.Wait()
	return nil
}
