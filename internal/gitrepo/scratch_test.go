package gitrepo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// TestScratchLeavesTheRepositoryAlone wants nothing written into the repository
// and none of its hooks run by what is done in an index of its own.
func TestScratchLeavesTheRepositoryAlone(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n", ".gitattributes": "a eol=crlf\n"})
	s.Git(dir, "config", "core.splitIndex", "true")
	s.Git(dir, "config", "core.untrackedCache", "true")
	ran := s.Path("ran")
	for _, name := range []string{"post-index-change", "post-checkout"} {
		s.Write(dir, ".git/hooks/"+name, "#!/bin/sh\necho "+name+" >>'"+filepath.ToSlash(ran)+"'\n")
		if err := os.Chmod(filepath.Join(dir, ".git", "hooks", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"plain", "with = and .dots"} { // which git 2.54 and newer run
		s.Git(dir, "config", "hook."+name+".event", "post-index-change")
		s.Git(dir, "config", "hook."+name+".command", "echo configured >>'"+filepath.ToSlash(ran)+"'")
	}
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "user.name")
	t.Setenv("GIT_CONFIG_VALUE_0", "x")
	repo, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := repo.Index(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	scratch, err := repo.NewScratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	if err := scratch.Add(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if values, err := scratch.Attributes(t.Context(), []string{"a"}, "eol"); err != nil || values[0][0] != "crlf" {
		t.Errorf("attributes %q, %v", values, err)
	}
	written, err := scratch.CheckOut(t.Context(), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(written["a"]); err != nil || string(text) != "1\r\n" {
		t.Errorf("written %q, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".git", "sharedindex.*")); err != nil || len(left) != 0 {
		t.Errorf("left in the repository: %q, %v", left, err)
	}
	if text, err := os.ReadFile(ran); err == nil {
		t.Errorf("hooks were run: %s", text)
	}
}
