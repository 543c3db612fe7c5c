package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func TestPublished(t *testing.T) {
	s := gittest.New(t)
	origin := s.Init("origin", map[string]string{"a": "1\n"})
	s.Git(origin, "tag", "first")
	s.Git(origin, "checkout", "-q", "-b", "side")
	s.Write(origin, "side", "1\n")
	s.CommitAll(origin, "on a branch")
	s.Git(origin, "checkout", "-q", "--detach")
	s.Write(origin, "tagged", "1\n")
	s.CommitAll(origin, "under a tag alone")
	s.Git(origin, "tag", "alone")
	s.Git(origin, "checkout", "-q", "main")
	s.Write(origin, "a", "2\n")
	s.CommitAll(origin, "second")
	fork := s.Path("fork")
	s.Git(s.Path(), "clone", "-q", origin, fork)
	s.Write(fork, "a", "evil\n")
	s.CommitAll(fork, "the fork's")
	url := "file://" + origin

	clone := func(name string, args ...string) string {
		dir := s.Path(name)
		s.Git(s.Path(), append(append([]string{"clone", "-q"}, args...), url, dir)...)
		s.Git(dir, "fetch", "-q", fork, "main:refs/heads/theirs")
		s.Git(dir, "fetch", "-q", fork, "main")
		return dir
	}
	usual, bare, mirror := clone("usual"), clone("bare", "--bare"), clone("mirror", "--mirror")
	s.Git(usual, "tag", "theirs-too", "theirs")
	fresh := s.Path("fresh")
	s.Git(s.Path(), "clone", "-q", "--bare", url, fresh)
	s.Git(fresh, "fetch", "-q", fork, "main")
	detached := s.Path("detached")
	s.Git(s.Path(), "clone", "-q", "--bare", url, detached)
	s.Git(detached, "update-ref", "--no-deref", "HEAD", "refs/tags/alone")
	s.Git(detached, "tag", "-d", "alone")
	single := clone("single", "--single-branch", "--branch", "main")
	tag := clone("tag", "--depth", "1", "--branch", "alone")
	all := clone("all")
	s.Git(all, "config", "--add", "remote.origin.fetch", "+refs/tags/*:refs/tags/*")
	renamed := clone("renamed", "--origin", "upstream")
	instead := clone("instead")
	s.Git(instead, "config", "remote.origin.url", "short:origin")
	s.Git(instead, "config", "url."+url+".insteadOf", "short:origin")
	unnamed := clone("unnamed") // whose remote is gone, and whose HEAD is on what came from elsewhere
	s.Git(unnamed, "branch", "-q", "-D", "theirs")
	s.Git(unnamed, "checkout", "-q", "--detach", "FETCH_HEAD")
	s.Git(unnamed, "remote", "remove", "origin")
	never := s.Empty("never")
	s.Git(never, "remote", "add", "origin", url)
	s.Git(never, "fetch", "-q", fork, "main:refs/heads/theirs")

	for _, c := range []struct {
		dir, commit string
		want        bool
	}{
		{usual, "main", true},
		{usual, "main~1", true},
		{usual, "origin/side", true},
		{usual, "alone", false}, // a tag may have come from anywhere
		{usual, "FETCH_HEAD", false},
		{usual, "theirs", false},
		{usual, "theirs-too", false},
		{renamed, "main", true},
		{renamed, "theirs", false},
		{instead, "main", true},
		{instead, "theirs", false},
		{single, "main", true},
		{single, "first", true},
		{single, "theirs", false},
		{bare, "main", true},
		{bare, "alone", true},
		{bare, "theirs", true}, // as one of its branches, of which nobody tells whose they are
		{fresh, "main", true},
		{fresh, "FETCH_HEAD", false},
		{detached, "HEAD", true},
		{mirror, "side", true},
		{mirror, "alone", true},
		{tag, "HEAD", true},
		{all, "main", true},
		{all, "alone", false}, // git puts the tags of any repository there
		{unnamed, "main", true},
		{unnamed, "HEAD", false},
		{never, "theirs", false},
	} {
		r, err := Open(t.Context(), c.dir)
		if err != nil {
			t.Fatal(err)
		}
		commit, err := r.ResolveCommit(t.Context(), c.commit)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Published(t.Context(), commit, url); err != nil || got != c.want {
			t.Errorf("%s: %s = %v, %v; want %v", c.dir, c.commit, got, err, c.want)
		}
	}

	// What was fetched from a remote of another address has come from there, wherever it is kept.
	s.Git(all, "remote", "add", "fork", fork)
	s.Git(all, "config", "remote.fork.fetch", "+refs/heads/*:refs/remotes/origin/fork/*")
	s.Git(all, "fetch", "-q", "fork")
	if r, err := Open(t.Context(), all); err != nil {
		t.Fatal(err)
	} else if got, err := r.Published(t.Context(), strings.TrimSpace(s.Git(all, "rev-parse", "origin/fork/main")), url); err != nil || got {
		t.Errorf("among the branches of another remote = %v, %v; want false", got, err)
	}
	s.Git(usual, "remote", "add", "fork", fork)
	s.Git(usual, "fetch", "-q", "fork")
	commit := strings.TrimSpace(s.Git(usual, "rev-parse", "fork/main"))
	for address, want := range map[string]bool{url: false, url + "/": false, "file://" + fork: true} {
		r, err := Open(t.Context(), usual)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Published(t.Context(), commit, address); err != nil || got != want {
			t.Errorf("%s of %s = %v, %v; want %v", commit, address, got, err, want)
		}
	}
}

func TestPublishedRefs(t *testing.T) {
	for _, c := range []struct {
		refspec, want string
		bare          bool
	}{
		{"+refs/heads/*:refs/remotes/origin/*", "refs/remotes/origin/*", false},
		{"refs/heads/main:refs/remotes/origin/main", "refs/[r]emotes/origin/main", false},
		{"refs/heads/release/*:refs/remotes/origin/r/*", "refs/remotes/origin/r/*", false},
		{"refs/heads/main:mine", "refs/[h]eads/mine", false},
		{"refs/heads/main:heads/mine", "refs/[h]eads/mine", false},
		{"+refs/*:refs/*", "refs/heads/* refs/tags/*", true},
		{"+refs/*:refs/remotes/o/*", "refs/remotes/o/heads/*", false},
		{"+refs/he*:refs/remotes/o/x*", "refs/remotes/o/xads/*", false},
		{"+refs/*/head:refs/remotes/o/*", "", true},
		{"refs/tags/v1:refs/tags/v1", "refs/[t]ags/v1", false},
		{"+refs/tags/*:refs/tags/*", "", false},
		{"+refs/tags/*:refs/tags/*", "refs/tags/*", true},
		{"+refs/pull/*/head:refs/remotes/origin/pr/*", "", true},
		{"refs/pull/1/head:refs/remotes/origin/pr/1", "", true},
		{"pull/1/head:refs/remotes/origin/pr/1", "", true},
		{"refs/heads/main", "", true},
		{"refs/heads/main:", "", true},
		{"^refs/heads/main", "", true},
		{"^refs/heads/*:refs/remotes/origin/*", "", true},
		{"refs/heads/*:refs/remotes/origin/main", "", true},
		{"refs/heads/main:refs/[a-z]*", "", true},
	} {
		s, fills := parseRefspec(c.refspec)
		if !fills {
			s = refspec{}
		}
		if got := strings.Join(s.published(c.bare), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.refspec, got, c.want)
		}
	}
}

// TestPullRequestsArePublishedByNobody fetches what anybody could have a remote keep, into every place where
// somebody may want it.
func TestPullRequestsArePublishedByNobody(t *testing.T) {
	s := gittest.New(t)
	origin := s.Init("origin", map[string]string{"a": "1\n"})
	s.Git(origin, "checkout", "-q", "--detach")
	s.Write(origin, "a", "evil\n")
	s.CommitAll(origin, "a pull request")
	s.Git(origin, "update-ref", "refs/pull/1/head", "HEAD")
	s.Git(origin, "checkout", "-q", "main")
	url := "file://" + origin

	for _, c := range []struct {
		name     string
		clone    []string
		refspecs []string // besides those that clone configures
		evil     string
	}{
		{"usual", nil, nil, ""},
		{"mirror", []string{"--mirror"}, nil, "refs/pull/1/head"},
		{"among the branches", nil, []string{"+refs/pull/*/head:refs/remotes/origin/pr/*"}, "origin/pr/1"},
		{"one among the branches", nil, []string{"+refs/pull/1/head:refs/remotes/origin/pr/1"}, "origin/pr/1"},
		{"all among the branches", nil, []string{"+refs/*:refs/remotes/origin/all/*"}, "refs/remotes/origin/all/pull/1/head"},
		{"beside the branches", nil, []string{"+refs/pull/*/head:refs/pulls/*"}, "refs/pulls/1"},
		{"among one's own", nil, []string{"+refs/pull/*/head:refs/heads/pr/*"}, "refs/heads/pr/1"},
		{"in a bare clone", []string{"--bare"}, []string{"+refs/pull/*/head:refs/heads/pr/*"}, "refs/heads/pr/1"},
		{"in a bare clone by a short name", []string{"--bare"}, []string{"+refs/pull/1/head:pr/1"}, "refs/heads/pr/1"},
		{"single branch", []string{"--single-branch", "--branch", "main"}, []string{"+refs/pull/1/head:refs/remotes/origin/pr/1"}, "origin/pr/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := s.Path(strings.ReplaceAll(c.name, " ", "-"))
			s.Git(s.Path(), append(append([]string{"clone", "-q"}, c.clone...), url, dir)...)
			for _, r := range c.refspecs {
				s.Git(dir, "config", "--add", "remote.origin.fetch", r)
			}
			s.Git(dir, "fetch", "-q")
			want := map[string]bool{"main": true}
			if c.evil != "" {
				want[c.evil] = false
			}
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			for rev, want := range want {
				commit, err := r.ResolveCommit(t.Context(), rev)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := r.Published(t.Context(), commit, url); err != nil || got != want {
					t.Errorf("%s = %v, %v; want %v", rev, got, err, want)
				}
			}
		})
	}
}

func TestPublishedFile(t *testing.T) {
	s := gittest.New(t)
	origin := s.Init("origin", map[string]string{"a.sig": "good\n", "b": "1\n"})
	s.Write(origin, "a.sig", "better\n")
	s.CommitAll(origin, "second")
	s.Write(origin, "b", "2\n")
	s.CommitAll(origin, "third")
	url := "file://" + origin
	dir := s.Path("clone")
	s.Git(s.Path(), "clone", "-q", url, dir)
	s.Git(dir, "checkout", "-q", "-b", "theirs", "main~1")
	s.Write(dir, "a.sig", "evil\n")
	s.CommitAll(dir, "theirs")
	s.Git(dir, "checkout", "-q", "-b", "old", "main~2")
	s.Write(dir, "c", "1\n")
	s.CommitAll(dir, "work")

	for _, c := range []struct {
		name string
		at   string
		then func()
		want bool
	}{
		{"what was cloned", "main", nil, true},
		{"a commit before", "main~2", nil, true},
		{"one's own work", "old", nil, true},
		{"a merge of the remote", "old", func() { s.Git(dir, "merge", "-q", "--no-edit", "origin/main") }, true},
		{"a merge of the remote as it was", "old", func() { s.Git(dir, "merge", "-q", "--no-edit", "origin/main~1") }, true},
		{"theirs", "theirs", nil, false},
		{"a commit on theirs", "theirs", func() { s.Git(dir, "commit", "-q", "--allow-empty", "-m", "on top") }, false},
		{"a merge of theirs", "main", func() { s.Git(dir, "merge", "-q", "--no-ff", "--no-edit", "theirs") }, false},
		{"a merge of theirs that keeps the remote's", "main", func() { s.Git(dir, "merge", "-q", "--no-ff", "--no-edit", "-s", "ours", "theirs") }, true},
		{"a merge of the remote that keeps theirs", "theirs", func() { s.Git(dir, "merge", "-q", "--no-ff", "--no-edit", "-s", "ours", "main") }, false},
		{"a merge that has neither", "main", func() {
			s.Git(dir, "merge", "-q", "--no-ff", "--no-commit", "theirs")
			s.Write(dir, "a.sig", "worse\n")
			s.CommitAll(dir, "merge")
		}, false},
		{"theirs in the worktree", "main", func() { s.Write(dir, "a.sig", "evil\n") }, false},
		{"theirs staged", "main", func() { s.Git(dir, "checkout", "-q", "theirs", "--", "a.sig") }, false},
		{"an orphan", "main", func() { s.Git(dir, "checkout", "-q", "--orphan", "orphan") }, false},
		{"a root of its own", "main", func() {
			s.Git(dir, "checkout", "-q", "--orphan", "root")
			s.Git(dir, "commit", "-q", "-m", "root")
		}, false},
		{"other line ends", "main", func() {
			s.Git(dir, "config", "core.autocrlf", "true")
			s.Write(dir, "a.sig", "better\r\n")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Git(dir, "checkout", "-q", "-f", "--detach", c.at)
			if c.then != nil {
				c.then()
			}
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(filepath.Join(dir, "a.sig"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.PublishedFile(t.Context(), "a.sig", content, url); err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}
