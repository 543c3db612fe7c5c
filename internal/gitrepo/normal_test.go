package gitrepo

import (
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func TestNormalURL(t *testing.T) {
	for match, want := range map[string]string{
		"https://host.example/x.git":         "https://host.example/x.git",
		"HTTPS://Host.Example:443/x.git/":    "https://host.example/x.git",
		"https://host.example:0443/x.git":    "https://host.example/x.git",
		"https://host.example:/x.git":        "https://host.example/x.git",
		"https://host.example:8443/X.git":    "https://host.example:8443/X.git",
		"http://host.example:443/":           "http://host.example:443/",
		"https://host.example":               "https://host.example/",
		"https://Host.Example./x":            "https://host.example/x",
		"ssh://git@host.example.:22/x":       "ssh://git@host.example/x",
		"https://host.example/a/./b/../c":    "https://host.example/a/c",
		"https://host.example/a/%2E%2e/c":    "https://host.example/c",
		"https://host.example/a/..":          "https://host.example/",
		"https://host.example/%7eme/%e4%2fb": "https://host.example/~me/%E4%2Fb",
		"https://host.example//a///b//":      "https://host.example/a/b",
		"ssh://git@host.example:22/x":        "ssh://git@host.example/x",
		"https://[2001:DB8::1]:443/x":        "https://[2001:db8::1]/x",
		"ssh://git@Host.example/x":           "ssh://git@host.example/x",
		"file:///srv/Models/x":               "file:///srv/Models/x",
		"file:///srv/a%20b":                  "file:///srv/a%20b",
	} {
		got, err := NormalURL(match)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", match, got, err, want)
		}
		if again, err := NormalURL(got); err != nil || again != got {
			t.Errorf("%s is not its own normal form: %q, %v", got, again, err)
		}
	}
	for _, bad := range []string{"", "x", "/srv/x", "https:///x", "https://./x", "https://.:443/x", "mailto:x@example.com", "https://host.example/..", "https://host.example/a/../../b",
		"https://user:secret@host.example/x", "https://host.example/x?token=secret", "https://host.example/x#y", "https://host.example/%zz"} {
		if got, err := NormalURL(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %q, %v; want an error without its secrets", bad, got, err)
		}
	}
}

// TestNormalURLIsGits holds two spellings against each other by git's own matching.
func TestNormalURLIsGits(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	for _, spellings := range [][2]string{
		{"https://host.example/x.git", "HTTPS://HOST.example:443/x.git"},
		{"https://host.example/x.git", "https://host.example/x"},
		{"https://host.example/x", "https://host.example/X"},
		{"https://host.example/a/b", "https://host.example/a/./c/../b"},
		{"https://host.example/a/b", "https://host.example/%61/b"},
		{"https://host.example/a/b", "https://host.example/a%2Fb"},
		{"https://host.example/a/b", "https://host.example:8443/a/b"},
		{"https://host.example/a/b", "http://host.example/a/b"},
		{"ssh://git@host.example/x", "ssh://host.example/x"},
	} {
		first, err := NormalURL(spellings[0])
		second, err2 := NormalURL(spellings[1])
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		_, forth := s.TryGit(dir, "-c", "x."+spellings[0]+".y=1", "config", "--get-urlmatch", "x.y", spellings[1])
		_, back := s.TryGit(dir, "-c", "x."+spellings[1]+".y=1", "config", "--get-urlmatch", "x.y", spellings[0])
		if same := forth == nil && back == nil; same != (first == second) {
			t.Errorf("%q: %q and %q, git takes them for the same: %v", spellings, first, second, same)
		}
	}
}

func FuzzNormalURL(f *testing.F) {
	for _, s := range []string{"https://host.example/x", "https://u:p@h/%2e%2E/", "file:///a%2fb/..", "ssh://git@[::1]:22/x", "https://h/%c3%28", "ssh://A@HF.co:22/%41/%c3%84.GIT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		normal, err := NormalURL(newRemote("", s, "/base").Match)
		if err != nil {
			return
		}
		if again, err := NormalURL(normal); err != nil || again != normal {
			t.Errorf("%q: normal form %q has the normal form %q, %v", s, normal, again, err)
		}
		if hub := hubURL(normal); onTheHub(normal) && (hubURL(hub) != hub || ComparedURL(normal) != ComparedURL(hub)) {
			t.Errorf("%q is compared as %q, and in the form of the Hub, %q, as %q", normal, ComparedURL(normal), hub, ComparedURL(hub))
		}
	})
}
