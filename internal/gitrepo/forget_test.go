package gitrepo_test

import (
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// A filter, like that of Git LFS, may make the same blob of files of different
// sizes. git takes them for changed until it forgets what they looked like.
func TestForgetStat(t *testing.T) {
	s := gittest.New(t)
	s.Git(s.Dir, "config", "--global", "filter.same.clean", "cat >/dev/null; echo same")
	const odd = "line\nfeed \"\xff"
	dir := s.Init("repo", map[string]string{".gitattributes": "* filter=same\n.gitattributes -filter\n", "a": "one", odd: "two", "other": "three"})
	repo, err := gitrepo.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // git compares what is as young as its index in any case
	s.Git(dir, "update-index", "--refresh")
	s.WriteFiles(dir, map[string]string{"a": "another size", odd: "another size", "other": "another size"})
	index, err := repo.Index(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var entries []gitrepo.Entry
	for _, e := range index {
		if e.Path == "a" || e.Path == odd {
			entries = append(entries, e)
		}
	}
	before := s.Git(dir, "ls-files", "-s", "-z")
	if err := repo.ForgetStat(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if got := s.Git(dir, "status", "--porcelain", "-z"); got != " M other\x00" {
		t.Errorf("git status says %q, want that only the other file is modified", got)
	}
	if after := s.Git(dir, "ls-files", "-s", "-z"); after != before {
		t.Errorf("staged are %q, and before %q", after, before)
	}
	if err := repo.ForgetStat(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
