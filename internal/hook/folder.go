package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// folder is a folder of hooks, one script an event.
type folder struct {
	path string // absolute
	// events are those to be called for. Our lines for others are left as they are.
	events []Event
	// command calls the program; lfs is git-lfs's text for its events, empty where there is no git-lfs.
	command command
	lfs     map[Event][]byte
	// worktree is the repository's, where lefthook keeps its configuration; "" where there is none.
	worktree string
}

// scripted are the events that have a script in a hooks folder. The last only mends the
// others, and is left out where somebody uses it already.
func scripted() []Event { return slices.Concat(atClients(), atServers(), []Event{PostIndexChange}) }

// maxScript bounds what is read of a hook, in bytes. Nobody's hook is longer.
const maxScript = 1 << 20

// change is one file that is to be written, or removed where content is nil.
type change struct {
	path    string
	content []byte
	perm    fs.FileMode
	what    string // for the user
}

// clash is a hook that we do not touch, and what the user can do about it.
type clash struct {
	event  Event
	path   string
	reason string
	add    string // what to add, and where
}

// line is what a user adds to a hook of their own.
func (f *folder) line(event Event) string { return f.command.line(event) + ` "$@"` }

// install works out what is to be written so that every event calls us. It writes nothing.
func (f *folder) install() (changes []change, clashes []clash, notes []string, err error) {
	folders := missing(f.path)
	for _, event := range f.events {
		c, bad, err := f.installOne(event, folders)
		switch {
		case err != nil:
			return nil, nil, nil, err
		case bad != nil:
			clashes = append(clashes, *bad)
		case c != nil:
			changes = append(changes, *c)
		}
	}
	ours, err := f.remains()
	if err != nil || !slices.Contains(f.events, PostCheckout) || len(ours) == 0 && len(changes) == 0 {
		return changes, clashes, nil, err // nothing that git-lfs has too, or all lines were added by hand: nothing can be mended
	}
	c, bad, err := f.installOne(PostIndexChange, folders)
	switch {
	case bad != nil:
		notes = append(notes, fmt.Sprintf("%s %s: left alone, so what git-lfs writes over is not mended by itself", bad.path, bad.reason))
	case c != nil:
		changes = append(changes, *c)
	}
	return changes, clashes, notes, err
}

// installOne works out one script.
func (f *folder) installOne(event Event, folders int) (*change, *clash, error) {
	path := filepath.Join(f.path, string(event))
	s, info, err := readScript(path)
	if err == nil && info != nil && s.ours == nil && isPreCommit(s.before) {
		// pre-commit runs what was there before it under another name; that may as well be ours.
		path += preCommitSuffix
		s, info, err = readScript(path)
	}
	switch {
	case errors.Is(err, errMarks):
		return nil, f.clash(event, path, "has lines of git-model-sign that were edited by hand"), nil
	case err != nil:
		return nil, nil, err
	case info == nil:
		c, err := f.create(event, path, folders)
		return c, nil, err
	case !info.Mode().IsRegular():
		return nil, f.clash(event, path, "is not a regular file"), nil
	case s.ours != nil:
		c, err := f.refresh(event, path, s, info)
		return c, nil, err
	case calls(s.before, event):
		return nil, nil, nil
	case !executable(info):
		return nil, f.clash(event, path, "is not executable, so git does not run it"), nil
	}
	reason := ""
	if !isLFS(event, s.before) {
		reason = unfit(event, s.before)
	}
	if isLefthook(s.before) {
		if lefthookCalls(f.worktree, event) {
			return nil, nil, nil
		}
		reason = "belongs to lefthook, which writes it anew"
	}
	if reason != "" {
		return nil, f.clash(event, path, reason), nil
	}
	c, err := f.add(event, path, s, info)
	return c, nil, err
}

// create makes a script where there is none.
func (f *folder) create(event Event, path string, folders int) (*change, error) {
	s, err := f.fresh(event)
	if err != nil {
		return nil, err
	}
	s.ours.folders = folders
	return &change{path: path, content: s.bytes(), perm: 0o777, what: "wrote " + path}, nil
}

// fresh is a script of our own.
func (f *folder) fresh(event Event) (*script, error) {
	text, ok := f.lfs[event]
	b, err := body(event, f.command, ok)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &script{before: []byte(shebang), ours: &lines{origin: newPlain, body: b}}, nil
	}
	return besideLFS(event, append(bytes.TrimSpace(text), '\n'), newLFS, b), nil
}

// besideLFS puts our lines behind git-lfs's text.
func besideLFS(event Event, text []byte, o origin, body []byte) *script {
	l := &lines{origin: o, body: body}
	if !event.reads() {
		l.pad, l.newline = padFor(text), !bytes.HasSuffix(text, []byte("\n"))
		return &script{before: text, ours: l}
	}
	call := bytes.TrimRight(text, " \t\r\n")
	l.pad, l.noRefs = padFor(call), true
	return &script{before: call, after: text[len(call):], ours: l}
}

// add puts our lines into somebody's script: at its end, or at its beginning where they give on what they read.
func (f *folder) add(event Event, path string, s *script, info fs.FileInfo) (*change, error) {
	lfs := isLFS(event, s.before)
	b, err := body(event, f.command, lfs)
	if err != nil {
		return nil, err
	}
	switch {
	case lfs:
		s = besideLFS(event, s.before, added, b)
	case event.reads():
		first := bytes.IndexByte(s.before, '\n') + 1
		s.before, s.after = s.before[:first:first], s.before[first:]
		s.ours = &lines{origin: added, body: b}
	default:
		s.ours = &lines{origin: added, body: b, newline: !bytes.HasSuffix(s.before, []byte("\n"))}
	}
	return &change{path: path, content: s.bytes(), perm: info.Mode().Perm(), what: "added our lines to " + path}, nil
}

// refresh brings our lines in a script up to date. What was edited by hand stays as it is.
func (f *folder) refresh(event Event, path string, s *script, info fs.FileInfo) (*change, error) {
	if s.ours.edited {
		return nil, nil
	}
	old, perm := s.bytes(), info.Mode().Perm()
	if s.pristine(event) && !f.keepsLFS(event, s) {
		anew, err := f.fresh(event)
		if err != nil {
			return nil, err
		}
		anew.ours.folders = s.ours.folders
		s, perm = anew, perm|0o111
	}
	b, err := body(event, f.command, isLFS(event, s.before))
	if err != nil {
		return nil, err
	}
	s.ours.body = b
	if now := s.bytes(); !bytes.Equal(now, old) || perm != info.Mode().Perm() {
		return &change{path: path, content: now, perm: perm, what: "brought " + path + " up to date"}, nil
	}
	return nil, nil
}

// keepsLFS says that a script of ours must go on with git-lfs's text although there is no git-lfs:
// its other hooks are there, so somebody means to have it.
func (f *folder) keepsLFS(event Event, s *script) bool {
	_, now := f.lfs[event]
	return s.ours.origin == newLFS && !now && lfsAtHome(f.path)
}

// clash makes a clash with a script.
func (f *folder) clash(event Event, path, reason string) *clash {
	c := &clash{event: event, path: path, reason: reason}
	if strings.Contains(reason, "lefthook") {
		c.add = "add to lefthook.yml:\n" + lefthookLines(f.command, event)
		return c
	}
	c.add = "add to " + path + ", before anything that may end it:\n  " + f.line(event)
	return c
}

// uninstall works out what is to be written so that nothing of ours is left. It writes nothing. The
// number is that of the levels of folders that were made for the scripts.
func (f *folder) uninstall() (changes []change, folders int, notes []string, err error) {
	for _, event := range scripted() {
		for _, suffix := range []string{"", preCommitSuffix, lefthookSuffix} {
			path := filepath.Join(f.path, string(event)+suffix)
			s, info, err := readScript(path)
			if errors.Is(err, errMarks) || err == nil && s.ours != nil && s.ours.edited {
				notes = append(notes, fmt.Sprintf("%s: the lines of git-model-sign were edited by hand; take them out by hand as well", path))
				continue
			}
			if err != nil {
				return nil, 0, nil, err
			}
			if s.ours == nil {
				continue
			}
			folders = max(folders, s.ours.folders)
			changes = append(changes, f.takeOut(event, path, s, info))
		}
	}
	return changes, folders, notes, nil
}

// takeOut takes our lines out of a script, and removes it if nothing else is in it.
func (f *folder) takeOut(event Event, path string, s *script, info fs.FileInfo) change {
	if s.pristine(event) && !(s.ours.origin == newLFS && lfsAtHome(f.path)) {
		return change{path: path, what: "removed " + path}
	}
	return change{path: path, content: s.rest(), perm: info.Mode().Perm(), what: "took our lines out of " + path}
}

// remains lists the events for which anything of ours is in the folder.
func (f *folder) remains() ([]Event, error) {
	var found []Event
	for _, event := range scripted() {
		for _, suffix := range []string{"", preCommitSuffix, lefthookSuffix} {
			s, _, err := readScript(filepath.Join(f.path, string(event)+suffix))
			if err != nil && !errors.Is(err, errMarks) {
				return nil, err
			}
			if (err != nil || s.ours != nil) && !slices.Contains(found, event) {
				found = append(found, event)
			}
		}
	}
	return found, nil
}

// apply makes changes. Each file is written whole or not at all.
func apply(changes []change, r *Result) error {
	for _, c := range changes {
		var err error
		if c.content == nil {
			err = os.Remove(c.path)
		} else {
			err = replace(c.path, c.content, c.perm)
		}
		if err != nil {
			return err
		}
		r.Done = append(r.Done, c.what)
	}
	return nil
}

// replace writes a file and its folder. A new file gets the permissions that the user's umask leaves of perm.
func replace(path string, content []byte, perm fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return durable.WriteFileMode(path, content, perm)
	}
	return durable.WriteFile(path, content, perm)
}

// readScript reads and parses a hook. There is no FileInfo, and an empty script, where there is no file, and an empty
// script for what is not a regular file.
func readScript(path string) (*script, fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &script{}, nil, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return &script{}, info, err
	}
	content, err := readSmall(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := parse(content)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, info, nil
}

// readSmall reads a file of at most maxScript bytes.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxScript+1))
	if err == nil && len(content) > maxScript {
		err = fmt.Errorf("%s: longer than %d bytes, which no hook is", path, maxScript)
	}
	return content, err
}

// missing counts the levels of folders that have to be made for path to be one.
func missing(path string) int {
	n := 0
	for {
		if _, err := os.Lstat(path); err == nil || path == filepath.Dir(path) {
			return n
		}
		n, path = n+1, filepath.Dir(path)
	}
}

// removeEmpty removes path and the folders that hold it, as many levels as given, up to the first that
// is not empty.
func removeEmpty(path string, levels int) {
	for ; levels > 0 && os.Remove(path) == nil; levels-- {
		path = filepath.Dir(path)
	}
}
