package gitrepo

import (
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
	renamed := clone("renamed", "--origin", "upstream")
	instead := clone("instead")
	s.Git(instead, "config", "remote.origin.url", "short:origin")
	s.Git(instead, "config", "url."+url+".insteadOf", "short:origin")
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

	// What was fetched from a remote of another address has come from there.
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

func TestTrackingGlob(t *testing.T) {
	for refspec, want := range map[string]string{
		"+refs/heads/*:refs/remotes/origin/*":      "refs/remotes/origin/*",
		"refs/heads/main:refs/remotes/origin/main": "refs/[r]emotes/origin/main",
		"+refs/*:refs/*":                           "refs/*",
		"refs/tags/v1:refs/tags/v1":                "refs/[t]ags/v1",
		"refs/heads/main":                          "",
		"refs/heads/main:":                         "",
		"^refs/heads/main":                         "",
		"^refs/heads/*:refs/remotes/origin/*":      "",
		"main:other":                               "",
		"refs/heads/main:refs/":                    "",
		"refs/heads/main:refs/[a-z]*":              "",
	} {
		if got := trackingGlob(refspec); got != want {
			t.Errorf("%s: %q, want %q", refspec, got, want)
		}
	}
}
