package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// TestBranch holds the branch that is read here against the one that git names, and
// wants git to be asked wherever HEAD is more than the name of a branch.
func TestBranch(t *testing.T) {
	head := func(text string) func(*gittest.Sandbox, string) {
		return func(s *gittest.Sandbox, dir string) { s.Write(dir, ".git/HEAD", text) }
	}
	for name, tt := range map[string]struct {
		change func(s *gittest.Sandbox, dir string)
		plain  bool
		want   string
	}{
		"a branch":           {func(*gittest.Sandbox, string) {}, true, "main"},
		"one in folders":     {head("ref: refs/heads/topic/v1.2_x-y\n"), true, "topic/v1.2_x-y"},
		"one that is packed": {func(s *gittest.Sandbox, dir string) { s.Git(dir, "pack-refs", "--all") }, true, "main"},
		"detached":           {func(s *gittest.Sandbox, dir string) { s.Git(dir, "checkout", "-q", "--detach") }, false, ""},
		"an odd name":        {head("ref: refs/heads/a@b\n"), false, "a@b"},
		"more space":         {head("ref:   refs/heads/main \n"), false, "main"},
		"no branch":          {head("ref: refs/remotes/origin/main\n"), false, "refs/remotes/origin/main"},
		"another folder":     {head("ref: refs/heads/../heads/main\n"), false, ""},
		"a symbolic branch": {func(s *gittest.Sandbox, dir string) {
			s.Git(dir, "symbolic-ref", "refs/heads/main", "refs/heads/other")
		}, false, "other"},
		"where a folder lies": {func(s *gittest.Sandbox, dir string) { s.Git(dir, "branch", "a/b"); head("ref: refs/heads/a\n")(s, dir) }, false, "a"},
		"a link": {func(s *gittest.Sandbox, dir string) {
			if err := os.Remove(filepath.Join(dir, ".git", "HEAD")); err != nil {
				t.Fatal(err)
			}
			symlink(t, "refs/heads/main", filepath.Join(dir, ".git", "HEAD"))
		}, false, "main"},
		"where refs are kept": {func(s *gittest.Sandbox, dir string) {
			s.Git(dir, "config", "core.repositoryFormatVersion", "1")
			s.Git(dir, "config", "extensions.refStorage", "files")
		}, false, "main"},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			dir := s.Init("r", map[string]string{"a": "1\n"})
			if name == "where refs are kept" {
				s.NeedGit(2, 45, "for extensions.refStorage")
			}
			r := openAt(t, dir)
			tt.change(s, dir)
			got, err := r.branch(t.Context())
			plain, ok := r.plainBranch(t.Context())
			own, gitErr := s.TryGit(dir, "symbolic-ref", "-q", "HEAD")
			own = strings.TrimPrefix(strings.TrimSpace(own), "refs/heads/")
			if ok != tt.plain || ok && plain != tt.want {
				t.Errorf("read here: %q, %v; want %q, %v", plain, ok, tt.want, tt.plain)
			}
			if gitErr == nil && own != tt.want || err == nil && got != tt.want {
				t.Errorf("branch = %q, %v; git says %q, %v; want %q", got, err, own, gitErr, tt.want)
			}
		})
	}
}
