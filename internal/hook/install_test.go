package hook

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// userScript is a hook that somebody has written, to which our lines can be added.
const userScript = "#!/bin/sh\n# exit codes do not matter here\necho mine >>\"$HOME/mine\"\n"

// found are the states in which an installation may find a home folder and a repository, and the scopes to which
// they matter.
var found = []struct {
	name   string
	scopes []Scope
	build  func(h *home, repository string)
}{
	{"nothing", []Scope{Local, Global, System}, func(*home, string) {}},
	{"a configuration", []Scope{Global}, func(h *home, _ string) {
		h.write(filepath.Join(h.dir, ".gitconfig"), "[user]\n\tname = A\n\n# the end\n")
	}},
	{"a configuration in the XDG folder", []Scope{Global}, func(h *home, _ string) {
		h.write(filepath.Join(h.dir, ".config", "git", "config"), "[init]\n\tdefaultBranch = trunk\n")
	}},
	{"an empty configuration", []Scope{Global}, func(h *home, _ string) {
		h.write(filepath.Join(h.dir, ".gitconfig"), "")
	}},
	{"a system configuration", []Scope{System}, func(h *home, _ string) {
		h.write(os.Getenv("GIT_CONFIG_SYSTEM"), "[core]\n\tautocrlf = false\n")
	}},
	{"hooks of the user's own", []Scope{Local}, func(h *home, r string) {
		h.writeMode(filepath.Join(r, ".git", "hooks", "post-checkout"), userScript, 0o750)
		h.writeMode(filepath.Join(r, ".git", "hooks", "post-merge"), strings.TrimSuffix(userScript, "\n"), 0o755)
		h.writeMode(filepath.Join(r, ".git", "hooks", "pre-commit"), "#!/usr/bin/python3\n", 0o755)
	}},
	{"a template folder of the user's own", []Scope{Global, System}, func(h *home, _ string) {
		h.writeMode(filepath.Join(h.dir, "template", "hooks", "post-checkout"), userScript, 0o755)
		h.write(filepath.Join(h.dir, "template", "description"), "x\n")
		h.git(h.root, "config", "--global", "init.templateDir", "~/template")
	}},
	{"an empty template folder", []Scope{Global}, func(h *home, _ string) {
		h.git(h.root, "config", "--global", "init.templateDir", filepath.Join(h.dir, "template"))
		h.write(filepath.Join(h.dir, "template", "description"), "x\n")
	}},
	{"core.hooksPath for all repositories", []Scope{Local, Global, System}, func(h *home, _ string) {
		h.writeMode(filepath.Join(h.dir, "hooks", "post-merge"), userScript, 0o755)
		h.git(h.root, "config", "--global", "core.hooksPath", filepath.Join(h.dir, "hooks"))
	}},
	{"core.hooksPath to a folder that is not there", []Scope{Global}, func(h *home, _ string) {
		h.git(h.root, "config", "--global", "core.hooksPath", filepath.Join(h.dir, "some", "hooks"))
	}},
	{"core.hooksPath of the repository", []Scope{Local, Global}, func(h *home, r string) {
		h.git(r, "config", "core.hooksPath", filepath.Join(h.root, "elsewhere"))
	}},
	{"git-lfs's hooks", []Scope{Local}, func(h *home, r string) {
		for event, text := range h.lfsTexts() {
			h.writeMode(filepath.Join(r, ".git", "hooks", string(event)), string(text)+"\n", 0o755)
		}
	}},
}

// overruled are the states in which scripts for everybody do not run: the user's own setting takes their place.
var overruled = map[string]bool{
	"a template folder of the user's own": true, "an empty template folder": true,
	"core.hooksPath for all repositories": true, "core.hooksPath to a folder that is not there": true,
}

// lfsTexts is git-lfs's text for its hooks, empty where there is no git-lfs.
func (h *home) lfsTexts() map[Event][]byte {
	h.t.Helper()
	texts, err := lfsTexts(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return texts
}

// TestInstallAndUninstall installs in every scope into every state: the second time changes nothing, and uninstall
// leaves what was found.
func TestInstallAndUninstall(t *testing.T) {
	for _, state := range found {
		for _, scope := range state.scopes {
			t.Run(state.name+"/"+string(scope), func(t *testing.T) {
				h := newHome(t)
				repository := h.model("model")
				state.build(h, repository)
				o := h.options(scope, repository)
				before := h.snapshot(false, h.root)
				_, err := Install(t.Context(), o)
				var refused *Error
				if errors.As(err, &refused) {
					if !strings.HasPrefix(state.name, "core.hooksPath") || scope != Local {
						t.Fatalf("refused: %v", err)
					}
					h.same(before, h.snapshot(false, h.root))
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				installed := h.snapshot(true, h.root)
				if again := h.install(o); len(again.Done) > 0 {
					t.Errorf("the second time did something: %q", again.Done)
				}
				h.same(installed, h.snapshot(true, h.root))
				if scope != System || !overruled[state.name] || h.configured() {
					h.verifies(scope, repository)
				}
				if r := h.uninstall(o); len(r.Done) == 0 {
					t.Error("uninstall did nothing")
				}
				h.same(before, h.snapshot(false, h.root))
				if r := h.uninstall(o); len(r.Done) > 0 {
					t.Errorf("the second uninstall did something: %q", r.Done)
				}
			})
		}
	}
}

// verifies expects a call for a new clone, or in the repository, and removes what it has made.
func (h *home) verifies(scope Scope, repository string) {
	h.t.Helper()
	h.calls()
	defer os.Remove(filepath.Join(h.dir, "mine"))
	if scope == Local {
		// Not in the repository itself, whose folders are compared.
		copied := filepath.Join(h.root, "copied")
		if err := os.CopyFS(copied, os.DirFS(repository)); err != nil {
			h.t.Fatal(err)
		}
		defer os.RemoveAll(copied)
		h.git(copied, "checkout", "-q", "-b", "new")
		h.git(copied, "reset", "-q", "--hard")
		h.expect([]string{"post-checkout 1 run"})
		return
	}
	clone := filepath.Join(h.root, "clone")
	defer os.RemoveAll(clone)
	h.git(h.root, "clone", "-q", repository, clone)
	h.expect([]string{"post-checkout 1 run"})
}

// TestInstallKeepsWhatGitGives holds a new repository with our template folder against one without.
func TestInstallKeepsWhatGitGives(t *testing.T) {
	h := newHome(t)
	h.needScripts()
	h.git(h.root, "init", "-q", "without")
	h.install(h.options(Global, ""))
	h.git(h.root, "init", "-q", "with")
	before := h.snapshot(false, filepath.Join(h.root, "without", ".git"))
	after := h.snapshot(false, filepath.Join(h.root, "with", ".git"))
	for path, what := range before {
		path = strings.Replace(path, "without", "with", 1)
		if after[path] != what {
			t.Errorf("%s: got %.80q, want %.80q", path, after[path], what)
		}
		delete(after, path)
	}
	for path := range after {
		if !slices.Contains(scripted(), Event(filepath.Base(path))) {
			t.Errorf("%s is more than git gives", path)
		}
	}
}

// TestUninstallKeepsEdits edits what was installed, in every way that somebody may, and expects the edits to survive.
func TestUninstallKeepsEdits(t *testing.T) {
	t.Run("script", func(t *testing.T) {
		h := newHome(t)
		h.needScripts()
		repository := h.model("model")
		o := h.options(Local, repository)
		hook := filepath.Join(repository, ".git", "hooks", "post-rewrite")
		h.install(o)
		h.writeMode(hook, "#!/bin/sh\necho first\n"+strings.TrimPrefix(h.read(hook), shebang)+"echo last\n", 0o755)
		h.install(o)
		h.uninstall(o)
		if got, want := h.read(hook), "#!/bin/sh\necho first\necho last\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("our lines", func(t *testing.T) {
		h := newHome(t)
		h.needScripts()
		repository := h.model("model")
		o := h.options(Local, repository)
		hook := filepath.Join(repository, ".git", "hooks", "post-merge")
		h.install(o)
		edited := strings.Replace(h.read(hook), " hook post-merge \"$@\"", " hook post-merge \"$@\" # mine", 1)
		h.writeMode(hook, edited, 0o755)
		h.install(o)
		r := h.uninstall(o)
		if got := h.read(hook); got != edited {
			t.Errorf("the edited lines are gone: %q", got)
		}
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "edited by hand") {
			t.Errorf("notes: %q", r.Notes)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(hook), "post-checkout")); err == nil {
			t.Error("the other script is still there")
		}
	})
	t.Run("marks", func(t *testing.T) {
		h := newHome(t)
		h.needScripts()
		repository := h.model("model")
		o := h.options(Local, repository)
		hook := filepath.Join(repository, ".git", "hooks", "post-merge")
		h.install(o)
		edited := strings.Replace(h.read(hook), "# git-model-sign end\n", "", 1)
		h.writeMode(hook, edited, 0o755)
		if _, err := Install(t.Context(), o); err == nil {
			t.Error("installed over edited marks")
		}
		h.uninstall(o)
		if got := h.read(hook); got != edited {
			t.Errorf("the edited script is gone: %q", got)
		}
	})
	t.Run("template folder", func(t *testing.T) {
		h := newHome(t)
		h.needScripts()
		o := h.options(Global, "")
		h.install(o)
		dir := h.git(h.root, "config", "init.templateDir")
		h.writeMode(filepath.Join(dir, "hooks", "pre-commit"), userScript, 0o755)
		r := h.uninstall(o)
		if got := h.git(h.root, "config", "init.templateDir"); got != dir {
			t.Errorf("init.templateDir is %q", got)
		}
		if got := h.read(filepath.Join(dir, "hooks", "pre-commit")); got != userScript {
			t.Errorf("the user's hook is %q", got)
		}
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "hooks/pre-commit") {
			t.Errorf("notes: %q", r.Notes)
		}
		// It is a folder like any other of the user's now.
		h.install(o)
		h.verifies(Global, h.model("model"))
		h.uninstall(o)
		if got := h.read(filepath.Join(dir, "hooks", "pre-commit")); got != userScript {
			t.Errorf("the user's hook is %q", got)
		}
	})
	t.Run("configuration", func(t *testing.T) {
		h := newHome(t)
		o := h.options(Global, "")
		h.install(o)
		config := filepath.Join(h.dir, ".gitconfig")
		h.write(config, h.read(config)+"# mine\n[user]\n\tname = B\n")
		h.uninstall(o)
		got := h.read(config)
		if !strings.HasSuffix(got, "# mine\n[user]\n\tname = B\n") || strings.Contains(got, " = git") || strings.Contains(got, "templateDir") {
			t.Errorf("got %q", got)
		}
	})
}

func TestUninstallKeepsEditedConfiguredHooks(t *testing.T) {
	h := newHome(t)
	if !h.configured() {
		t.Skip("this git has no configured hooks")
	}
	o := h.options(Global, "")
	h.install(o)
	h.git(h.root, "config", "--global", "hook.model-sign-post-merge.command", "nice git model-sign hook post-merge")
	h.git(h.root, "config", "--global", "hook.model-sign-post-checkout.enabled", "true")
	r := h.install(o)
	if len(r.Done) > 0 || len(r.Notes) != 1 {
		t.Errorf("done %q, notes %q", r.Done, r.Notes)
	}
	h.uninstall(o)
	if got := h.git(h.root, "config", "--global", "hook.model-sign-post-merge.command"); got != "nice git model-sign hook post-merge" {
		t.Errorf("the edited command is %q", got)
	}
	if got := h.git(h.root, "config", "--global", "hook.model-sign-post-checkout.enabled"); got != "true" {
		t.Errorf("the user's key is %q", got)
	}
	if out, code := h.tryGit(h.root, "clone", "-q", h.model("model"), "clone"); code != 0 {
		t.Errorf("git does not work any more: %s", out)
	}
}

// TestMigration installs as for an older git, and then for one with configured hooks.
func TestMigration(t *testing.T) {
	for _, scope := range []Scope{Local, Global} {
		t.Run(string(scope), func(t *testing.T) {
			h := newHome(t)
			repository := h.model("model")
			o := h.options(scope, repository)
			before := h.snapshot(false, h.root)
			s, err := newSetup(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.installFolder(t.Context(), onPath); err != nil {
				t.Fatal(err)
			}
			if err := s.installPages(t.Context()); err != nil {
				t.Fatal(err)
			}
			old := h.snapshot(false, h.root)
			clone := filepath.Join(h.root, "old clone")
			h.git(h.root, "clone", "-q", repository, clone)
			if s, err = newSetup(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if err := s.installConfigured(t.Context(), onPath); err != nil {
				t.Fatal(err)
			}
			for path := range h.snapshot(false, h.root) {
				if _, was := old[path]; was && strings.Contains(path, "post-checkout") {
					t.Errorf("%s is still there", path)
				}
			}
			h.calls()
			if h.configured() {
				// A clone from then has scripts, and does not verify twice.
				h.git(clone, "checkout", "-q", "-b", "x")
				want := []string{"post-checkout 1 run"}
				if scope == Local {
					want = nil // neither were there ever scripts, nor is it configured
				}
				h.expect(want)
			}
			os.RemoveAll(clone)
			h.uninstall(o)
			h.same(before, h.snapshot(false, h.root))
		})
	}
}

func TestMissingProgram(t *testing.T) {
	h := newHome(t)
	source := h.source()
	h.install(h.options(Global, ""))
	h.git(h.root, "clone", "-q", source, "model")
	if err := os.Remove(h.executable()); err != nil {
		t.Fatal(err)
	}
	out, code := h.tryGit(h.root, "clone", "-q", source, "clone")
	if code != 1 || !strings.Contains(out, "model-sign") {
		t.Errorf("clone: exit status %d, want 1 and a word about it\n%s", code, out)
	}
	if out, code := h.tryGit(filepath.Join(h.root, "model"), "commit", "-q", "--amend", "-m", "x"); code != 0 {
		t.Errorf("amend: exit status %d\n%s", code, out)
	}
}

func TestExecutableByPath(t *testing.T) {
	for _, name := range []string{"with space", "it's $HOME `x` \"q\"", "é"} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			source := h.source()
			o := h.options(Global, "")
			o.Executable = filepath.Join(h.root, name, "git-model-sign")
			h.place(o.Executable)
			if err := os.Remove(h.executable()); err != nil {
				t.Fatal(err)
			}
			if r := h.install(o); len(r.Hints) == 0 {
				t.Error("no word about PATH")
			}
			h.git(h.root, "clone", "-q", source, "clone")
			h.expect([]string{"post-checkout 1 run"})
			// Another place, and then by its name: both are the same installation.
			for _, next := range []string{filepath.Join(h.root, "moved", "git-model-sign"), h.executable()} {
				o.Executable = next
				h.place(next)
				if r := h.install(o); len(r.Done) == 0 {
					t.Error("the moved program is not in the hooks")
				}
				if r := h.install(o); len(r.Done) > 0 {
					t.Errorf("the second time did something: %q", r.Done)
				}
			}
			h.uninstall(o)
		})
	}
}

func TestRefusedExecutables(t *testing.T) {
	h := newHome(t)
	for _, dir := range []string{"go-build3141592/b001/exe", "go-build/ab/abcd-d"} {
		o := h.options(Global, "")
		o.Executable = filepath.Join(h.root, filepath.FromSlash(dir), "git-model-sign")
		h.place(o.Executable)
		before := h.snapshot(true, h.root)
		_, err := Install(t.Context(), o)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(strings.Join(refused.Hints, ""), "go install") {
			t.Errorf("%s: got %v", dir, err)
		}
		h.same(before, h.snapshot(true, h.root))
	}
	o := h.options(Global, "")
	o.Executable = filepath.Join(h.root, "not there")
	if _, err := Install(t.Context(), o); err == nil {
		t.Error("installed a program that is not there")
	}
}

func TestBadOptions(t *testing.T) {
	h := newHome(t)
	var refused *Error
	if _, err := Install(t.Context(), h.options(Local, h.root)); !errors.As(err, &refused) {
		t.Errorf("local outside of a repository: %v", err)
	}
	if _, err := Install(t.Context(), h.options("worktree", h.root)); !errors.As(err, &refused) {
		t.Errorf("unknown scope: %v", err)
	}
	if _, err := Uninstall(t.Context(), h.options(Local, h.root)); !errors.As(err, &refused) {
		t.Errorf("uninstall outside of a repository: %v", err)
	}
}

// TestReadOnlyConfiguration leaves nothing behind that git would stumble over, and can be done again.
func TestReadOnlyConfiguration(t *testing.T) {
	h := newHome(t)
	source := h.source()
	// A lock that somebody has left: git refuses to write the file.
	h.write(filepath.Join(h.dir, ".gitconfig"), "[user]\n\tname = A\n")
	h.write(filepath.Join(h.dir, ".gitconfig.lock"), "")
	if _, err := Install(t.Context(), h.options(Global, "")); err == nil {
		t.Error("installed in spite of a locked configuration")
	}
	h.git(h.root, "clone", "-q", source, "before")
	os.Remove(filepath.Join(h.dir, ".gitconfig.lock"))
	h.install(h.options(Global, ""))
	h.verifies(Global, source)
}
