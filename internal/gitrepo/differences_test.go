package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func told(found []Difference) string {
	var b strings.Builder
	for _, d := range found {
		fmt.Fprintf(&b, "%c %q\n", d.What, d.Path)
	}
	return b.String()
}

func TestDifferences(t *testing.T) {
	s := gittest.New(t)
	dir := s.Empty("r")
	open := func() *Repository {
		r, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	s.WriteFiles(dir, map[string]string{"model.sig": "1", "a/b.sig": "1", "weights": "1", "odd\nname": "1"})
	s.Git(dir, "add", ".")
	if got, err := r.StagedWith(t.Context(), ".sig"); err != nil || told(got) != "A \"a/b.sig\"\nA \"model.sig\"\n" {
		t.Errorf("before the first commit: %s, %v", told(got), err)
	}
	s.Git(dir, "commit", "-q", "-m", "first")
	first := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD"))
	for _, got := range []func() ([]Difference, error){
		func() ([]Difference, error) { return r.StagedWith(t.Context(), ".sig") },
		func() ([]Difference, error) { return r.Unstaged(t.Context(), "") },
	} {
		if got, err := got(); err != nil || len(got) != 0 {
			t.Errorf("clean: %s, %v", told(got), err)
		}
	}

	s.Write(dir, "model.sig", "two")
	s.Git(dir, "add", "model.sig")
	s.Git(dir, "rm", "-q", "--cached", "a/b.sig")
	if got, err := r.StagedWith(t.Context(), ".sig"); err != nil || told(got) != "D \"a/b.sig\"\nM \"model.sig\"\n" {
		t.Errorf("staged: %s, %v", told(got), err)
	}
	s.Write(dir, "odd\nname", "three")
	if err := os.Remove(filepath.Join(dir, "weights")); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "model.sig"), past, past); err != nil {
		t.Fatal(err)
	}
	// The last one was only touched.
	if got, err := r.Unstaged(t.Context(), ""); err != nil || told(got) != "M \"model.sig\"\nM \"odd\\nname\"\nD \"weights\"\n" {
		t.Errorf("not staged: %s, %v", told(got), err)
	}
	if got, err := r.Unstaged(t.Context(), "weights"); err != nil || told(got) != "D \"weights\"\n" {
		t.Errorf("not staged, of one path: %s, %v", told(got), err)
	}

	s.Git(dir, "commit", "-q", "-m", "second")
	if got, err := r.LostPaths(t.Context(), first, "HEAD", ".sig"); err != nil || !slices.Equal(got, []string{"a/b.sig", "model.sig"}) {
		t.Errorf("lost: %q, %v", got, err)
	}
	for _, bad := range []string{strings.Repeat("1", 40), "--all", "nowhere"} {
		if _, err := r.LostPaths(t.Context(), bad, "HEAD", ".sig"); !errors.Is(err, ErrNoCommit) {
			t.Errorf("%s: %v, want ErrNoCommit", bad, err)
		}
	}
}

func TestUnstagedConflict(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1"})
	s.Git(dir, "checkout", "-q", "-b", "side")
	s.Write(dir, "a", "side")
	s.CommitAll(dir, "side")
	s.Git(dir, "checkout", "-q", "main")
	s.Write(dir, "a", "main")
	s.CommitAll(dir, "main")
	if _, err := s.TryGit(dir, "merge", "-q", "side"); err == nil {
		t.Fatal("merged without a conflict")
	}
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Unstaged(t.Context(), ""); err != nil || told(got) != "U \"a\"\n" {
		t.Errorf("%s, %v", told(got), err)
	}
}

func TestPushOrigins(t *testing.T) {
	s := gittest.New(t)
	dir := s.Empty("r")
	for _, c := range [][]string{
		{"remote.one.url", "https://example.com/a"},
		{"remote.push.url", "https://example.com/a"}, {"remote.push.pushurl", "git@example.com:b"},
		{"url.ssh://git@example.com/.insteadOf", "https://example.com/"},
	} {
		s.Git(dir, append([]string{"config"}, c...)...)
	}
	s.Git(dir, "config", "--add", "remote.two.url", "https://example.com/a")
	s.Git(dir, "config", "--add", "remote.two.url", "https://example.org/b")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, address, want string }{
		{"one", "ssh://git@example.com/a", "ssh://git@example.com/a https://example.com/a"},
		{"push", "git@example.com:b", "ssh://git@example.com/b"},
		{"push", "https://example.org/elsewhere", "https://example.org/elsewhere ssh://git@example.com/b"},
		{"two", "https://example.org/b", "https://example.org/b"},
		{"https://me:secret@example.com/c", "https://me:secret@example.com/c", "https://example.com/c"},
		{"/srv/c.git", "/srv/c.git", "file:///srv/c.git"},
		{"unknown", "https://example.com/d", "https://example.com/d"},
	} {
		origins, err := r.PushOrigins(t.Context(), tt.name, tt.address)
		var got []string
		for _, o := range origins {
			got = append(got, o.Match)
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s %s: %q, %v; want %s", tt.name, tt.address, got, err, tt.want)
		}
	}
}

func FuzzParseNameStatus(f *testing.F) {
	f.Add("M\x00a b\x00D\x00line\nend\x00")
	f.Add("M\x00")
	f.Fuzz(func(t *testing.T, out string) {
		found, err := parseNameStatus(out)
		if err == nil && len(found) > strings.Count(out, "\x00") {
			t.Errorf("%v read from %q", found, out)
		}
	})
}
