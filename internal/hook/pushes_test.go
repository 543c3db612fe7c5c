package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readingScript is a hook of somebody's that reads what git gives it, and may end anywhere.
const readingScript = "#!/bin/bash -e\nwhile read -r line; do echo \"$line\" >>\"$HOME/read\"; done\nexit 0\n"

// bare makes a repository to push to, with no hooks of ours.
func (h *home) bare(name string) string {
	h.t.Helper()
	dir := filepath.Join(h.root, name)
	h.git(h.root, "init", "-q", "--bare", "--template=", dir)
	return dir
}

// stale commits a change to a signed file.
func (h *home) stale(repository string) {
	h.t.Helper()
	h.write(filepath.Join(repository, "weights.bin"), strings.Repeat("changed\n", 1000))
	h.git(repository, "commit", "-q", "-am", "change")
}

// pushed expects that the hook of an event has read these refs, and been called with these arguments.
func (h *home) pushed(event Event, args, stdin string) {
	h.t.Helper()
	calls := h.calls()
	if len(calls) != 1 || calls[0].Event != event || strings.Join(calls[0].Args, " ") != args || strings.TrimSpace(calls[0].Stdin) != stdin {
		h.t.Errorf("called: %+v\nwant %s %s with %q", calls, event, args, stdin)
	}
}

const zeros = "0000000000000000000000000000000000000000"

func TestPrePush(t *testing.T) {
	for _, state := range []struct {
		name  string
		build func(h *home, repository string)
		reads bool
	}{
		{"nothing else", func(*home, string) {}, false},
		{"a script that reads", func(h *home, r string) { h.writeMode(hookIn(r, "pre-push"), readingScript, 0o755) }, true},
	} {
		t.Run(state.name, func(t *testing.T) {
			need(t, "bash", "the script is bash")
			h := newHome(t)
			repository, target := h.model("model"), h.bare("target.git")
			h.git(repository, "remote", "add", "origin", target)
			state.build(h, repository)
			before := h.snapshot(false, filepath.Join(repository, ".git", "hooks"))
			o := h.options(Local, repository)
			h.install(o)
			if r := h.install(o); len(r.Done) > 0 {
				t.Errorf("the second time did something: %q", r.Done)
			}

			id := h.git(repository, "rev-parse", "HEAD")
			h.git(repository, "push", "-q", "origin", "main", "main:refs/heads/twin")
			want := "refs/heads/main " + id + " refs/heads/main " + zeros + "\nrefs/heads/main " + id + " refs/heads/twin " + zeros
			h.pushed(PrePush, "origin "+target, want)
			if got, _ := os.ReadFile(filepath.Join(h.dir, "read")); state.reads && strings.TrimSpace(string(got)) != want {
				t.Errorf("the other hook has read %q, want %q", got, want)
			}
			os.Remove(filepath.Join(h.dir, "read"))
			h.git(repository, "push", "-q", "origin", "main")
			h.pushed(PrePush, "origin "+target, "")
			if got, err := os.ReadFile(filepath.Join(h.dir, "read")); err == nil {
				t.Errorf("the other hook has read %q, and there was nothing", got)
			}

			h.stale(repository)
			if out, code := h.tryGit(repository, "push", "-q", "origin", "main"); code == 0 || !strings.Contains(out, "not as signed") {
				t.Errorf("a changed model: exit status %d\n%s", code, out)
			}
			if got := h.git(target, "rev-parse", "main"); got != id {
				t.Errorf("main is %s, want %s", got, id)
			}
			h.git(repository, "push", "-q", "--no-verify", "origin", "main")
			h.uninstall(o)
			h.same(before, h.snapshot(false, filepath.Join(repository, ".git", "hooks")))
		})
	}
}

// TestPrePushAndLFS pushes what git-lfs has to upload, with our hook installed before git-lfs's and after it.
func TestPrePushAndLFS(t *testing.T) {
	needLFS(t)
	for _, first := range []string{"ours", "theirs"} {
		t.Run(first, func(t *testing.T) {
			h := newHome(t)
			source, target := h.lfsModel("source"), h.bare("target.git")
			if first == "ours" {
				h.install(h.options(Global, ""))
			}
			h.git(h.root, "clone", "-q", source, "clone")
			clone := filepath.Join(h.root, "clone")
			if first == "theirs" {
				h.install(h.options(Local, clone))
			}
			h.lfsContent(clone)
			h.calls()
			h.git(clone, "remote", "add", "target", target)

			h.write(filepath.Join(clone, "weights.bin"), strings.Repeat("new\n", 500))
			h.write(filepath.Join(clone, "model.sig"), string(toySignature(clone)))
			h.git(clone, "commit", "-q", "-am", "sign anew")
			h.calls()
			h.git(clone, "push", "-q", "target", "main")
			h.pushed(PrePush, "target "+target, "refs/heads/main "+h.git(clone, "rev-parse", "HEAD")+" refs/heads/main "+zeros)
			uploaded := func() int {
				found, err := filepath.Glob(filepath.Join(target, "lfs", "objects", "*", "*", "*"))
				if err != nil {
					t.Fatal(err)
				}
				return len(found)
			}
			if got := uploaded(); got != 2 {
				t.Errorf("git-lfs has uploaded %d objects, want 2", got)
			}
			h.stale(clone)
			if out, code := h.tryGit(clone, "push", "-q", "target", "main"); code == 0 {
				t.Errorf("a changed model was pushed\n%s", out)
			}
			// Configured hooks are no condition of each other: git runs git-lfs's in any case.
			if got := uploaded(); got != 2 && !h.configured() {
				t.Errorf("git-lfs has uploaded %d objects of a push that was refused", got)
			}
			h.git(clone, "push", "-q", "--no-verify", "target", "main")
		})
	}
}

// TestPrePushExitStatus puts programs in the place of git-lfs and git-model-sign that fail.
func TestPrePushExitStatus(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	h.needScripts()
	repository := h.model("model")
	h.install(h.options(Local, repository))
	hook := hookIn(repository, "pre-push")
	for _, tt := range []struct{ lfs, ours, want int }{{0, 0, 0}, {3, 0, 3}, {0, 7, 7}, {3, 7, 7}} {
		h.writeMode(filepath.Join(h.bin, "git-lfs"), "#!/bin/sh\ncat\nexit "+string(rune('0'+tt.lfs))+"\n", 0o755)
		t.Setenv("STANDIN_EXIT", string(rune('0'+tt.ours)))
		out, code := h.run(repository, "sh", "-c", "echo a line | "+quote(hook)+" origin url")
		if code != tt.want || strings.Contains(out, "a line") != (tt.ours == 0) {
			t.Errorf("git-lfs %d, ours %d: exit status %d, want %d\n%s", tt.lfs, tt.ours, code, tt.want, out)
		}
	}
}

func TestPreReceive(t *testing.T) {
	for _, state := range []struct {
		name   string
		server bool
		build  func(h *home, target string)
	}{
		{"a bare repository", false, func(*home, string) {}},
		{"a server", true, func(*home, string) {}},
		{"a script that reads", true, func(h *home, target string) {
			h.writeMode(filepath.Join(target, "hooks", "pre-receive"), readingScript, 0o755)
		}},
	} {
		t.Run(state.name, func(t *testing.T) {
			need(t, "bash", "the script is bash")
			h := newHome(t)
			repository, target := h.model("model"), h.bare("target.git")
			h.git(repository, "remote", "add", "origin", target)
			state.build(h, target)
			before := h.snapshot(false, target)
			o := h.options(Local, target)
			o.Server = state.server
			h.install(o)
			if r := h.install(o); len(r.Done) > 0 {
				t.Errorf("the second time did something: %q", r.Done)
			}
			if entries, _ := os.ReadDir(filepath.Join(target, "hooks")); state.server && !h.configured() && len(entries) != 1 {
				t.Errorf("more than the hook of a server was installed: %v", entries)
			}
			id := h.git(repository, "rev-parse", "HEAD")
			h.git(repository, "push", "-q", "origin", "main")
			h.pushed(PreReceive, "", zeros+" "+id+" refs/heads/main")
			if got, _ := os.ReadFile(filepath.Join(h.dir, "read")); state.name == "a script that reads" && strings.TrimSpace(string(got)) != zeros+" "+id+" refs/heads/main" {
				t.Errorf("the other hook has read %q", got)
			}
			h.stale(repository)
			if out, code := h.tryGit(repository, "push", "-q", "--no-verify", "origin", "main"); code == 0 || !strings.Contains(out, "not as signed") {
				t.Errorf("a changed model: exit status %d\n%s", code, out)
			}
			h.git(target, "update-ref", "-d", "refs/heads/main")
			h.uninstall(InstallOptions{Scope: Local, Dir: target, DataDir: o.DataDir, ManDir: o.ManDir})
			for path, what := range h.snapshot(false, target) {
				if strings.Contains(path, "hooks") && before[path] != what {
					t.Errorf("%s has changed or is left: %.200q", path, what)
				}
			}
		})
	}
}

// TestServerBesideClient installs both for a user, in either order, and for an older git first.
func TestServerBesideClient(t *testing.T) {
	h := newHome(t)
	client, server := h.options(Global, ""), h.options(Global, "")
	server.Server = true
	h.install(server)
	h.install(client)
	for _, o := range []InstallOptions{client, server} {
		if r := h.install(o); len(r.Done) > 0 {
			t.Errorf("server %v: the second time did something: %q", o.Server, r.Done)
		}
	}
	push := func() {
		t.Helper()
		h.git(h.root, "init", "-q", "--bare", "target.git")
		repository := h.model("model")
		h.git(repository, "push", "-q", "../target.git", "main")
		if calls := h.calls(); len(calls) == 0 || calls[len(calls)-1].Event != PreReceive {
			t.Errorf("called: %+v, want a call for pre-receive", calls)
		}
		os.RemoveAll(repository)
		os.RemoveAll(filepath.Join(h.root, "target.git"))
	}
	push()
	h.uninstall(client)

	// Scripts of a server, and then configured hooks are installed for a client.
	s, err := newSetup(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.installFolder(t.Context(), onPath); err != nil {
		t.Fatal(err)
	}
	if s, err = newSetup(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := s.installConfigured(t.Context(), onPath); err != nil {
		t.Fatal(err)
	}
	if got := h.git(h.root, "config", "--global", "hook."+hookName(PreReceive)+".event"); got != string(PreReceive) {
		t.Errorf("the server's hook is gone: %q", got)
	}
	if h.configured() {
		push()
	}
}

func TestDoctorProvesPushes(t *testing.T) {
	for _, tt := range []struct {
		name     string
		install  func(h *home, o InstallOptions)
		want     map[string]State
		unproven []string
	}{
		{"client", func(h *home, o InstallOptions) { h.install(o) }, map[string]State{"push": OK, "tampering": OK}, []string{"received push"}},
		{"server", func(h *home, o InstallOptions) { o.Server = true; h.install(o) }, map[string]State{"received push": OK, "received pushes (global)": OK}, []string{"push", "clone"}},
		{"both", func(h *home, o InstallOptions) { h.install(o); o.Server = true; h.install(o) }, map[string]State{"push": OK, "received push": OK, "clone": OK}, nil},
		{"a hook that is gone", func(h *home, o InstallOptions) {
			h.install(o)
			if h.configured() {
				h.git(h.root, "config", "--global", "--remove-section", "hook."+hookName(PrePush))
			} else {
				h.writeMode(filepath.Join(h.git(h.root, "config", "init.templateDir"), "hooks", "pre-push"), shebang, 0o755)
			}
		}, map[string]State{"push": Fail, "clone": OK}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			tt.install(h, h.options(Global, ""))
			checks := h.examine(h.root)
			for name, state := range tt.want {
				if checks[name].State != state {
					t.Errorf("%s: got %+v, want %s", name, checks[name], state)
				}
			}
			for _, name := range tt.unproven {
				if c, ok := checks[name]; ok {
					t.Errorf("%s: got %+v, want nothing", name, c)
				}
			}
		})
	}
}
