package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// configFile is the configuration of one scope, as `git config --global` and its like write it.
type configFile struct {
	git   git
	scope Scope
}

// firstLine begins a configuration file that was made by us. Where nothing else is left in it, it goes again.
const firstLine = "# This file was made by git model-sign install.\n"

// notSet is git config's exit code for taking out what is not there.
const notSet = 5

// hookName is the name of a configured hook. All scopes use the same, so that git runs it once.
func hookName(event Event) string { return "model-sign-" + string(event) }

func (c configFile) config(ctx context.Context, args ...string) (string, error) {
	return c.git.output(ctx, append([]string{"config", "--" + string(c.scope)}, args...)...)
}

// get reads a value of this file alone, not of those that it includes.
func (c configFile) get(ctx context.Context, key string, options ...string) (string, bool, error) {
	return c.git.get(ctx, key, append([]string{"--" + string(c.scope), "--no-includes"}, options...)...)
}

// set sets a key to one value.
func (c configFile) set(ctx context.Context, key, value string) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	_, err := c.config(ctx, "--replace-all", key, value)
	return err
}

// begin makes a file that is not there yet, so that its first line says whose it is.
func (c configFile) begin(ctx context.Context) error {
	path, err := c.path(ctx)
	if err != nil || path == "" {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil // it is there, or git will say why it cannot be
	}
	_, err = file.WriteString(firstLine)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// end removes a file that has nothing but our first line in it.
func (c configFile) end(ctx context.Context) error {
	path, err := c.path(ctx)
	if err != nil || path == "" {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != firstLine {
		return nil
	}
	return os.Remove(path)
}

// path is the file that git writes for the scope, "" for a repository's, which is always there.
func (c configFile) path(ctx context.Context) (string, error) {
	switch c.scope {
	case Local:
		return "", nil
	case System:
		// Only an editor is told where the file is.
		g := c.git
		g.env = append(os.Environ(), "GIT_EDITOR=echo")
		path, err := g.output(ctx, "config", "--system", "--edit")
		if err != nil || !filepath.IsAbs(filepath.FromSlash(path)) {
			return "", nil
		}
		return filepath.FromSlash(path), nil
	}
	if path := os.Getenv("GIT_CONFIG_GLOBAL"); path != "" {
		return path, nil
	}
	home := os.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", err
		}
	}
	usual := filepath.Join(home, ".gitconfig")
	if _, err := os.Stat(usual); errors.Is(err, fs.ErrNotExist) {
		xdg := os.Getenv("XDG_CONFIG_HOME")
		if xdg == "" {
			xdg = filepath.Join(home, ".config")
		}
		if other := filepath.Join(xdg, "git", "config"); isFile(other) {
			return other, nil
		}
	}
	return usual, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// installHooks configures a hook for each of the events.
func (c configFile) installHooks(ctx context.Context, command command, events []Event, r *Result) error {
	for _, event := range events {
		name, want := "hook."+hookName(event), command.line(event)
		line, set, err := c.get(ctx, name+".command")
		if err != nil {
			return err
		}
		events, _, err := c.get(ctx, name+".event")
		if err != nil {
			return err
		}
		switch {
		case set && !ourLine.MatchString(line):
			r.note("%s.command was edited, and is left as it is: %s", name, line)
			continue
		case line == want && events == string(event):
			continue
		}
		// An event without a command makes every git command fail, so the command comes first.
		if err := c.set(ctx, name+".command", want); err != nil {
			return err
		}
		if err := c.set(ctx, name+".event", string(event)); err != nil {
			return err
		}
		r.done("configured %s (%s)", name, c.scope)
	}
	return nil
}

// uninstallHooks takes the configured hooks out again.
func (c configFile) uninstallHooks(ctx context.Context, r *Result) error {
	for _, event := range slices.Concat(atClients(), atServers()) {
		name := "hook." + hookName(event)
		line, set, err := c.get(ctx, name+".command")
		if err != nil {
			return err
		}
		if !set {
			continue
		}
		if !ourLine.MatchString(line) {
			r.note("%s.command was edited, and is left as it is: %s", name, line)
			continue
		}
		// The event goes first: it must not be without a command.
		if err := c.unset(ctx, name, "event", "command"); err != nil {
			return err
		}
		r.done("took %s out of the configuration (%s)", name, c.scope)
	}
	return c.end(ctx)
}

// unset takes keys out of a section, in their order, and the section if nothing else is in it. The last
// key is set.
func (c configFile) unset(ctx context.Context, section string, keys ...string) error {
	last := strings.ToLower(section + "." + keys[len(keys)-1])
	origin, err := c.config(ctx, "-z", "--no-includes", "--show-origin", "--get-regexp", "^"+regexp.QuoteMeta(last)+"$")
	if err != nil {
		return err
	}
	file, _, _ := strings.Cut(strings.TrimPrefix(origin, "file:"), "\x00")
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.git.dir, file)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if onlyKeys(content, section, keys) {
		_, err := c.config(ctx, "--remove-section", section)
		return err
	}
	for _, key := range keys {
		_, err := c.config(ctx, "--unset-all", section+"."+key)
		var failed *gitError
		if err != nil && !(errors.As(err, &failed) && failed.code == notSet) {
			return err
		}
	}
	return nil
}

// onlyKeys says whether a section stands once in a configuration file, in the form in which git writes
// it, with nothing but the keys in it and not so much as a comment.
func onlyKeys(content []byte, section string, keys []string) bool {
	header := "[" + section + "]"
	if name, sub, ok := strings.Cut(section, "."); ok {
		header = fmt.Sprintf("[%s %q]", name, sub)
	}
	if bytes.Count(content, []byte(header)) != 1 {
		return false
	}
	_, rest, _ := bytes.Cut(content, []byte(header))
	found := 0
	for line := range bytes.Lines(rest) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			break
		}
		key, _, _ := strings.Cut(text, " = ")
		for _, k := range keys {
			if strings.EqualFold(key, k) {
				found++
				text = ""
			}
		}
		if text != "" {
			return false
		}
	}
	return found == len(keys)
}
