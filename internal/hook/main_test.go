package hook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for git-model-sign: a copy of it of that name is what hooks call.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); strings.TrimSuffix(name, ".exe") == "git-model-sign" {
		os.Exit(standIn(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// call is what a hook was called with, as the stand-in has written it down.
type call struct {
	Event  Event
	Args   []string
	Dir    string // the current folder
	GitDir string // the variable, "" where it is not set
	Stdin  string
	Run    bool // what Decide says
}

// standIn is a signer that believes whoever can write a checksum, and writes down what it is called for.
func standIn(ctx context.Context, args []string) int {
	if len(args) == 0 {
		return 2
	}
	switch args[0] {
	case "sign":
		dir := args[len(args)-1]
		return report(os.WriteFile(filepath.Join(dir, "model.sig"), toySignature(dir), 0o666))
	case "hook":
		return standInHook(ctx, Event(args[1]), args[2:])
	}
	return 2
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "stand-in:", err)
		return 4
	}
	return 0
}

func toySignature(dir string) []byte {
	content, err := os.ReadFile(filepath.Join(dir, "weights.bin"))
	if err != nil {
		return []byte(err.Error())
	}
	return fmt.Appendf(nil, "%x\n", sha256.Sum256(content))
}

func standInHook(ctx context.Context, event Event, args []string) int {
	if event == PostIndexChange {
		self, err := os.Executable()
		if err == nil {
			err = Repair(ctx, RepairOptions{Executable: self})
		}
		return report(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return report(err)
	}
	gitDir, err := git{}.output(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return report(err)
	}
	run, err := Decide(event, args, gitDir)
	if err != nil {
		return report(err)
	}
	c := call{Event: event, Args: args, Dir: dir, GitDir: os.Getenv("GIT_DIR"), Run: run}
	if event == PostRewrite || event.reads() {
		stdin, err := io.ReadAll(os.Stdin)
		if err != nil {
			return report(err)
		}
		c.Stdin = string(stdin)
	}
	if err := writeCall(c); err != nil {
		return report(err)
	}
	if event.reads() {
		return standInRefs(ctx, c.Stdin)
	}
	return standInVerdict(ctx, dir, run)
}

// standInRefs checks the commits of a push: the second word of each line is one, or its first before another.
func standInRefs(ctx context.Context, refs string) int {
	if os.Getenv("STANDIN_EXIT") == "7" {
		return 7
	}
	for line := range strings.Lines(refs) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		signature, err := git{}.output(ctx, "cat-file", "blob", words[1]+":model.sig")
		if err != nil {
			continue
		}
		weights, err := git{}.output(ctx, "cat-file", "blob", words[1]+":weights.bin")
		if digest := strings.TrimSpace(signature); err != nil || digest != standInDigest(weights) {
			fmt.Fprintln(os.Stderr, "stand-in: weights.bin is not as signed")
			return 1
		}
	}
	return 0
}

// standInDigest is what a signature says of weights, which a pointer names where git-lfs keeps them. Their last line end
// is missing.
func standInDigest(weights string) string {
	if _, oid, ok := strings.Cut(weights, "oid sha256:"); ok {
		oid, _, _ = strings.Cut(oid, "\n")
		return oid
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(weights+"\n")))
}

func writeCall(c call) error {
	path := os.Getenv("STANDIN_CALLS")
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	return json.NewEncoder(file).Encode(c)
}

func standInVerdict(ctx context.Context, dir string, run bool) int {
	switch status := os.Getenv("STANDIN_EXIT"); status {
	case "":
	case "7":
		return 7
	case "0":
		return 0
	}
	signature, err := os.ReadFile(filepath.Join(dir, "model.sig"))
	if !run || err != nil {
		return 0
	}
	if _, trusted, _ := (git{}).get(ctx, "modelsign.publicKey"); !trusted {
		fmt.Fprintln(os.Stderr, "stand-in: nobody is believed")
		return 0
	}
	if !bytes.Equal(signature, toySignature(dir)) {
		fmt.Fprintln(os.Stderr, "stand-in: weights.bin is not as signed")
		return 1
	}
	fmt.Fprintln(os.Stderr, "stand-in: verified")
	return 0
}

// home is a private place for a test: a home folder, a stand-in on PATH, and nobody else's configuration.
type home struct {
	t    *testing.T
	root string // holds everything
	dir  string // the home folder
	bin  string // on PATH, with the stand-in
	log  string // what the stand-in has written down
}

func newHome(t *testing.T) *home {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, root: root, dir: filepath.Join(root, "home"), bin: filepath.Join(root, "bin"), log: filepath.Join(root, "calls")}
	for _, dir := range []string{h.dir, h.bin} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "STANDIN_") || name == "MANPATH" {
			unset(t, name)
		}
	}
	t.Setenv("HOME", h.dir)
	t.Setenv("GIT_CONFIG_SYSTEM", filepath.Join(root, "gitconfig"))
	t.Setenv("GIT_AUTHOR_NAME", "A")
	t.Setenv("GIT_AUTHOR_EMAIL", "a@example.com")
	t.Setenv("GIT_COMMITTER_NAME", "A")
	t.Setenv("GIT_COMMITTER_EMAIL", "a@example.com")
	t.Setenv("GIT_TERMINAL_PROMPT", "0")
	t.Setenv("GIT_ALLOW_PROTOCOL", "file")
	t.Setenv("GIT_EDITOR", "true")
	t.Setenv("STANDIN_CALLS", h.log)
	// A stand-in with the race detector would else sleep for a second as it exits.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	t.Setenv("PATH", h.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	h.place(filepath.Join(h.bin, "git-model-sign"))
	return h
}

// unset takes a variable out of the environment for the time of a test.
func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "")
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// place puts the stand-in at a path.
func (h *home) place(path string) {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if os.Link(self, path) == nil {
		return
	}
	content, err := os.ReadFile(self)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) executable() string { return filepath.Join(h.bin, "git-model-sign") }

// options are those of an installation in the private place.
func (h *home) options(scope Scope, repository string) InstallOptions {
	return InstallOptions{Scope: scope, Dir: repository, Executable: h.executable(),
		DataDir: filepath.Join(h.root, "data"), ManDir: filepath.Join(h.root, "man", "man1")}
}

// git runs git, which has to succeed.
func (h *home) git(dir string, args ...string) string {
	h.t.Helper()
	out, code := h.tryGit(dir, args...)
	if code != 0 {
		h.t.Fatalf("git %s: exit status %d\n%s", strings.Join(args, " "), code, out)
	}
	return strings.TrimSpace(out)
}

// tryGit runs git and returns what it said and its exit status. It leaves nothing running behind.
func (h *home) tryGit(dir string, args ...string) (string, int) {
	h.t.Helper()
	return h.run(dir, "git", append([]string{"-c", "maintenance.auto=false"}, args...)...)
}

func (h *home) run(dir, program string, args ...string) (string, int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("%s %s: %v", program, strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// calls returns what the stand-in was called for since it was last asked.
func (h *home) calls() []call {
	h.t.Helper()
	content, err := os.ReadFile(h.log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	var all []call
	for decoder := json.NewDecoder(bytes.NewReader(content)); ; {
		var c call
		err := decoder.Decode(&c)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, c)
	}
	os.Remove(h.log)
	return all
}

// model makes a repository with one commit, with the toy signature.
func (h *home) model(name string) string {
	h.t.Helper()
	dir := filepath.Join(h.root, name)
	h.git(h.root, "init", "-q", "--template=", "-b", "main", dir)
	h.write(filepath.Join(dir, "weights.bin"), "weights\n")
	h.write(filepath.Join(dir, "model.sig"), string(toySignature(dir)))
	h.git(dir, "add", ".")
	h.git(dir, "commit", "-q", "-m", "model")
	return dir
}

func (h *home) write(path, content string) {
	h.t.Helper()
	h.writeMode(path, content, 0o644)
}

func (h *home) writeMode(path, content string, mode fs.FileMode) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) read(path string) string {
	h.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(content)
}

// install and uninstall have to succeed.
func (h *home) install(o InstallOptions) *Result {
	h.t.Helper()
	r, err := Install(h.t.Context(), o)
	if err != nil {
		h.t.Fatalf("install --%s: %v", o.Scope, err)
	}
	return r
}

func (h *home) uninstall(o InstallOptions) *Result {
	h.t.Helper()
	r, err := Uninstall(h.t.Context(), o)
	if err != nil {
		h.t.Fatalf("uninstall --%s: %v", o.Scope, err)
	}
	return r
}

// snapshot is everything below a folder: type, permissions, time and content of each file.
func (h *home) snapshot(times bool, dirs ...string) map[string]string {
	h.t.Helper()
	all := make(map[string]string)
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == dir {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			what := info.Mode().String()
			if path == h.bin {
				return fs.SkipDir // the stand-in is large, and nothing is installed there
			}
			if info.Mode().IsRegular() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				what += fmt.Sprintf(" %q", content)
			}
			if times {
				what += info.ModTime().String()
			}
			all[path] = what
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return all
}

// same compares two snapshots.
func (h *home) same(before, after map[string]string) {
	h.t.Helper()
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if now, ok := after[path]; !ok {
			h.t.Errorf("%s is gone", path)
		} else if now != before[path] {
			h.t.Errorf("%s has changed:\n  was %.600s\n  is  %.600s", path, before[path], now)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[path]; !ok {
			h.t.Errorf("%s was not there: %.200s", path, after[path])
		}
	}
}

// configured says whether this git has configured hooks.
func (h *home) configured() bool {
	h.t.Helper()
	_, configured, err := git{}.version(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return configured
}

// needScripts skips a test about scripts where git does without.
func (h *home) needScripts() {
	h.t.Helper()
	if h.configured() {
		h.t.Skip("this git has configured hooks, and needs no scripts")
	}
}

// need skips a test without a program, except in CI, which has to have it.
func need(t *testing.T, program, why string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on PATH: %s", program, why)
		}
		t.Skipf("%s is not on PATH: %s", program, why)
	}
}

// withoutLFS leaves only the programs on PATH that a hook needs, git-lfs not among them.
func (h *home) withoutLFS() {
	h.t.Helper()
	tools := filepath.Join(h.root, "tools")
	if err := os.Mkdir(tools, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range []string{"git", "sh", "cat", "grep", "sed", "rm", "env", "true", "false", "chmod", "mkdir", "dirname", "basename"} {
		path, err := exec.LookPath(name)
		if err != nil {
			h.t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			h.t.Fatal(err)
		}
	}
	h.t.Setenv("PATH", h.bin+string(filepath.ListSeparator)+tools)
}
