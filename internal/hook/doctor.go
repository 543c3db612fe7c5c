package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// DoctorOptions say what Doctor looks at.
type DoctorOptions struct {
	// Dir is the folder whose repository is looked at, if it is in one; "" is the current one.
	Dir string
	// Executable is the absolute path of the program that hooks are to call.
	Executable string
	// DataDir is where template folders of our own are, as for Install.
	DataDir string
	// Configuration is what is wrong with the keys of git config modelsign.*, nil if nothing is.
	Configuration error
	// ConfigurationHint says what to do about it.
	ConfigurationHint string
	// RequiresOfNobody says that signatures are required and no signer is named, and
	// NoPins that none can be pinned either.
	RequiresOfNobody, NoPins bool
}

// State says how a check came out.
type State string

// The states of a check.
const (
	OK   State = "ok"
	Warn State = "warning" // it works, but not as somebody may expect
	Fail State = "failed"  // models are not verified
)

// Check is one thing that was looked at.
type Check struct {
	Name   string
	State  State
	Detail string // what was found
	Hint   string // what to do, "" if nothing
}

// Doctor says whether models are verified, and what is in the way. It ends with the proof: a signed scratch
// repository is cloned with the configuration as it is, and again with a changed file, and pushed. Everything
// happens in a temporary folder that is removed; nothing of the user's is changed. The error is for what keeps it from looking at all.
func Doctor(ctx context.Context, o DoctorOptions) ([]Check, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	d := &doctor{DoctorOptions: o, git: git{dir: dir}}
	if err := d.checkGit(ctx); err != nil {
		return nil, err
	}
	for _, check := range []func(context.Context) error{d.checkProgram, d.checkHooks, d.checkLFS, d.checkTrust, d.checkManual} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case d.command == command{}:
	case len(d.installed)+len(d.servers) == 0:
		d.add("clone", Fail, "git does not call git-model-sign, so nothing is verified", "git model-sign install")
	default:
		return d.checks, d.prove(ctx)
	}
	return d.checks, nil
}

// doctor is one run of Doctor.
type doctor struct {
	DoctorOptions
	git        git
	configured bool    // git has configured hooks
	command    command // zero if hooks cannot call the program
	lfs        string  // git-lfs's version, "" if it is not there
	installed  []Scope // where the hooks of a client are
	servers    []Scope // where that of a server is
	checks     []Check
}

func (d *doctor) add(name string, state State, detail, hint string) {
	d.checks = append(d.checks, Check{Name: name, State: state, Detail: detail, Hint: hint})
}

func (d *doctor) checkGit(ctx context.Context) error {
	version, configured, err := d.git.version(ctx)
	if err != nil {
		return err
	}
	d.configured = configured
	how := "hooks are scripts, copied into each clone"
	if configured {
		how = "hooks are in the configuration"
	}
	d.add("git", OK, version+", where "+how, "")
	return nil
}

// checkProgram looks for what `git model-sign` runs.
func (d *doctor) checkProgram(context.Context) error {
	command, err := commandFor(d.Executable)
	var refused *Error
	if errors.As(err, &refused) {
		d.add("program", Fail, err.Error(), strings.Join(refused.Hints, "\n"))
		return nil
	}
	if err != nil {
		return err
	}
	d.command = command
	if command == onPath {
		d.add("program", OK, "git model-sign runs "+d.Executable, "")
		return nil
	}
	detail := "git-model-sign is not on PATH, so git model-sign does not run it"
	if other, err := exec.LookPath(onPath.word); err == nil {
		detail = fmt.Sprintf("git model-sign runs %s, and this is %s", other, d.Executable)
	}
	d.add("program", Warn, detail, "add "+filepath.Dir(d.Executable)+" to PATH")
	return nil
}

// checkHooks looks at every scope.
func (d *doctor) checkHooks(ctx context.Context) error {
	for _, scope := range []Scope{System, Global, Local} {
		s, err := newSetup(ctx, InstallOptions{Scope: scope, Dir: d.Dir, Executable: d.Executable, DataDir: d.DataDir})
		var refused *Error
		if errors.As(err, &refused) {
			continue // not in a repository
		}
		if err != nil {
			return err
		}
		there, c, err := d.checkEvents(ctx, s, atClients(), "git calls git-model-sign after a checkout, a merge and a rebase, and before a push")
		if err != nil {
			return err
		}
		if there {
			d.installed = append(d.installed, scope)
		}
		if received, _, err := d.checkEvents(ctx, s, atServers(), "git calls git-model-sign for what is pushed to here"); err != nil {
			return err
		} else if received {
			d.servers = append(d.servers, scope)
		}
		if scope == Local && !there && c.State == "" && !d.configured && len(d.installed) > 0 {
			d.add("hooks (local)", Warn, "this repository is older than the installation and has no hooks", "git model-sign install --local")
		}
	}
	if name := os.Getenv("GIT_TEMPLATE_DIR"); name != "" && !d.configured {
		d.add("hooks", Warn, "GIT_TEMPLATE_DIR is set to "+name+", and git takes the hooks of new clones from there", "unset GIT_TEMPLATE_DIR")
	}
	return nil
}

// checkEvents looks for the hooks of a client or a server in one scope. What is said if all is well is fine.
func (d *doctor) checkEvents(ctx context.Context, s *setup, events []Event, fine string) (there bool, c Check, err error) {
	s.events = events
	look := s.lookAtFolder
	if d.configured {
		look = s.lookAtConfig
	}
	there, c, err = look(ctx, d.command)
	if err != nil {
		return false, c, err
	}
	name := "hooks"
	if slices.Equal(events, atServers()) {
		if !there {
			return false, Check{}, nil // nobody has to have them
		}
		name = "received pushes"
	}
	if c.State == "" && there {
		c = Check{State: OK, Detail: fine}
	}
	if c.State != "" {
		d.add(name+" ("+string(s.Scope)+")", c.State, c.Detail, c.Hint)
	}
	return there, c, nil
}

// again is the command that puts what is in a scope right.
func (s *setup) again() string {
	command := "git model-sign install --" + string(s.Scope)
	if slices.Equal(s.events, atServers()) {
		command += " --server"
	}
	return command
}

// lookAtConfig looks for configured hooks.
func (s *setup) lookAtConfig(ctx context.Context, c command) (there bool, found Check, err error) {
	var gaps []string
	for _, event := range s.events {
		name := "hook." + hookName(event)
		line, set, err := s.file.get(ctx, name+".command")
		if err != nil {
			return false, Check{}, err
		}
		enabled, switched, err := s.file.get(ctx, name+".enabled", "--type=bool")
		if err != nil {
			return false, Check{}, err
		}
		switch {
		case set && switched && enabled == "false":
			return true, Check{State: Fail, Detail: name + ".enabled is false", Hint: "git config --" + string(s.Scope) + " --unset " + name + ".enabled"}, nil
		case set && line != c.line(event):
			gaps = append(gaps, name+".command is "+line)
		case !set:
			gaps = append(gaps, name+" is not configured")
		}
		there = there || set
	}
	if there && len(gaps) > 0 {
		found = Check{State: Warn, Detail: strings.Join(gaps, "; "), Hint: s.again()}
	}
	return there, found, nil
}

// lookAtFolder looks for scripts, and whether Install would change anything about them.
func (s *setup) lookAtFolder(ctx context.Context, c command) (there bool, found Check, err error) {
	if c, err := s.overruled(ctx); err != nil || c.State != "" {
		return false, c, err
	}
	p, err := s.findPlace(ctx)
	var refused *Error
	if errors.As(err, &refused) {
		return false, Check{State: Warn, Detail: err.Error(), Hint: strings.Join(refused.Hints, "\n")}, nil
	}
	if err != nil {
		return false, Check{}, err
	}
	f := &folder{path: p.hooks, events: s.events, command: c, worktree: p.worktree}
	if p.project {
		err := f.byHand(s.result)
		if errors.As(err, &refused) {
			return false, Check{State: Warn, Detail: err.Error(), Hint: strings.Join(refused.Hints, "\n")}, nil
		}
		return err == nil, Check{}, err
	}
	ours, err := f.remains()
	if err != nil {
		return false, Check{}, err
	}
	there = slices.ContainsFunc(ours, func(e Event) bool { return slices.Contains(s.events, e) })
	if f.lfs, err = lfsTexts(ctx); err != nil {
		return false, Check{}, err
	}
	changes, clashes, _, err := f.install()
	if err != nil {
		return false, Check{}, err
	}
	if !there {
		// Lines that were added by hand are not marked; they are there where nothing is left to do for an event.
		there = len(changes)+len(clashes) < len(s.events)
	}
	switch unnamed := p.template != nil && !p.set; {
	case !there:
	case unnamed:
		found = Check{State: Warn, Detail: p.template.path + " is there, but " + templateKey + " does not name it", Hint: s.again()}
	case len(clashes) > 0:
		found = Check{State: Warn, Detail: clashes[0].path + " " + clashes[0].reason, Hint: clashes[0].add}
	case len(changes) > 0:
		found = Check{State: Warn, Detail: changes[0].path + " is not as it has to be, for this program and this git-lfs", Hint: s.again()}
	}
	return there, found, nil
}

// overruled says whether what is installed for everybody is without effect for this user.
func (s *setup) overruled(ctx context.Context) (Check, error) {
	if s.Scope != System {
		return Check{}, nil
	}
	for _, key := range []string{hooksPathKey, templateKey} {
		value, set, err := s.outside(ctx, key, Global)
		if err != nil {
			return Check{}, err
		}
		t, err := openTemplate(filepath.FromSlash(value))
		if err != nil {
			return Check{}, err
		}
		if set && !t.made {
			return Check{State: Warn, Detail: key + " is " + value + " for you, so git does not see what is installed for everybody",
				Hint: "git model-sign install --global"}, nil
		}
	}
	return Check{}, nil
}

// checkLFS looks for git-lfs, and whether it has all of its hooks in the repository.
func (d *doctor) checkLFS(ctx context.Context) error {
	version, err := d.git.output(ctx, "lfs", "version")
	if err != nil {
		d.add("git-lfs", OK, "not installed; models that keep their weights in it need it", "")
		return ctx.Err()
	}
	d.lfs, _, _ = strings.Cut(version, " ")
	path, err := d.git.output(ctx, "rev-parse", "--git-path", "hooks")
	if err == nil {
		if path = filepath.FromSlash(path); !filepath.IsAbs(path) {
			path = filepath.Join(d.Dir, path)
		}
		if lost := lostLFS(path); len(lost) > 0 {
			d.add("git-lfs", Warn, fmt.Sprintf("%s: hooks are missing in this repository: %s", d.lfs, strings.Join(lost, ", ")), "git lfs update")
			return nil
		}
	}
	d.add("git-lfs", OK, d.lfs, "")
	return nil
}

// lostLFS lists the hooks of git-lfs that are missing in a folder that has others of them.
func lostLFS(folder string) []string {
	if !lfsAtHome(folder) {
		return nil
	}
	return slices.DeleteFunc([]string{"pre-push", "post-checkout", "post-commit", "post-merge"}, func(event string) bool {
		return callsLFS(filepath.Join(folder, event), event) || callsLFS(filepath.Join(folder, event+preCommitSuffix), event)
	})
}

// callsLFS says whether a script calls git-lfs for an event, as it does itself or by hand.
func callsLFS(path, event string) bool {
	content, err := readSmall(path)
	return err == nil && strings.Contains(string(content), "git lfs "+event)
}

// What there is to say where signatures are required and no signer is named, and what
// to do about it.
const (
	RefusesPushes = "modelsign.require is true, and no signer is named: every push to here is refused, as nobody is pinned where pushes arrive"
	NameSigner    = "git config modelsign.publicKey FILE, or modelsign.identity and modelsign.identityProvider"
)

// checkTrust looks for anything that says whom to believe.
func (d *doctor) checkTrust(ctx context.Context) error {
	if d.Configuration != nil {
		d.add("configuration", Fail, d.Configuration.Error(), d.ConfigurationHint)
	}
	switch {
	case d.RequiresOfNobody && len(d.servers) > 0:
		d.add("require", Warn, RefusesPushes, NameSigner)
	case d.RequiresOfNobody && d.NoPins && len(d.installed) > 0:
		d.add("require", Warn, "modelsign.require is true, modelsign.firstUse is off, and no signer is named: every model is refused", NameSigner)
	}
	out, err := d.git.output(ctx, "config", "--name-only", "--get-regexp", `^modelsign\.(.*\.)?(publickey|certificatechain|identity|identityregexp)$`)
	var failed *gitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	names := slices.Compact(slices.Sorted(slices.Values(strings.Fields(out))))
	if err != nil || len(names) == 0 {
		d.add("trust", Warn, "no signer is named: a repository's first Sigstore signer is pinned, and other signatures are not verified",
			"git config --global modelsign.publicKey FILE, or modelsign.identity and modelsign.identityProvider; by repository: modelsign.<url>.publicKey")
		return nil
	}
	d.add("trust", OK, strings.Join(names, ", "), "")
	return nil
}

// checkManual looks for the manual page.
func (d *doctor) checkManual(ctx context.Context) error {
	switch path, ok := pageFound(ctx); {
	case !ok:
		d.add("manual", Warn, "the program man is not installed", "git model-sign -h prints a summary")
	case path == "":
		d.add("manual", Warn, "man does not find git-model-sign(1), which git model-sign --help opens", "git model-sign install --global")
	default:
		d.add("manual", OK, path, "")
	}
	return ctx.Err()
}
