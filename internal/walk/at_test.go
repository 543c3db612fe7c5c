package walk_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// signed is a repository with a model that was signed in its worktree.
type signed struct {
	*gittest.Sandbox
	dir      string
	key      sign.Signer
	trust    policy.Trust
	terminal *ui.Terminal
}

func newSigned(t testing.TB, files map[string]string, models ...string) *signed {
	t.Helper()
	s := gittest.New(t)
	private, public, err := sign.GenerateKey("p256", nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.NewKey(private, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path("key.pub"), public, 0o666); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	m := &signed{Sandbox: s, dir: s.Init("r", files), key: key,
		trust: policy.Trust{PublicKeys: []string{s.Path("key.pub")}}, terminal: ui.NewTerminal(null, null)}
	for _, model := range models {
		m.sign(t, model)
	}
	return m
}

// sign signs a model and commits its signature.
func (m *signed) sign(t testing.TB, model string) {
	t.Helper()
	p, err := walk.Locate(t.Context(), filepath.Join(m.dir, model), "", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = walk.Sign(t.Context(), p, walk.SignOptions{Signer: m.key, Commit: true, Terminal: m.terminal,
		Serialization: oms.Serialization{Method: oms.Files, HashType: oms.SHA256}})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *signed) open(t testing.TB, dir string) *gitrepo.Repository {
	t.Helper()
	repo, err := gitrepo.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func head(t testing.TB, repo *gitrepo.Repository) string {
	t.Helper()
	id, err := repo.ResolveCommit(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// verify verifies every signature of a commit, and returns the verdicts by the
// model's name.
func (m *signed) verify(t *testing.T, repo *gitrepo.Repository, commit string) map[string]*ui.Verdict {
	t.Helper()
	places, err := walk.SignaturesAt(t.Context(), repo, commit)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]*ui.Verdict{}
	for _, p := range places {
		v := walk.Verify(t.Context(), p, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Terminal: m.terminal})
		if v.Commit != commit {
			t.Errorf("the verdict is on commit %q, want %q", v.Commit, commit)
		}
		verdicts[p.Name] = v
	}
	return verdicts
}

// counts checks that a verdict is good, and how its files are known.
func counts(t *testing.T, name string, v *ui.Verdict, read, promised int) {
	t.Helper()
	if v == nil || v.Err != nil || v.ExitCode() != ui.ExitOK {
		t.Errorf("%s: verdict %+v", name, v)
		return
	}
	if r, p := v.Report.Count(check.Read), v.Report.Count(check.Promised); r != read || p != promised {
		t.Errorf("%s: %d read and %d promised, want %d and %d", name, r, p, read, promised)
	}
}

func TestVerifyCommitOfShapes(t *testing.T) {
	m := newSigned(t, gittest.Files(), "sub", "")
	m.Git(m.dir, "config", "uploadpack.allowFilter", "true")
	m.Git(m.dir, "config", "uploadpack.allowAnySHA1InWant", "true")
	m.Git(m.Dir, "clone", "-q", "--bare", m.dir, m.Path("bare"))
	m.Git(m.Dir, "clone", "-q", "--bare", "--filter=blob:none", "file://"+m.dir, m.Path("partial"))
	m.Git(m.Dir, "clone", "-q", "--shared", m.dir, m.Path("shared"))
	m.Git(m.dir, "worktree", "add", "-q", "--detach", m.Path("linked"))
	files := len(gittest.Files())
	for _, dir := range []string{m.dir, m.Path("bare"), m.Path("partial"), m.Path("shared"), m.Path("linked")} {
		name := filepath.Base(dir)
		repo := m.open(t, dir)
		verdicts := m.verify(t, repo, head(t, repo))
		counts(t, name, verdicts["."], files+1, 0) // the signature of sub is signed as well, as it was there before
		counts(t, name+": sub", verdicts["sub"], 2, 0)
		if name == "partial" {
			if n := verdicts["."].Report.Fetched + verdicts["sub"].Report.Fetched; n < files {
				t.Errorf("%d blobs were fetched, want all of %d", n, files)
			}
			again := m.verify(t, repo, head(t, repo))
			if again["."].Report.Fetched != 0 {
				t.Errorf("%d blobs were fetched again", again["."].Report.Fetched)
			}
		}
		if repo.Bare {
			continue
		}
		verdicts = m.verify(t, repo, walk.Staged)
		counts(t, name+", staged", verdicts["sub"], 2, 0)
	}
}

// TestVerifyQuarantined verifies objects that are in no repository yet, as
// pre-receive finds them.
func TestVerifyQuarantined(t *testing.T) {
	m := newSigned(t, map[string]string{"a": "1", "b/c": "2"}, "")
	bare := m.Path("empty")
	m.Git(m.Dir, "init", "-q", "--bare", bare)
	commit := head(t, m.open(t, m.dir))
	t.Setenv("GIT_QUARANTINE_PATH", filepath.Join(m.dir, ".git", "objects"))
	t.Setenv("GIT_OBJECT_DIRECTORY", filepath.Join(m.dir, ".git", "objects"))
	t.Setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", filepath.Join(bare, "objects"))
	counts(t, "quarantined", m.verify(t, m.open(t, bare), commit)["."], 2, 0)
}

// TestVerifyAttributesDiffer signs what a checkout writes, and verifies that in
// a repository that has no worktree.
func TestVerifyAttributesDiffer(t *testing.T) {
	m := newSigned(t, map[string]string{".gitattributes": "*.txt eol=crlf\n*.id ident\n", "a.txt": "a\nb\n", "b.id": "$Id$\n", "c": "$Id$\n"})
	m.Git(m.dir, "rm", "-q", "--cached", "-r", ".")
	m.Git(m.dir, "reset", "-q", "--hard")
	m.sign(t, "")
	m.Git(m.Dir, "clone", "-q", "--bare", m.dir, m.Path("bare"))
	repo := m.open(t, m.Path("bare"))
	counts(t, "converted", m.verify(t, repo, head(t, repo))["."], 3, 0)
}

func TestVerifyStaged(t *testing.T) {
	m := newSigned(t, map[string]string{"a": "1", "b": "2"}, "")
	m.Write(m.dir, "a", "changed in the worktree")
	repo := m.open(t, m.dir)
	counts(t, "changed in the worktree", m.verify(t, repo, walk.Staged)["."], 2, 0)
	m.Git(m.dir, "add", "a")
	v := m.verify(t, repo, walk.Staged)["."]
	if bad := v.Report.Failures(); v.ExitCode() != ui.ExitFailed || len(bad) != 1 || bad[0].Path != "a" {
		t.Errorf("staged change: %+v", v.Report)
	}
	counts(t, "HEAD", m.verify(t, repo, head(t, repo))["."], 2, 0)
}

func TestLocateAt(t *testing.T) {
	m := newSigned(t, map[string]string{"m/a": "1", "m/b": "2", "one.bin": "3", "other.sig": "a file of some program", "other": "x"}, "m", "one.bin")
	repo := m.open(t, m.dir)
	commit := head(t, repo)
	for _, c := range []struct {
		path, signature string
		want            walk.Place
	}{
		{"m", "", walk.Place{Path: "m", Name: "m", Signature: "m/model.sig"}},
		{"", "", walk.Place{Path: "", Name: ".", Signature: "model.sig"}},
		{"one.bin", "", walk.Place{Path: "one.bin", Name: "one.bin", Signature: "one.bin.sig", Single: true}},
		{"m", "elsewhere/x.sig", walk.Place{Path: "m", Name: "m", Signature: "elsewhere/x.sig"}},
	} {
		p, err := walk.LocateAt(t.Context(), repo, commit, c.path, c.signature)
		if err != nil || p.Path != c.want.Path || p.Name != c.want.Name || p.Signature != c.want.Signature || p.Single != c.want.Single || p.Commit != commit {
			t.Errorf("LocateAt(%q, %q) = %+v, %v", c.path, c.signature, p, err)
		}
	}
	if _, err := walk.LocateAt(t.Context(), repo, commit, "no such", ""); ui.Code(err) != ui.ExitUsage || !strings.Contains(err.Error(), commit[:10]) {
		t.Errorf("a path that is not there: %v", err)
	}
	places, err := walk.SignaturesAt(t.Context(), repo, commit)
	var got []string
	for _, p := range places {
		got = append(got, p.Signature)
	}
	if want := []string{"m/model.sig", "one.bin.sig"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("SignaturesAt = %q, %v; want %q", got, err, want)
	}
	counts(t, "single", m.verify(t, repo, commit)["one.bin"], 1, 0)
	p, _ := walk.LocateAt(t.Context(), repo, commit, "", "")
	if v := walk.Verify(t.Context(), p, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Terminal: m.terminal}); v.ExitCode() != ui.ExitUnsigned {
		t.Errorf("without a signature: %+v", v)
	}
}
