package walk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// TestReplay puts old signatures back, and wants the commits named that they were
// made for.
func TestReplay(t *testing.T) {
	m := newSigned(t, map[string]string{"m/a": "1", "m/b": "same", "m/big": strings.Repeat("x", 5<<20), "other": "1"}, "m")
	repo := m.open(t, m.dir)
	signedFirst := head(t, repo)
	old, err := os.ReadFile(filepath.Join(m.dir, "m", "model.sig"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2", "3", "4"} {
		m.Write(m.dir, "m/a", text)
		m.CommitAll(m.dir, "another version")
	}
	m.sign(t, "m")
	signedLast := head(t, repo)
	m.Write(m.dir, "other", "2")
	m.CommitAll(m.dir, "beside the model")

	want := func(name, commit string, want string) {
		t.Helper()
		for kind, p := range m.places(t, commit) {
			v := walk.Verify(t.Context(), p, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Replay: true, Terminal: m.terminal})
			if v.ExitCode() != ui.ExitFailed || v.MadeFor != want {
				t.Errorf("%s, %s: exit code %d, made for %q, want %q", name, kind, v.ExitCode(), v.MadeFor, want)
			}
		}
	}
	// An old signature is put back.
	m.Write(m.dir, "m/model.sig", string(old))
	m.CommitAll(m.dir, "replay")
	want("replayed", head(t, repo), signedFirst)
	// Only the worktree has it.
	m.Git(m.dir, "reset", "-q", "--hard", "HEAD~1")
	m.Write(m.dir, "m/model.sig", string(old))
	want("replayed in the worktree", "", signedFirst)
	m.Git(m.dir, "add", ".")
	want("replayed in the index", walk.Staged, signedFirst)
	m.Git(m.dir, "reset", "-q", "--hard")
	// A file was added since, was taken away, and came as something else.
	m.Write(m.dir, "m/new", "x")
	m.CommitAll(m.dir, "add")
	want("added", head(t, repo), signedLast)
	m.Git(m.dir, "rm", "-q", "m/b")
	m.CommitAll(m.dir, "remove")
	want("removed", head(t, repo), signedLast)
	// The attributes have changed since, so that the same blobs are other files.
	m.Git(m.dir, "reset", "-q", "--hard", signedLast)
	m.Write(m.dir, ".gitattributes", "m/b ident eol=crlf\nm/a eol=crlf\n")
	m.Write(m.dir, "m/a", "4\n")
	m.Git(m.dir, "add", ".")
	m.Git(m.dir, "commit", "-q", "-m", "attributes")
	want("attributes", head(t, repo), signedLast)
	// Nothing in history is as signed.
	m.Git(m.dir, "checkout", "-q", "--orphan", "alone")
	m.CommitAll(m.dir, "without a history")
	want("without a history", head(t, repo), "")
}

// TestReplayBehindExtras changes a file that was never signed more often than
// commits are read: those that hold it are none that was signed.
func TestReplayBehindExtras(t *testing.T) {
	m := newSigned(t, map[string]string{"m/a": "1", "m/x/b": "2"}, "m")
	signed := head(t, m.open(t, m.dir))
	for n := range 40 {
		m.Write(m.dir, "m/extra", strings.Repeat("x", n))
		m.CommitAll(m.dir, "extra")
	}
	want := func(name string) {
		t.Helper()
		for _, p := range m.places(t, head(t, m.open(t, m.dir))) {
			v := walk.Verify(t.Context(), p, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Replay: true, Terminal: m.terminal})
			if v.ExitCode() != ui.ExitFailed || v.MadeFor != signed {
				t.Errorf("%s: exit code %d, made for %q, want %q", name, v.ExitCode(), v.MadeFor, signed)
			}
		}
	}
	want("a file")
	// What is no longer a folder was one when it was signed.
	m.Git(m.dir, "reset", "-q", "--hard", signed)
	m.Git(m.dir, "rm", "-q", "-r", "m/x")
	m.Write(m.dir, "m/x", "a file")
	m.CommitAll(m.dir, "a file in the place of a folder")
	want("a folder")
}

// TestNoReplay changes what is not committed: nobody has replayed anything.
func TestNoReplay(t *testing.T) {
	m := newSigned(t, map[string]string{"a": "1", "b": "2"}, "")
	m.Write(m.dir, "a", "changed")
	m.Git(m.dir, "add", "a")
	for _, commit := range []string{"", walk.Staged} {
		for kind, p := range m.places(t, commit) {
			v := walk.Verify(t.Context(), p, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Replay: true, Terminal: m.terminal})
			if v.ExitCode() != ui.ExitFailed || v.MadeFor != "" {
				t.Errorf("%s: exit code %d, made for %q", kind, v.ExitCode(), v.MadeFor)
			}
		}
	}
}

// places are the signed models of the worktree, of a commit, or of the index.
func (m *signed) places(t *testing.T, commit string) map[string]*walk.Place {
	t.Helper()
	repo := m.open(t, m.dir)
	all, err := walk.Signatures(t.Context(), repo)
	if commit != "" {
		all, err = walk.SignaturesAt(t.Context(), repo, commit)
	}
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]*walk.Place{}
	for _, p := range all {
		places[p.Signature] = p
	}
	return places
}
