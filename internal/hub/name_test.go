package hub_test

import (
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

const mirror = "http://127.0.0.1:8080/hf"

func model(id string) hub.Repo { return hub.Repo{Type: hub.Model, ID: id} }

func TestParseName(t *testing.T) {
	for _, test := range []struct {
		s              string
		repo           hub.Repo
		revision, path string
	}{
		{"org/name", model("org/name"), "", ""},
		{"gpt2", model("gpt2"), "", ""},
		{"_a/B.c-d_", model("_a/B.c-d_"), "", ""},
		{"hf://org/name", model("org/name"), "", ""},
		{"hf://models/org/name@v1.0", model("org/name"), "v1.0", ""},
		{"hf://datasets/org/name@refs/pr/12/a/b", hub.Repo{Type: hub.Dataset, ID: "org/name"}, "refs/pr/12", "a/b"},
		{"hf://spaces/org/name@feature%2Fx/f", hub.Repo{Type: hub.Space, ID: "org/name"}, "feature/x", "f"},
		{"hf://org/name@refs/convert/parquet", model("org/name"), "refs/convert/parquet", ""},
		{"hf://org/name@refs/prune", model("org/name"), "refs", "prune"},
		{"hf://org/name/sub/file@1.txt", model("org/name"), "", "sub/file@1.txt"},
		{"https://huggingface.co/org/name", model("org/name"), "", ""},
		{"https://HuggingFace.co/org/name/", model("org/name"), "", ""},
		{"https://huggingface.co:443/org/name", model("org/name"), "", ""},
		{"http://hf.co/org/name?x=y#z", model("org/name"), "", ""},
		{"huggingface.co/org/name/tree/main", model("org/name"), "main", ""},
		{"https://huggingface.co/datasets/org/name/tree/v1/a%20b/c", hub.Repo{Type: hub.Dataset, ID: "org/name"}, "v1", "a b/c"},
		{"https://huggingface.co/org/name/tree/refs%2Fpr%2F1", model("org/name"), "refs/pr/1", ""},
		{"https://huggingface.co/org/name/blob/refs/pr/1/model.sig", model("org/name"), "refs/pr/1", "model.sig"},
		{"https://huggingface.co/spaces/org/name/resolve/main/f?download=true", hub.Repo{Type: hub.Space, ID: "org/name"}, "main", "f"},
		{"https://huggingface.co/org/name/tree", model("org/name"), "", ""},
		{mirror + "/org/name/tree/main", model("org/name"), "main", ""},
		{"http://127.0.0.1:8080/hf/datasets/org/name", hub.Repo{Type: hub.Dataset, ID: "org/name"}, "", ""},
	} {
		n, err := hub.ParseName(test.s, mirror)
		if want := (hub.Name{Repo: test.repo, Revision: test.revision, Path: test.path}); err != nil || n != want {
			t.Errorf("%q: %+v, %v; want %+v", test.s, n, err, want)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, test := range []struct{ s, err string }{
		{"", "no repository id"},
		{"a/b/c", "no repository id"},
		{"../name", "no repository id"},
		{"org/name@main", "no repository id"},
		{"org/name.git", "no repository id"},
		{"org/na--me", "no repository id"},
		{"org/na..me", "no repository id"},
		{"org/-name", "no repository id"},
		{"org/name.", "no repository id"},
		{"org/\x1b[2J", `"org/\x1b[2J"`},
		{"datasets/name", "hf://datasets/org/name"},
		{"hf://", "no repository id"},
		{"hf://gpt2", "no repository id"},
		{"hf://datasets/gpt2", "no repository id"},
		{"hf://dataset/org/name", "expected datasets/"},
		{"hf://buckets/org/name", "no model, dataset or space"},
		{"hf://org/name@a//b", "empty part"},
		{"hf://org/name//b", "empty part"},
		{"https://huggingface.co:444/org/name", `"huggingface.co:444"`},
		{"hf://org/name@", "no name of a branch"},
		{"hf://org/name@..%2F..", "no name of a branch"},
		{"hf://org/name@%zz", "no name of a branch"},
		{"https://huggingface.co/org", "not the address of a repository"},
		{"huggingface.co/org", "not the address of a repository"},
		{"https://huggingface.co/org/name/commit/abc", "tree/"},
		{"https://huggingface.co/%6frg/name", "no repository id"},
		{"https://example.com/org/name", `"example.com"`},
		{"http://127.0.0.1:8081/hf/org/name", "127.0.0.1:8081"},
		{"http://127.0.0.1:8080/other/org/name", "127.0.0.1:8080"},
		{"https://127.0.0.1:8080/hf/org/name", "127.0.0.1:8080"},
		{"ftp://huggingface.co/org/name", "scheme"},
		{"https://user:hunter2@huggingface.co/org/name", "a user or a password"},
		{"https://user:hunter2@huggingface.co/%zz", "cannot be parsed"},
	} {
		_, err := hub.ParseName(test.s, mirror)
		if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v, want one with %q that quotes no password", test.s, err, test.err)
		}
	}
}

func TestIsRevision(t *testing.T) {
	for s, want := range map[string]bool{
		"main": true, "v1.0": true, "refs/pr/1": true, "feature/größe": true, "a+b=c": true, strings.Repeat("a", 250): true,
		"": false, "/": false, "a/": false, "/a": false, "a//b": false, "..": false, "a/../b": false, "a/.b": false, "a.": false, "a.lock/b": false,
		"a b": false, "a\\b": false, "a\nb": false, "a\x7fb": false, "a:b": false, "a?b": false, "a@{1}": false, "a\xffb": false, strings.Repeat("a", 251): false,
	} {
		if got := hub.IsRevision(s); got != want {
			t.Errorf("IsRevision(%q) = %t", s, got)
		}
	}
}

func TestNamesCommit(t *testing.T) {
	const commit = "beef456789abcdef0123456789abcdef01234567"
	for revision, want := range map[string]bool{
		commit: true, "BEEF456789ABCDEF0123456789ABCDEF01234567": true, "beef456": true, "beef": true,
		"": false, "b": false, "main": false, "refs/pr/1": false, "beefs": false, "f456789": false, commit + "0": false,
	} {
		if got := hub.NamesCommit(revision, commit); got != want {
			t.Errorf("%q: %v, want %v", revision, got, want)
		}
	}
}

func TestIsPullRequest(t *testing.T) {
	for revision, want := range map[string]bool{
		"refs/pr/1": true, "refs/pr/12": true, "pr/1": true, // as git looks for names
		"main": false, "pr": false, "fix/pr/1": false, "refs/heads/pr": false, "refs/convert/parquet": false, strings.Repeat("a", 40): false,
	} {
		if got := hub.IsPullRequest(revision); got != want {
			t.Errorf("%q: %t, want %t", revision, got, want)
		}
	}
}

func TestRepoURL(t *testing.T) {
	for want, r := range map[string]hub.Repo{
		"https://huggingface.co/org/name":          model("org/name"),
		"https://huggingface.co/datasets/org/name": {Type: hub.Dataset, ID: "org/name"},
		"https://huggingface.co/spaces/org/name":   {Type: hub.Space, ID: "org/name"},
	} {
		if got := r.URL(); got != want {
			t.Errorf("URL of %v is %q, want %q", r, got, want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"org/name", "hf://datasets/org/name@refs/pr/1/x", "https://huggingface.co/org/name/tree/a%2Fb/c", mirror + "/org/name", "https://u:p@huggingface.co/org/name"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := hub.ParseName(s, mirror)
		if err != nil {
			return
		}
		if !hub.IsRepoID(n.ID) || n.Revision != "" && !hub.IsRevision(n.Revision) {
			t.Fatalf("%q: %+v", s, n)
		}
		if again, err := hub.ParseName(n.URL(), mirror); strings.Contains(n.ID, "/") && (err != nil || again.Repo != n.Repo) {
			t.Fatalf("%q: its URL %q is %+v, %v", s, n.URL(), again, err)
		}
	})
}
