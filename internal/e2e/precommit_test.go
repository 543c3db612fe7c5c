package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// preCommitHooks are what .pre-commit-hooks.yaml may hold, of what pre-commit knows.
type preCommitHooks []struct {
	ID            string   `yaml:"id"`
	Name          string   `yaml:"name"`
	Description   string   `yaml:"description"`
	Language      string   `yaml:"language"`
	Entry         string   `yaml:"entry"`
	Stages        []string `yaml:"stages"`
	PassFilenames bool     `yaml:"pass_filenames"`
	AlwaysRun     bool     `yaml:"always_run"`
	RequireSerial bool     `yaml:"require_serial"`
	Minimum       string   `yaml:"minimum_pre_commit_version"`
}

// TestPreCommitHooks runs what .pre-commit-hooks.yaml has pre-commit run, as it does.
func TestPreCommitHooks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", ".pre-commit-hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var hooks preCommitHooks
	strictly(t, text, &hooks)
	var config preCommitConfig
	strictly(t, []byte(yamlBlocks(t)[2]), &config)
	if len(hooks) != 1 || config.Repos[0].Hooks[0].ID != hooks[0].ID {
		t.Fatalf("docs/ci.md shows %+v, and there are %+v", config, hooks)
	}
	s := newSession(t, needs.GitLFS(t))
	s.exits(0, "git", "lfs", "install")
	publishModel(s)
	for branch, want := range map[string]int{"main": 0, "stale": 1, "unsigned": 0} {
		s.exits(0, "git", "-C", s.path("model"), "checkout", "-q", branch)
		script := "cd \"$1\" && " + hooks[0].Entry
		if r := s.exits(want, "sh", "-c", script, "entry", s.path("model")); want == 1 && !strings.Contains(r.said(), "FAILED model.sig on HEAD: weights.bin is changed") {
			t.Errorf("by hand:\n%s", r.said())
		}
		script = "export PRE_COMMIT_REMOTE_NAME=origin PRE_COMMIT_REMOTE_URL=\"$2\" PRE_COMMIT_REMOTE_BRANCH=refs/heads/x PRE_COMMIT_LOCAL_BRANCH=refs/heads/" + branch + "; " + script
		if r := s.exits(want, "sh", "-c", script, "entry", s.path("model"), s.path("published.git")); want == 1 && !strings.Contains(r.said(), "not pushed: x") {
			t.Errorf("for a push:\n%s", r.said())
		}
	}
}

// TestPreCommit has pre-commit itself build the program from a copy of these sources, and push.
func TestPreCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds everything once more")
	}
	program := filepath.Join(needs.Python(t, venv.PreCommit()), "pre-commit")
	s := newSession(t, needs.GitLFS(t))
	s.exits(0, "git", "lfs", "install")
	publishModel(s)
	copySources(s)
	revision := strings.TrimSpace(s.exits(0, "git", "-C", s.path("sources"), "rev-parse", "HEAD").stdout)
	config := strings.NewReplacer("https://github.com/git-model-sign/git-model-sign", s.path("sources"), "v0.1.0", revision).Replace(yamlBlocks(t)[2])
	s.write("model/.git/pre-commit.yaml", config)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		s.Env = append(s.Env, name+"="+strings.TrimSpace(string(out)))
	}
	s.Env = append(s.Env, "GOPROXY=off", "PRE_COMMIT_HOME="+s.path("pre-commit"), "PRE_COMMIT_COLOR=never")
	in := func(want int, args ...string) result {
		t.Helper()
		return s.exits(want, "sh", append([]string{"-c", `cd "$0" && exec "$@"`, s.path("model")}, args...)...)
	}
	in(0, program, "install", "-c", ".git/pre-commit.yaml", "--hook-type", "pre-push")
	// pre-commit runs nothing for commits that the remote has already.
	in(0, "git", "commit", "-q", "--allow-empty", "-m", "More")
	r := in(1, "git", "push", "origin", "HEAD:refs/heads/bad")
	if !strings.Contains(r.said(), "FAILED model.sig on bad: weights.bin is changed") {
		t.Errorf("said:\n%s", r.said())
	}
	in(1, program, "run", "-c", ".git/pre-commit.yaml", "--hook-stage", "manual", "model-sign-verify")
	in(0, "git", "checkout", "-q", "main")
	in(0, "git", "commit", "-q", "--allow-empty", "-m", "More")
	in(0, "git", "push", "origin", "HEAD:refs/heads/good")
	in(0, program, "run", "-c", ".git/pre-commit.yaml", "--hook-stage", "manual", "model-sign-verify")
}

// copySources makes a repository of the module's files that git tracks, or would.
func copySources(s *session) {
	s.t.Helper()
	root := filepath.Join("..", "..")
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, and not staged
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.write("sources/"+name, string(content))
	}
	s.exits(0, "git", "init", "-q", "sources")
	s.exits(0, "git", "-C", s.path("sources"), "add", "-f", ".")
	s.exits(0, "git", "-C", s.path("sources"), "commit", "-q", "-m", "Sources")
}
