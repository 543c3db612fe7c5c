package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// examine runs Doctor, which must not change anything, and returns the checks by name.
func (h *home) examine(dir string) map[string]Check {
	h.t.Helper()
	tmp := filepath.Join(h.root, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.t.Setenv("TMPDIR", tmp)
	h.t.Setenv("STANDIN_CALLS", "")
	before := h.snapshot(false, h.root)
	checks, err := Doctor(h.t.Context(), DoctorOptions{Dir: dir, Executable: h.executable(), DataDir: filepath.Join(h.root, "data")})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Setenv("STANDIN_CALLS", h.log)
	h.same(before, h.snapshot(false, h.root))
	byName := make(map[string]Check)
	for _, c := range checks {
		h.t.Logf("%s: %s: %s (%s)", c.Name, c.State, c.Detail, c.Hint)
		if _, twice := byName[c.Name]; twice {
			h.t.Errorf("%s is checked twice", c.Name)
		}
		byName[c.Name] = c
	}
	return byName
}

func TestDoctor(t *testing.T) {
	tests := []struct {
		name  string
		build func(h *home, repository string)
		check string
		state State
		text  string // a part of detail and hint
	}{
		{"all is well", func(h *home, r string) { h.install(h.options(Global, r)) }, "clone", OK, "stand-in: verified"},
		{"a change is seen", func(h *home, r string) { h.install(h.options(Global, r)) }, "tampering", OK, "not as signed"},
		{"for one repository", func(h *home, r string) { h.install(h.options(Local, r)) }, "tampering", OK, "not as signed"},
		{"for everybody", func(h *home, r string) { h.install(h.options(System, r)) }, "tampering", OK, "not as signed"},
		{"not installed", func(*home, string) {}, "clone", Fail, "git model-sign install"},
		{"no trust", func(h *home, r string) { h.install(h.options(Global, r)) }, "trust", Warn, "modelsign.publicKey"},
		{"trust", func(h *home, r string) {
			h.install(h.options(Global, r))
			h.git(r, "config", "--global", "modelsign.https://example.com/.identity", "x")
		}, "trust", OK, "modelsign.https://example.com/.identity"},
		{"a program that never complains", func(h *home, r string) {
			h.install(h.options(Global, r))
			h.t.Setenv("STANDIN_EXIT", "0")
		}, "clone", Fail, "without a word"},
		{"a program that always complains", func(h *home, r string) {
			h.install(h.options(Global, r))
			h.t.Setenv("STANDIN_EXIT", "7")
		}, "clone", Fail, "exit status 7"},
		{"another program of that name", func(h *home, r string) {
			h.install(h.options(Global, r))
			other := filepath.Join(h.root, "other")
			h.writeMode(filepath.Join(other, "git-model-sign"), "#!/bin/sh\n", 0o755)
			h.t.Setenv("PATH", other+string(filepath.ListSeparator)+os.Getenv("PATH"))
		}, "program", Warn, filepath.Join("other", "git-model-sign")},
		{"hooks in a linked worktree", func(h *home, r string) { h.install(h.options(Local, r)) }, "hooks (local)", OK, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			repository := h.model("model")
			tt.build(h, repository)
			c, ok := h.examine(repository)[tt.check]
			if !ok || c.State != tt.state || !strings.Contains(c.Detail+c.Hint, tt.text) {
				t.Errorf("%s: got %+v, want %s and %q", tt.check, c, tt.state, tt.text)
			}
		})
	}
}

func TestDoctorOutsideOfRepositories(t *testing.T) {
	h := newHome(t)
	h.install(h.options(Global, ""))
	checks := h.examine(h.root)
	if c, ok := checks["hooks (local)"]; ok {
		t.Errorf("there is no repository: %+v", c)
	}
	if checks["clone"].State != OK {
		t.Errorf("got %+v", checks["clone"])
	}
}

func TestDoctorOnScripts(t *testing.T) {
	tests := []struct {
		name  string
		build func(h *home, repository string)
		check string
		state State
		text  string
	}{
		{"a repository from before", func(h *home, r string) { h.install(h.options(Global, r)) }, "hooks (local)", Warn, "install --local"},
		{"scripts for a program that has moved", func(h *home, r string) {
			o := h.options(Global, r)
			o.Executable = filepath.Join(h.root, "elsewhere", "git-model-sign")
			h.writeMode(o.Executable, "#!/bin/sh\nexec git model-sign \"$@\"\n", 0o755)
			h.install(o)
		}, "hooks (global)", Warn, "install --global"},
		{"a template folder that is not used any more", func(h *home, r string) {
			h.install(h.options(Global, r))
			h.git(r, "config", "--global", "--unset", "init.templateDir")
		}, "hooks (global)", Warn, "does not name it"},
		{"the user's own instead of everybody's", func(h *home, r string) {
			h.install(h.options(System, r))
			h.git(r, "config", "--global", "core.hooksPath", filepath.Join(h.dir, "hooks"))
		}, "hooks (system)", Warn, "core.hooksPath is"},
		{"a template folder in the environment", func(h *home, r string) {
			h.install(h.options(Global, r))
			h.t.Setenv("GIT_TEMPLATE_DIR", filepath.Join(h.root, "none"))
		}, "clone", Fail, "without a word"},
		{"a line by hand", func(h *home, r string) {
			for _, event := range atClients() {
				h.writeMode(hookIn(r, string(event)), "#!/bin/sh\ngit model-sign hook "+string(event)+" \"$@\"\nexit\n", 0o755)
			}
		}, "hooks (local)", OK, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			h.needScripts()
			repository := h.model("model")
			tt.build(h, repository)
			c, ok := h.examine(repository)[tt.check]
			if !ok || c.State != tt.state || !strings.Contains(c.Detail+c.Hint, tt.text) {
				t.Errorf("%s: got %+v, want %s and %q", tt.check, c, tt.state, tt.text)
			}
		})
	}
}

func TestDoctorOnConfiguredHooks(t *testing.T) {
	h := newHome(t)
	if !h.configured() {
		t.Skip("this git has no configured hooks")
	}
	repository := h.model("model")
	h.install(h.options(Global, ""))
	name := "hook." + hookName(PostCheckout)
	h.git(h.root, "config", "--global", name+".enabled", "false")
	checks := h.examine(repository)
	if c := checks["hooks (global)"]; c.State != Fail || !strings.Contains(c.Hint, "--unset "+name+".enabled") {
		t.Errorf("a hook that is switched off: %+v", c)
	}
	if c := checks["clone"]; c.State != Fail {
		t.Errorf("a hook that is switched off: %+v", c)
	}
	h.git(h.root, "config", "--global", "--unset", name+".enabled")
	h.git(h.root, "config", "--global", "--remove-section", "hook."+hookName(PostMerge))
	if c := h.examine(repository)["hooks (global)"]; c.State != Warn || !strings.Contains(c.Detail, "post-merge is not configured") {
		t.Errorf("a hook that is gone: %+v", c)
	}
}

func TestDoctorAndLFS(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	repository := h.lfsModel("model")
	h.install(h.options(Global, ""))
	checks := h.examine(repository)
	if c := checks["git-lfs in clones"]; !h.configured() && c.State != OK {
		t.Errorf("in a clone: %+v", c)
	}
	if c := checks["git-lfs"]; c.State != OK || !strings.HasPrefix(c.Detail, "git-lfs/") {
		t.Errorf("got %+v", c)
	}
	if err := os.Remove(hookIn(repository, "post-merge")); err != nil {
		t.Fatal(err)
	}
	if c := h.examine(repository)["git-lfs"]; c.State != Warn || !strings.Contains(c.Detail, "post-merge") {
		t.Errorf("a lost hook: %+v", c)
	}
}

func TestDoctorWithoutLFS(t *testing.T) {
	h := newHome(t)
	h.withoutLFS()
	h.install(h.options(Global, ""))
	checks := h.examine(h.root)
	if checks["git-lfs"].State != OK || checks["tampering"].State != OK {
		t.Errorf("got %+v", checks)
	}
	// It also says so when git is nowhere.
	t.Setenv("PATH", h.bin)
	if _, err := Doctor(t.Context(), DoctorOptions{Executable: h.executable()}); err == nil {
		t.Error("no error without git")
	}
}

// TestDoctorOnRequirements tells of a policy that nothing can meet.
func TestDoctorOnRequirements(t *testing.T) {
	h := newHome(t)
	h.install(h.options(Global, ""))
	for _, tt := range []struct {
		o    DoctorOptions
		want bool
	}{{DoctorOptions{RequiresOfNobody: true, NoPins: true}, true}, {DoctorOptions{RequiresOfNobody: true}, false}, {DoctorOptions{NoPins: true}, false}} {
		tt.o.Dir, tt.o.Executable, tt.o.DataDir = h.root, h.executable(), filepath.Join(h.root, "data")
		checks, err := Doctor(t.Context(), tt.o)
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for _, c := range checks {
			told = told || c.Name == "require" && c.State == Warn && strings.Contains(c.Detail, "every model is refused")
		}
		if told != tt.want {
			t.Errorf("%+v: told %t", tt.o, told)
		}
	}
}
