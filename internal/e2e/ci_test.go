package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// installs is how a job gets the program. It is not run here: what is tested is the program of this tree.
const installs = "go install github.com/git-model-sign/git-model-sign/cmd/git-model-sign@latest"

// gitHubWorkflow and gitLabPipeline are what docs/ci.md may use of the two languages.
type gitHubWorkflow struct {
	Name        string            `yaml:"name"`
	On          []string          `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		RunsOn string `yaml:"runs-on"`
		Steps  []struct {
			Uses string            `yaml:"uses"`
			With map[string]string `yaml:"with"`
			Env  map[string]string `yaml:"env"`
			Run  string            `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

type gitLabPipeline map[string]struct {
	Image     string            `yaml:"image"`
	Variables map[string]string `yaml:"variables"`
	Script    []string          `yaml:"script"`
}

// preCommitConfig is a .pre-commit-config.yaml.
type preCommitConfig struct {
	Repos []struct {
		Repo  string `yaml:"repo"`
		Rev   string `yaml:"rev"`
		Hooks []struct {
			ID string `yaml:"id"`
		} `yaml:"hooks"`
	} `yaml:"repos"`
}

// strictly reads one YAML document, which may hold nothing that the type does not have.
func strictly(t *testing.T, text []byte, into any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one document in:\n%s", text)
	}
}

// yamlBlocks are the blocks marked yaml in docs/ci.md.
func yamlBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "\n```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```\n")
		blocks = append(blocks, block)
	}
	if len(blocks) != 3 {
		t.Fatalf("docs/ci.md has %d blocks of YAML, want a job of GitHub's, one of GitLab's and a configuration of pre-commit", len(blocks))
	}
	return blocks
}

// ciJobs are the commands of each job that docs/ci.md shows, as they stand there.
func ciJobs(t *testing.T) map[string][]string {
	t.Helper()
	blocks := yamlBlocks(t)
	jobs := make(map[string][]string)
	var hub gitHubWorkflow
	strictly(t, []byte(blocks[0]), &hub)
	for name, job := range hub.Jobs {
		for _, step := range job.Steps {
			if (step.Uses == "") == (step.Run == "") {
				t.Errorf("a step of %s has to use an action or run commands: %+v", name, step)
			}
			for variable, value := range step.Env {
				if value != "${{ vars."+variable+" }}" {
					t.Errorf("%s is set to %s, and this test to what a variable of the repository would be", variable, value)
				}
			}
			if step.Run != "" {
				jobs["GitHub"] = append(jobs["GitHub"], step.Run)
			}
		}
	}
	var lab gitLabPipeline
	strictly(t, []byte(blocks[1]), &lab)
	for name, job := range lab {
		if job.Variables["GIT_LFS_SKIP_SMUDGE"] != "1" {
			t.Errorf("%s downloads weights", name)
		}
		jobs["GitLab"] = append(jobs["GitLab"], job.Script...)
	}
	return jobs
}

// TestCIJobs runs the commands of the jobs in docs/ci.md, in a clone such as CI makes, of a model that is as signed and of one that is not.
func TestCIJobs(t *testing.T) {
	lfs := needs.GitLFS(t)
	for name, commands := range ciJobs(t) {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, lfs)
			s.exits(0, "git", "lfs", "install")
			publishModel(s)
			key := string(s.read("signer.pub"))
			if name == "GitLab" {
				key = s.path("signer.pub") // a variable of type File
			}
			s.Env = append(s.Env, "MODEL_SIGNER="+key, "RUNNER_TEMP="+s.path("."), "GIT_LFS_SKIP_SMUDGE=1")
			i := slices.Index(commands, installs)
			if i != 0 {
				t.Fatalf("the first command of %q is not %s", commands, installs)
			}
			script := "set -e\ncd \"$1\"\n" + strings.Join(commands[1:], "\n") + "\n"
			for branch, want := range map[string]int{"main": 0, "stale": 1, "unsigned": 3} {
				s.exits(0, "git", "clone", "-q", "--depth", "1", "-b", branch, "file://"+s.path("published.git"), branch)
				r := s.exits(want, "sh", "-c", script, "job", s.path(branch))
				if want == 1 && !strings.Contains(r.said(), "weights.bin is changed") {
					t.Errorf("the file is not named:\n%s", r.said())
				}
			}
		})
	}
}

// publishModel makes published.git with branches that are as signed, out of date and not signed, and the signer's keys.
func publishModel(s *session) {
	s.keyPair("signer", "P-256")
	s.exits(0, "git", "init", "-q", "--bare", "published.git")
	s.write("model/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model/weights.bin", string(weights(20_000, "one")), "model/config.json", "{}")
	in := func(args ...string) { s.exits(0, "git", append([]string{"-C", s.path("model")}, args...)...) }
	s.exits(0, "git", "init", "-q", "model")
	in("remote", "add", "origin", s.path("published.git"))
	in("add", ".")
	in("commit", "-q", "-m", "Add the model")
	in("branch", "unsigned")
	in("model-sign", "--private-key", s.path("signer.pem"))
	in("checkout", "-q", "-b", "stale")
	s.write("model/weights.bin", string(weights(20_000, "two")))
	in("commit", "-q", "-a", "-m", "Better weights")
	in("push", "-q", "origin", "main", "stale", "unsigned")
}
