package hook

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lfsHooks are the hooks that git-lfs has in every repository.
var lfsHooks = []string{"pre-push", "post-checkout", "post-commit", "post-merge"}

func needLFS(t *testing.T) {
	t.Helper()
	need(t, "git-lfs", "the hooks of git-lfs are its own")
}

// lfsModel makes a repository whose weights are in git-lfs.
func (h *home) lfsModel(name string) string {
	h.t.Helper()
	h.git(h.root, "lfs", "install", "--skip-repo")
	dir := h.model(name)
	h.write(filepath.Join(dir, ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	h.write(filepath.Join(dir, "weights.bin"), strings.Repeat("weights\n", 1000))
	h.git(dir, "add", ".")
	h.git(dir, "commit", "-q", "-m", "in git-lfs")
	return dir
}

// lfsContent expects that a repository has all hooks of git-lfs, and that git-lfs takes them for its own.
func (h *home) lfsContent(repository string) {
	h.t.Helper()
	for _, name := range lfsHooks {
		path := filepath.Join(repository, ".git", "hooks", name)
		if !callsLFS(path, name) {
			h.t.Errorf("%s does not call git-lfs", path)
		}
		if info, err := os.Stat(path); err == nil && !executable(info) {
			h.t.Errorf("%s is not executable", path)
		}
	}
	for _, args := range [][]string{{"install"}, {"install", "--local"}, {"update"}} {
		if out, code := h.tryGit(repository, append([]string{"lfs"}, args...)...); code != 0 {
			h.t.Errorf("git lfs %s: exit status %d\n%s", strings.Join(args, " "), code, out)
		}
	}
}

func TestLFSClones(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	source := h.lfsModel("source")
	h.install(h.options(Global, ""))
	h.git(h.root, "clone", "-q", source, "clone")
	h.expect([]string{"post-checkout 1 run"})
	clone := filepath.Join(h.root, "clone")
	if got := h.read(filepath.Join(clone, "weights.bin")); got != strings.Repeat("weights\n", 1000) {
		t.Errorf("the weights are %.60q", got)
	}
	h.lfsContent(clone)
	h.git(clone, "checkout", "-q", "-b", "x")
	h.expect([]string{"post-checkout 1 run"})
	// A repository without git-lfs may begin to use it.
	h.git(h.root, "init", "-q", "new")
	h.git(h.root, "clone", "-q", h.model("plain"), "plain clone")
	for _, name := range []string{"new", "plain clone"} {
		h.git(filepath.Join(h.root, name), "lfs", "install", "--local")
		h.lfsContent(filepath.Join(h.root, name))
	}
}

func TestLFSRepository(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	source := h.lfsModel("source")
	h.git(h.root, "clone", "-q", source, "clone")
	clone := filepath.Join(h.root, "clone")
	before := h.snapshot(false, filepath.Join(clone, ".git", "hooks"))
	if len(before) < len(lfsHooks) {
		t.Fatalf("git-lfs has installed nothing: %v", before)
	}
	o := h.options(Local, clone)
	h.install(o)
	h.lfsContent(clone)
	h.git(clone, "checkout", "-q", "-b", "x")
	h.expect([]string{"post-checkout 1 run"})
	h.git(clone, "config", "--local", "--remove-section", "filter.lfs")
	h.uninstall(o)
	h.same(before, h.snapshot(false, filepath.Join(clone, ".git", "hooks")))
}

// TestLFSExitStatus puts programs in the place of git-lfs and git-model-sign that fail.
func TestLFSExitStatus(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	h.needScripts()
	repository := h.model("model")
	h.install(h.options(Local, repository))
	hook := filepath.Join(repository, ".git", "hooks", "post-checkout")
	for _, tt := range []struct{ lfs, ours, want int }{{0, 0, 0}, {3, 0, 3}, {0, 7, 7}, {3, 7, 7}} {
		h.writeMode(filepath.Join(h.bin, "git-lfs"), "#!/bin/sh\nexit "+string(rune('0'+tt.lfs))+"\n", 0o755)
		t.Setenv("STANDIN_EXIT", string(rune('0'+tt.ours)))
		if out, code := h.run(repository, hook, "1", "2", "1"); code != tt.want {
			t.Errorf("git-lfs %d, ours %d: exit status %d, want %d\n%s", tt.lfs, tt.ours, code, tt.want, out)
		}
	}
}

// TestLFSWritesOver lets git-lfs take its hooks back, as a new version of it with another text would. The
// next checkout has our lines again before it runs them.
func TestLFSWritesOver(t *testing.T) {
	needLFS(t)
	h := newHome(t)
	h.needScripts()
	source := h.lfsModel("source")
	h.install(h.options(Global, ""))
	h.git(h.root, "clone", "-q", source, "clone")
	clone := filepath.Join(h.root, "clone")
	h.calls()
	for name, args := range map[string][]string{"forced": {"update", "--force"}, "uninstalled": {"uninstall", "--local"}} {
		h.git(clone, append([]string{"lfs"}, args...)...)
		if content, err := os.ReadFile(filepath.Join(clone, ".git", "hooks", "post-checkout")); err == nil && calls(content, PostCheckout) {
			t.Fatalf("%s: git-lfs has not written over our hook", name)
		}
		h.git(clone, "checkout", "-q", "--detach", "HEAD~1")
		h.git(clone, "checkout", "-q", "-")
		h.expect([]string{"post-checkout 1 run", "post-checkout 1 run"})
		h.lfsContent(clone)
	}
	// A template from before git-lfs was upgraded: its text is older than what git-lfs has now, which is played
	// by what git-lfs would have left.
	template := filepath.Join(h.git(h.root, "config", "init.templateDir"), "hooks")
	for event, text := range h.lfsTexts() {
		h.writeMode(filepath.Join(template, string(event)), string(text)+"\n", 0o755)
	}
	h.git(h.root, "clone", "-q", source, "second")
	h.expect([]string{"post-checkout 1 run"})
	h.lfsContent(filepath.Join(h.root, "second"))
}

// TestLFSComesAndGoes installs without git-lfs, and clones with it; and the other way round.
func TestLFSComesAndGoes(t *testing.T) {
	needLFS(t)
	with := os.Getenv("PATH")
	h := newHome(t)
	h.needScripts()
	with = h.bin + string(filepath.ListSeparator) + with
	h.withoutLFS()
	without := os.Getenv("PATH")
	o := h.options(Global, "")
	plain := h.model("plain")
	h.install(o)
	hook := filepath.Join(h.git(h.root, "config", "init.templateDir"), "hooks", "post-checkout")
	if content := h.read(hook); strings.Contains(content, "git lfs") {
		t.Fatalf("git-lfs is called, and is not there:\n%s", content)
	}

	t.Setenv("PATH", with)
	source := h.lfsModel("source")
	h.git(h.root, "clone", "-q", source, "clone")
	h.expect([]string{"post-checkout 1 run"})
	h.lfsContent(filepath.Join(h.root, "clone"))
	if r := h.install(o); len(r.Done) != 3 || !callsLFS(hook, "post-checkout") {
		t.Errorf("the second install has not noticed git-lfs: %q", r.Done)
	}

	t.Setenv("PATH", without)
	h.git(h.root, "clone", "-q", plain, "plain clone")
	h.expect([]string{"post-checkout 1 run"})
	if callsLFS(filepath.Join(h.root, "plain clone", ".git", "hooks", "post-checkout"), "post-checkout") {
		t.Error("the clone calls git-lfs, and it is not there")
	}
	if r := h.install(o); len(r.Done) != 3 || callsLFS(hook, "post-checkout") {
		t.Errorf("the third install has not noticed that git-lfs is gone: %q", r.Done)
	}
}

func TestRepairLeavesOthersAlone(t *testing.T) {
	h := newHome(t)
	h.needScripts()
	repository := h.model("model")
	h.install(h.options(Local, repository))
	hook := filepath.Join(repository, ".git", "hooks", "post-checkout")
	h.writeMode(hook, userScript, 0o755)
	if err := Repair(t.Context(), RepairOptions{Dir: repository, Executable: h.executable()}); err != nil {
		t.Fatal(err)
	}
	if got := h.read(hook); got != userScript {
		t.Errorf("the user's script is %q", got)
	}
	// Without our own hook for it there is nothing to mend, whatever is there.
	for _, event := range scripted() {
		os.Remove(filepath.Join(filepath.Dir(hook), string(event)))
	}
	if err := Repair(t.Context(), RepairOptions{Dir: repository, Executable: h.executable()}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(hook); err == nil {
		t.Error("a hook was made where none was installed")
	}
}

func TestParseLFS(t *testing.T) {
	printed := "Add the following to '.git/hooks/pre-push':\n\n" + indented("pre-push") +
		"\n\nFügen Sie hinzu:\r\n\r\n" + strings.ReplaceAll(indented("post-checkout"), "\n", "\r\n") + "\n\n\t#!/bin/sh\n\tsomething else\n\n" + indented("post-merge")
	texts := parseLFS(printed)
	if len(texts) != 3 {
		t.Fatalf("got %d texts: %q", len(texts), texts)
	}
	for event, text := range texts {
		if !isLFS(event, text) || bytes.Contains(text, []byte("\r")) || bytes.Contains(text, []byte("\t")) {
			t.Errorf("%s: %q", event, text)
		}
	}
	if got := parseLFS("git-lfs has another opinion\n"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// indented is a text such as git-lfs prints.
func indented(event string) string {
	return "\t#!/bin/sh\n\tcommand -v git-lfs >/dev/null 2>&1 || { echo x; exit 2; }\n\tgit lfs " + event + " \"$@\"\n"
}

// TestPadding holds our scripts to what git-lfs reads of them.
func TestPadding(t *testing.T) {
	for _, n := range []int{0, 1, 79, 80, 300, 361, 1023, 1024, 5000} {
		text := []byte(strings.Repeat("x", n))
		script := append(slices.Clone(text), padding(padFor(text))...)
		if len(script) < lfsReads+1 {
			t.Errorf("%d bytes of text: only %d bytes", n, len(script))
		}
		if got := strings.TrimSpace(string(script[:min(lfsReads, len(script))])); got != string(text[:min(n, lfsReads)]) {
			t.Errorf("%d bytes of text: git-lfs reads %d bytes of it", n, len(got))
		}
		if script[len(script)-1] != '\n' {
			t.Errorf("%d bytes of text: the white space does not end a line", n)
		}
	}
}
