package hook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// InstallOptions say what to install or uninstall.
type InstallOptions struct {
	// Scope is Global if empty.
	Scope Scope
	// Server installs the hook of those who receive pushes, and leaves the others as they are. Without it those of
	// clients are installed and, where Local is a bare repository, that of a server too. Uninstall takes out all of them.
	Server bool
	// Dir is a folder of the repository for Local; "" is the current one.
	Dir string
	// Executable is the absolute path of the program that hooks are to call.
	Executable string
	// ManDir is the folder for the manual pages, a man1 folder; "" finds one.
	ManDir string
	// DataDir is where template folders of our own are made; "" is the usual place of each scope.
	DataDir string
}

// setup is one run of Install or Uninstall.
type setup struct {
	InstallOptions
	git        git
	file       configFile
	events     []Event // those to be called for
	configured bool    // git has configured hooks
	result     *Result
}

func newSetup(ctx context.Context, o InstallOptions) (*setup, error) {
	switch o.Scope {
	case "":
		o.Scope = Global
	case Local, Global, System:
	default:
		return nil, refuse("", "unknown scope %q: it is local, global or system", o.Scope)
	}
	s := &setup{InstallOptions: o, events: atClients(), result: &Result{Scope: o.Scope}}
	if o.Server {
		s.events = atServers()
	}
	if o.Scope == Local {
		dir, err := filepath.Abs(o.Dir)
		if err != nil {
			return nil, err
		}
		s.git.dir = dir
	}
	s.file = configFile{git: s.git, scope: o.Scope}
	var err error
	if s.result.Git, s.configured, err = s.git.version(ctx); err != nil {
		return nil, err
	}
	if o.Scope == Local {
		bare, err := s.git.output(ctx, "rev-parse", "--is-bare-repository")
		if err != nil {
			return nil, refuse("go to the repository, or leave out --local", "install for one repository: %w", err)
		}
		if bare == "true" && !o.Server {
			s.events = append(s.events, atServers()...)
		}
	}
	return s, nil
}

// Install has git call the program for the events of a client or a server. Where one hook
// cannot be added nothing is changed, and the error is an [Error] that says what to do.
//
// Where everything is as it has to be nothing is written. Where git has become new enough for
// configured hooks since, they take the place of the scripts.
func Install(ctx context.Context, o InstallOptions) (*Result, error) {
	s, err := newSetup(ctx, o)
	if err != nil {
		return nil, err
	}
	command, err := commandFor(o.Executable)
	if err != nil {
		return nil, err
	}
	if s.configured {
		err = s.installConfigured(ctx, command)
	} else {
		err = s.installFolder(ctx, command)
	}
	if err != nil {
		return nil, err
	}
	if command != onPath {
		s.result.hint("git model-sign works once %s is on PATH", filepath.Dir(o.Executable))
	}
	if err := s.installPages(ctx); err != nil {
		return nil, err
	}
	return s.result, nil
}

// installConfigured installs configured hooks, and takes out scripts from the days of an older git.
func (s *setup) installConfigured(ctx context.Context, command command) error {
	s.result.Mechanism = ConfigHooks
	places, err := s.places(ctx)
	if err != nil {
		return err
	}
	events, scripts := s.events, false
	for _, p := range places {
		there, err := (&folder{path: p.hooks}).remains()
		if err != nil {
			return err
		}
		scripts = scripts || len(there) > 0
		for _, event := range slices.Concat(atClients(), atServers()) {
			// What a script did for a server must not end because a client is installed, or the other way round.
			if slices.Contains(there, event) && !slices.Contains(events, event) {
				events = append(slices.Clip(events), event)
			}
		}
	}
	if err := s.file.installHooks(ctx, command, events, s.result); err != nil || !scripts {
		return err
	}
	// In the order of Uninstall: the pages may lie in folders that were made for the scripts. They are
	// put back afterwards.
	if err := s.uninstallPages(ctx); err != nil {
		return err
	}
	return s.uninstallFolders(ctx)
}

// installFolder installs scripts.
func (s *setup) installFolder(ctx context.Context, command command) error {
	place, err := s.findPlace(ctx)
	if err != nil {
		return err
	}
	s.result.Mechanism = place.mechanism
	f := &folder{path: place.hooks, events: s.events, command: command, worktree: place.worktree}
	if place.project {
		return f.byHand(s.result)
	}
	if f.lfs, err = lfsTexts(ctx); err != nil {
		return err
	}
	changes, clashes, notes, err := f.install()
	if err != nil {
		return err
	}
	if len(clashes) > 0 {
		return refuseClashes(clashes)
	}
	if place.template != nil && !place.template.made {
		if err := place.template.make(ctx, place.inherited); err != nil {
			return err
		}
		s.result.done("made the template folder %s", place.template.path)
	}
	if err := apply(changes, s.result); err != nil {
		return err
	}
	s.result.Notes = append(s.result.Notes, notes...)
	return s.useTemplate(ctx, place)
}

// useTemplate names our own template folder in the configuration.
func (s *setup) useTemplate(ctx context.Context, p *place) error {
	if p.mechanism != TemplateFolder {
		return nil
	}
	if p.template != nil && !p.set {
		if err := s.file.set(ctx, templateKey, filepath.ToSlash(p.template.path)); err != nil {
			return err
		}
		s.result.done("set %s (%s)", templateKey, s.Scope)
	}
	if len(s.result.Done) > 0 {
		s.result.hint("clones that are already there do not change: run git model-sign install --local in them")
	}
	return nil
}

// refuseClashes makes the error for hooks that cannot be added.
func refuseClashes(clashes []clash) error {
	var errs []error
	e := &Error{}
	for _, c := range clashes {
		errs = append(errs, fmt.Errorf("%s is left as it is: it %s", c.path, c.reason))
		e.Hints = append(e.Hints, strings.Split(c.add, "\n")...)
	}
	e.Err = errors.Join(errs...)
	e.Hints = append(e.Hints, "then run git model-sign install again, which sees the line; nothing was changed so far")
	return e
}

// byHand looks for our lines in hooks that are part of a project, which we do not touch.
func (f *folder) byHand(r *Result) error {
	var clashes []clash
	for _, event := range f.events {
		path, reason := filepath.Join(f.path, string(event)), "is part of the project"
		if isHusky(f.path) {
			path, reason = filepath.Join(filepath.Dir(f.path), string(event)), "is where husky looks for this hook"
		}
		content, err := readSmall(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !calls(content, event) {
			clashes = append(clashes, *f.clash(event, path, reason))
		}
	}
	if len(clashes) > 0 {
		return refuseClashes(clashes)
	}
	r.note("the hooks in %s call git-model-sign already; they are part of the project", f.path)
	return nil
}

// Uninstall takes out what Install has written, whatever git was then, and leaves what it found. What was
// edited since stays, and a note says so. Executable may be empty.
func Uninstall(ctx context.Context, o InstallOptions) (*Result, error) {
	s, err := newSetup(ctx, o)
	if err != nil {
		return nil, err
	}
	s.result.Mechanism = ConfigHooks
	if err := s.uninstallPages(ctx); err != nil {
		return nil, err
	}
	if err := s.uninstallFolders(ctx); err != nil {
		return nil, err
	}
	if err := s.file.uninstallHooks(ctx, s.result); err != nil {
		return nil, err
	}
	return s.result, nil
}

// uninstallFolders takes our scripts out of every folder that Install may have chosen.
func (s *setup) uninstallFolders(ctx context.Context) error {
	places, err := s.places(ctx)
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := s.uninstallFolder(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *setup) uninstallFolder(ctx context.Context, p *place) error {
	f := &folder{path: p.hooks}
	changes, folders, notes, err := f.uninstall()
	if err != nil {
		return err
	}
	s.result.Notes = append(s.result.Notes, notes...)
	if len(changes) > 0 {
		s.result.Mechanism = p.mechanism
	}
	if err := apply(changes, s.result); err != nil {
		return err
	}
	removeEmpty(f.path, folders)
	if p.template == nil || !p.template.made {
		return nil
	}
	return s.uninstallTemplate(ctx, p)
}

// uninstallTemplate removes a template folder of ours and its name in the configuration, unless the
// user has put something into it.
func (s *setup) uninstallTemplate(ctx context.Context, p *place) error {
	theirs, err := p.template.foreign()
	if err != nil {
		return err
	}
	if len(theirs) > 0 {
		s.result.note("%s stays: it holds what you have put there: %s", p.template.path, strings.Join(theirs, ", "))
		return p.template.disown()
	}
	if p.set {
		if err := s.file.unset(ctx, "init", "templateDir"); err != nil {
			return err
		}
		s.result.done("took %s out of the configuration (%s)", templateKey, s.Scope)
	}
	if err := p.template.remove(); err != nil {
		return err
	}
	s.result.done("removed the template folder %s", p.template.path)
	return s.file.end(ctx)
}

// RepairOptions say which repository's hooks to mend.
type RepairOptions struct {
	// Dir is a folder of the repository; "" is the current one, as in a hook.
	Dir string
	// Executable is the absolute path of the program that hooks are to call.
	Executable string
}

// Repair is what the hook post-index-change does just before post-checkout and post-merge in a repository
// that has our scripts: it puts our lines back where git-lfs has written over them, and git-lfs's text
// before ours where git-lfs has come, or takes it out where it has gone. What is neither git-lfs's nor ours
// stays as it is.
func Repair(ctx context.Context, o RepairOptions) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	command, err := commandFor(o.Executable)
	if err != nil {
		return err
	}
	path, err := git{dir: dir}.output(ctx, "rev-parse", "--git-path", "hooks")
	if err != nil {
		return err
	}
	if path = filepath.FromSlash(path); !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f := &folder{path: path, events: atClients(), command: command}
	if own, _, err := readScript(filepath.Join(path, string(PostIndexChange))); err != nil || own.ours == nil {
		return err
	}
	if f.lfs, err = lfsTexts(ctx); err != nil {
		return err
	}
	changes, _, _, err := f.install()
	if err != nil {
		return err
	}
	// git-lfs begins with the hook before a push, and stops there where it finds ours without its text.
	came := !callsLFS(filepath.Join(path, string(PrePush)), string(PrePush)) && lfsWorks(ctx, dir)
	var ours []change
	for _, c := range changes {
		if s, info, err := readScript(c.path); err == nil && (info == nil || s.ours != nil || isLFS(eventOf(c.path), s.before)) {
			ours = append(ours, c)
		}
	}
	if err := apply(ours, &Result{}); err != nil {
		return err
	}
	if len(lostLFS(path)) > 0 || came && callsLFS(filepath.Join(path, string(PrePush)), string(PrePush)) {
		// It stopped at a script of ours that it could not take for its own.
		_, err = git{dir: dir}.output(ctx, "lfs", "update")
	}
	return err
}

// eventOf is the event of a script.
func eventOf(path string) Event {
	return Event(strings.TrimSuffix(filepath.Base(path), preCommitSuffix))
}

// folderExists says whether path is a folder, or a link to one.
func folderExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
