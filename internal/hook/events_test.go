package hook

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// events is a table of what git calls us for. Each step runs in the folder "model", a clone made with the hooks
// in place; a step that has no verdict of its own prepares the next.
var events = []struct {
	name string
	args []string // of git
	want []string // the calls: event, the arguments that matter, and what Decide says
}{
	{"checkout", []string{"checkout", "-q", "side"}, []string{"post-checkout 1 run"}},
	{"switch", []string{"switch", "-q", "main"}, []string{"post-checkout 1 run"}},
	{"new branch", []string{"checkout", "-q", "-b", "mine"}, []string{"post-checkout 1 run"}},
	{"checkout of a commit", []string{"checkout", "-q", "--detach", "side"}, []string{"post-checkout 1 run"}},
	{"checkout -", []string{"checkout", "-q", "-"}, []string{"post-checkout 1 run"}},
	{"checkout of a file", []string{"checkout", "-q", "--", "weights.bin"}, []string{"post-checkout 0 skip"}},
	{"checkout of another commit's file", []string{"checkout", "-q", "side", "--", "side1"}, []string{"post-checkout 0 skip"}},
	{"reset", []string{"reset", "-q", "--hard"}, nil},
	{"worktree add", []string{"worktree", "add", "-q", "-b", "linked", "../linked"}, []string{"post-checkout 1 run"}},
	{"checkout in a linked worktree", []string{"-C", "../linked", "checkout", "-q", "-b", "linked2"}, []string{"post-checkout 1 run"}},
	{"worktree add --no-checkout", []string{"worktree", "add", "-q", "--no-checkout", "-b", "linked3", "../linked3"}, nil},
	{"merge", []string{"merge", "-q", "--no-edit", "side"}, []string{"post-merge 0 run"}},
	{"merge of nothing", []string{"merge", "-q", "side"}, nil},
	{"amend", []string{"commit", "-q", "--amend", "-m", "again"}, []string{"post-rewrite amend skip"}},
	{"squash", []string{"merge", "-q", "--squash", "other"}, []string{"post-merge 1 run"}},
	{"", []string{"reset", "-q", "--hard"}, nil},
	{"", []string{"checkout", "-q", "-b", "forward", "side~1"}, []string{"post-checkout 1 run"}},
	{"rebase that moves forward", []string{"rebase", "-q", "side"}, []string{"post-checkout 1 run"}},
	{"rebase of nothing", []string{"rebase", "-q", "side"}, nil},
	{"", []string{"checkout", "-q", "other"}, []string{"post-checkout 1 run"}},
	{"rebase", []string{"rebase", "-q", "side"}, []string{"post-checkout 1 skip", "post-rewrite rebase run"}},
	{"", []string{"checkout", "-q", "-b", "apply", "origin/other"}, []string{"post-checkout 1 run"}},
	{"rebase by the other backend", []string{"rebase", "-q", "--apply", "side"}, []string{"post-checkout 1 run", "post-rewrite rebase run"}},
	{"", []string{"checkout", "-q", "-b", "onto", "origin/other"}, []string{"post-checkout 1 run"}},
	{"rebase with a command", []string{"rebase", "-q", "-x", "true", "side"}, []string{"post-checkout 1 skip", "post-rewrite rebase run"}},
	{"", []string{"checkout", "-q", "-b", "merges", "origin/merged"}, []string{"post-checkout 1 run"}},
	{"rebase with merges", []string{"rebase", "-q", "-r", "--force-rebase", "origin/main~1"}, []string{"post-checkout 1 skip", "post-rewrite rebase run"}},
	{"", []string{"checkout", "-q", "-b", "conflict", "origin/conflict"}, []string{"post-checkout 1 run"}},
	{"rebase that stops", []string{"rebase", "-q", "side"}, []string{"post-checkout 1 skip"}},
	{"rebase --abort", []string{"rebase", "--abort"}, nil},
	{"rebase that stops again", []string{"rebase", "-q", "side"}, []string{"post-checkout 1 skip"}},
	{"rebase --skip", []string{"rebase", "--skip"}, []string{"post-rewrite rebase run"}},
	{"", []string{"checkout", "-q", "-B", "conflict", "origin/conflict"}, []string{"post-checkout 1 run"}},
	{"", []string{"commit", "-q", "--allow-empty", "-m", "to come"}, nil},
	{"rebase that stops with more to come", []string{"rebase", "-q", "side"}, []string{"post-checkout 1 skip"}},
	{"checkout meanwhile", []string{"checkout", "-q", "-f", "--detach", "origin/main~1"}, []string{"post-checkout 1 run"}},
	{"merge meanwhile", []string{"merge", "-q", "--no-edit", "origin/other"}, []string{"post-merge 0 run"}},
	{"pull meanwhile", []string{"pull", "-q", "--no-rebase", "--no-edit", "origin", "merged"}, []string{"post-merge 0 run"}},
	{"checkout of the base meanwhile", []string{"checkout", "-q", "--detach", "side"}, []string{"post-checkout 1 run"}},
	{"rebase --quit", []string{"rebase", "--quit"}, nil},
	{"", []string{"checkout", "-q", "-B", "conflict", "origin/conflict"}, []string{"post-checkout 1 run"}},
	{"rebase by the other backend that stops", []string{"rebase", "-q", "--apply", "side"}, []string{"post-checkout 1 run"}},
	{"checkout meanwhile", []string{"checkout", "-q", "-f", "--detach", "origin/main"}, []string{"post-checkout 1 run"}},
	{"", []string{"rebase", "--quit"}, nil},
	{"", []string{"checkout", "-q", "-B", "main", "origin/main~1"}, []string{"post-checkout 1 run"}},
	{"", []string{"branch", "-q", "-u", "origin/main"}, nil},
	{"pull", []string{"pull", "-q", "--ff-only"}, []string{"post-merge 0 run"}},
	{"pull of nothing", []string{"pull", "-q"}, nil},
	{"", []string{"reset", "-q", "--hard", "HEAD~1"}, nil},
	{"pull --rebase that moves forward", []string{"pull", "-q", "--rebase"}, []string{"post-merge 0 run"}},
	{"", []string{"reset", "-q", "--hard", "HEAD~1"}, nil},
	{"", []string{"commit", "-q", "--allow-empty", "-m", "mine"}, nil},
	{"pull --rebase", []string{"pull", "-q", "--rebase"}, []string{"post-checkout 1 skip", "post-rewrite rebase run"}},
	{"pull --no-rebase", []string{"pull", "-q", "--no-rebase", "--no-edit", "origin", "side"}, []string{"post-merge 0 run"}},
	{"cherry-pick", []string{"cherry-pick", "--allow-empty", "--keep-redundant-commits", "origin/other"}, nil},
	{"", []string{"checkout", "-q", "-B", "undo", "origin/side"}, []string{"post-checkout 1 run"}},
	{"revert", []string{"revert", "--no-edit", "HEAD"}, nil},
	{"", []string{"format-patch", "-q", "-o", "../patches", "-1", "origin/other"}, nil},
	{"am", []string{"am", "-q", "../patches/0001-other.patch"}, nil},
	{"stash", []string{"stash", "-q"}, nil},
	{"sparse-checkout", []string{"sparse-checkout", "set", "--no-cone", "/side1"}, nil},
	{"sparse-checkout of all", []string{"sparse-checkout", "disable"}, nil},
	{"", []string{"checkout", "-q", "-B", "conflict", "origin/conflict"}, []string{"post-checkout 1 run"}},
	{"merge that stops", []string{"merge", "-q", "--no-edit", "side"}, nil},
	{"", []string{"checkout", "-q", "--theirs", "--", "side2"}, []string{"post-checkout 0 skip"}},
	{"", []string{"add", "side2"}, nil},
	{"the commit that ends it", []string{"commit", "-q", "--no-edit"}, nil},
	{"submodule", []string{"-c", "protocol.file.allow=always", "submodule", "add", "-q", "../source", "sub"}, []string{"post-checkout 1 run"}},
	{"", []string{"commit", "-q", "-m", "sub"}, nil},
}

// source makes a repository with the branches that the table of events is about.
func (h *home) source() string {
	h.t.Helper()
	dir := h.model("source")
	commit := func(name string) {
		h.write(filepath.Join(dir, name), h.t.Name()+name)
		h.git(dir, "add", ".")
		h.git(dir, "commit", "-q", "-m", name)
	}
	commit("base")
	h.git(dir, "checkout", "-q", "-b", "side")
	commit("side1")
	commit("side2")
	h.git(dir, "checkout", "-q", "-b", "other", "main")
	commit("other")
	h.git(dir, "checkout", "-q", "-b", "conflict", "main")
	h.write(filepath.Join(dir, "side2"), "another")
	h.git(dir, "add", ".")
	h.git(dir, "commit", "-q", "-m", "conflict")
	h.git(dir, "checkout", "-q", "-b", "merged", "main")
	commit("merged")
	h.git(dir, "merge", "-q", "--no-edit", "other")
	h.git(dir, "checkout", "-q", "main")
	commit("last")
	return dir
}

func TestEvents(t *testing.T) {
	h := newHome(t)
	source := h.source()
	h.install(h.options(Global, ""))
	h.git(h.root, "clone", "-q", source, "model")
	h.expect([]string{"post-checkout 1 run"})
	dir := filepath.Join(h.root, "model")
	for _, branch := range []string{"side", "other"} {
		h.git(dir, "branch", "-q", branch, "origin/"+branch)
	}
	for _, e := range events {
		out, code := h.tryGit(dir, e.args...)
		t.Logf("git %s: %d %s", strings.Join(e.args, " "), code, out)
		if code != 0 && !strings.Contains(e.name, "stops") {
			t.Fatalf("%s: git %s: exit status %d\n%s", e.name, strings.Join(e.args, " "), code, out)
		}
		h.expect(e.want)
	}
	h.git(h.root, "-c", "protocol.file.allow=always", "clone", "-q", "--recurse-submodules", dir, "super")
	h.expect([]string{"post-checkout 1 run", "post-checkout 1 run"})
}

// expect compares what the stand-in was called for.
func (h *home) expect(want []string) {
	h.t.Helper()
	var got []string
	for _, c := range h.calls() {
		last := ""
		if len(c.Args) > 0 {
			last = c.Args[len(c.Args)-1]
		}
		what := "skip"
		if c.Run {
			what = "run"
		}
		got = append(got, fmt.Sprintf("%s %s %s", c.Event, last, what))
		if c.Event == PostRewrite && !strings.Contains(c.Stdin, " ") {
			h.t.Errorf("post-rewrite: the list of commits did not come through, got %q", c.Stdin)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		h.t.Errorf("hooks called:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestClones(t *testing.T) {
	h := newHome(t)
	source := h.source()
	h.install(h.options(Global, ""))
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"plain", nil, []string{"post-checkout 1 run"}},
		{"shallow", []string{"--depth", "1"}, []string{"post-checkout 1 run"}},
		{"sparse", []string{"--sparse"}, []string{"post-checkout 1 run"}},
		{"partial", []string{"--filter=blob:none"}, []string{"post-checkout 1 run"}},
		{"shared", []string{"--shared"}, []string{"post-checkout 1 run"}},
		{"branch", []string{"-b", "side"}, []string{"post-checkout 1 run"}},
		{"separate", []string{"--separate-git-dir", filepath.Join(h.root, "separate.git")}, []string{"post-checkout 1 run"}},
		{"no checkout", []string{"-n"}, nil},
		{"bare", []string{"--bare"}, nil},
		{"odd name", []string{"-q"}, []string{"post-checkout 1 run"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := *h
			h.t = t
			target := filepath.Join(h.root, "to", tt.name+" 'n' é")
			url := "file://" + filepath.ToSlash(source)
			if tt.name == "shared" {
				url = source
			}
			h.git(h.root, append(append([]string{"clone", "-q"}, tt.args...), url, target)...)
			h.expect(tt.want)
		})
	}
}

// TestExitStatus holds git to what a hook's exit status does.
func TestExitStatus(t *testing.T) {
	h := newHome(t)
	source := h.source()
	h.install(h.options(Global, ""))
	h.git(h.root, "clone", "-q", source, "model")
	dir := filepath.Join(h.root, "model")
	t.Setenv("STANDIN_EXIT", "7")
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"clone", []string{"clone", "-q", source, "../clone"}, 7},
		{"checkout", []string{"checkout", "-q", "-b", "x"}, 1},
		{"switch", []string{"switch", "-q", "-c", "y"}, 1},
		{"worktree add", []string{"worktree", "add", "-q", "-b", "z", "../z"}, 7},
		{"merge", []string{"merge", "-q", "--no-edit", "origin/side"}, 0},
		{"rebase", []string{"rebase", "-q", "--force-rebase", "HEAD~1"}, 0},
		{"amend", []string{"commit", "-q", "--amend", "-m", "x"}, 0},
	}
	for _, tt := range tests {
		if out, code := h.tryGit(dir, tt.args...); code != tt.want {
			t.Errorf("%s: exit status %d, want %d\n%s", tt.name, code, tt.want, out)
		}
		if len(h.calls()) == 0 {
			t.Errorf("%s: no hook was called", tt.name)
		}
	}
	if got := h.read(filepath.Join(h.root, "clone", "weights.bin")); got != "weights\n" {
		t.Errorf("the clone's worktree holds %q", got)
	}
}
