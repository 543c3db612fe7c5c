package gitrepo

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// A policy for a URL holds for every address by which git reaches the same repository.
func TestSectionMatchesSpellings(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Write(dir, "../home/.gitconfig", `
[modelsign "https://Hub.example:443//org/model.git/"]
	identity = web
[modelsign "https://me@user.example/org"]
	identity = user
[modelsign "ssh://git@host.example/org/model"]
	identity = ssh
[modelsign "ssh://git@host.example:2222/org/model.git"]
	identity = port
[modelsign "https://*.star.example//org"]
	identity = star
[modelsign "https://HuggingFace.co/Acme"]
	identity = hub
[modelsign "https://huggingface.co/datasets/Acme/D%61ta.git"]
	identity = data
[modelsign "ssh://git@HF.co/Acme"]
	identity = ssh hub
[modelsign "https://*.co/Stars/One"]
	identity = any host
[modelsign "ssh://git@*.co/Stars/Other"]
	identity = any host by ssh
[modelsign "https://huggingface.co:8443/Acme"]
	identity = a mirror
[modelsign "https://two.example/x"]
	identity = first
[modelsign "https://two.example/x.git"]
	identity = second
`)
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	section, err := r.ConfigSection(t.Context(), "modelsign")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string][]string{
		"https://hub.example/org/model":                {"web"},
		"https://hub.example/org/model.git":            {"web"},
		"https://hub.example//org///model.git/":        {"web"},
		"https::https://hub.example/org/model":         {"web"},
		"https://hub.example/org/model?x=y":            {"web"},
		"https://hub.example/org/models":               nil,
		"https://user.example/org/model":               {"user"},
		"git@host.example:org/model.git":               {"ssh"},
		"git@host.example:/org//model":                 {"ssh"},
		"[git@host.example]:org/model":                 {"ssh"},
		"ssh://git@host.example:22/org/model":          {"ssh"},
		"git+ssh://git@host.example/org/model":         {"ssh"},
		"ssh+git://git@host.example/org/model.git":     {"ssh"},
		"[git@host.example:2222]:org/model":            {"port"},
		"ssh://git@host.example:2222/org/model":        {"port"},
		"https://a.star.example/org/model":             {"star"},
		"https://star.example/org/model":               nil,
		"https://huggingface.co/Acme/bert":             {"hub", "ssh hub"},
		"https://huggingface.co/acme/BERT.GIT/":        {"hub", "ssh hub"},
		"http::https://me@huggingface.co:443/%41CME/b": {"hub", "ssh hub"},
		"http://hf.co/acme/bert":                       {"hub", "ssh hub"},
		"https://huggingface.co/acmé/bert":             nil,
		"https://huggingface.co/acmes/bert":            nil,
		"https://huggingface.co/Datasets/acme/data":    {"data"},
		"https://huggingface.co/spaces/acme/data":      nil,
		"git@hf.co:acme/bert":                          {"hub", "ssh hub"},
		"https://huggingface.co./acme/bert":            {"hub", "ssh hub"},
		"ssh://git@hf.co.:22/acme/bert":                {"hub", "ssh hub"},
		"git@hf.co:stars/other":                        {"any host by ssh"},
		"git@elsewhere.co:Stars/Other":                 {"any host by ssh"},
		"https://elsewhere.co/Stars/Other":             nil,
		"git@hf.co:datasets/acme/data":                 {"data"},
		"ssh://git@hf.co:22/ACME/bert.git":             {"hub", "ssh hub"},
		"https://hf.co/Stars/one":                      {"any host"},
		"https://elsewhere.co/Stars/One":               {"any host"},
		"https://elsewhere.co/Stars/one":               nil,
		"https://huggingface.co:8443/Acme/bert":        {"a mirror"},
		"https://huggingface.co:8443/acme/bert":        nil,
		"https://two.example/x":                        {"first", "second"},
		"https://two.example/.git":                     nil,
		"ssh://git@host.example:2223/org/model.git.x/": nil,
	} {
		match := newRemote("", address, dir).Match
		got, _, err := section.Match(t.Context(), match)
		if err != nil || !slices.Equal(got["identity"], want) {
			t.Errorf("%s: %v, %v; want %v", address, got, err, want)
		}
		if own, err := section.Own(t.Context(), match); err != nil || own != (want != nil) {
			t.Errorf("%s: has something of its own: %v, %v", address, own, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	for name, c := range map[string]struct {
		config [][2]string
		want   []string
		sure   bool
	}{
		"none":            {nil, nil, false},
		"origin":          {[][2]string{{"remote.origin.url", "https://a.example/m"}, {"remote.b.url", "https://b.example/m"}}, []string{"https://a.example/m"}, true},
		"its usual name":  {[][2]string{{"clone.defaultRemoteName", "b"}, {"remote.a.url", "https://a.example/m"}, {"remote.b.url", "https://b.example/m"}}, []string{"https://b.example/m"}, true},
		"the default one": {[][2]string{{"checkout.defaultRemote", "b"}, {"remote.a.url", "https://a.example/m"}, {"remote.b.url", "https://b.example/m"}}, []string{"https://b.example/m"}, true},
		"several":         {[][2]string{{"remote.b.url", "https://b.example/m"}, {"remote.a.url", "https://a.example/m"}}, []string{"https://a.example/m", "https://b.example/m"}, false},
		"insteadOf": {[][2]string{{"remote.origin.url", "hub:org/m"}, {"url.https://short.example/.insteadOf", "hub:"}, {"url.https://long.example/.insteadOf", "hub:org/"}},
			[]string{"https://long.example/m", "ssh://hub/org/m"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			dir := s.Empty("r")
			for _, kv := range c.config {
				s.Git(dir, "config", "--add", kv[0], kv[1])
			}
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			origins, sure, err := r.Origins(t.Context())
			var got []string
			for _, o := range origins {
				got = append(got, o.Match)
			}
			if err != nil || sure != c.sure || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v, %v; want %v, %v", got, sure, err, c.want, c.sure)
			}
			// git agrees about what it takes the address for.
			if c.sure {
				expanded := s.Git(dir, "ls-remote", "--get-url", origins[0].Name)
				if match := newRemote("", strings.TrimSpace(expanded), dir).Match; match != got[0] {
					t.Errorf("git takes it for %q", match)
				}
			}
		})
	}
}

// A file of any worktree came with the repository, whichever one is open.
func TestConfigOfOtherWorktree(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n", ".gitconfig": "[modelsign]\n\tmode = off\n"})
	s.Git(s.Dir, "clone", "-q", "--bare", dir, "layout/bare.git")
	bare := s.Path("layout", "bare.git")
	s.Git(bare, "worktree", "add", "-q", "../one")
	s.Git(bare, "worktree", "add", "-q", "-b", "two", "../two")
	s.Git(dir, "worktree", "add", "-q", s.Path("linked"))
	for name, c := range map[string]struct{ common, include, open string }{
		"linked from main":  {dir, s.Path("linked", ".gitconfig"), dir},
		"main from linked":  {dir, filepath.Join(dir, ".gitconfig"), s.Path("linked")},
		"one from two":      {bare, s.Path("layout", "one", ".gitconfig"), s.Path("layout", "two")},
		"one from the bare": {bare, "../one/.gitconfig", bare},
	} {
		s.Git(c.common, "config", "--replace-all", "include.path", c.include)
		r, err := Open(t.Context(), c.open)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ConfigSection(t.Context(), "modelsign"); !errors.Is(err, ErrWorktreeConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
