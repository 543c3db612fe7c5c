package walk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// push checks a push as git would have it and returns the exit code and what was said.
func (m *signed) push(t testing.TB, o walk.PushOptions, tips ...walk.Tip) (int, string) {
	t.Helper()
	var said bytes.Buffer
	o.Terminal = &ui.Terminal{Out: &said, Err: &said}
	code, err := walk.CheckPush(t.Context(), m.open(t, m.dir), tips, o)
	if err != nil {
		t.Fatal(err)
	}
	return code, said.String()
}

func (m *signed) id(rev string) string { return strings.TrimSpace(m.Git(m.dir, "rev-parse", rev)) }

func TestCheckPush(t *testing.T) {
	m := newSigned(t, map[string]string{"a/weights": "1", "b/weights": "1", "single": "1"}, "a", "b", "single")
	good := m.id("HEAD")
	m.Write(m.dir, "a/weights", "2")
	m.CommitAll(m.dir, "stale")
	stale := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", good)
	m.Git(m.dir, "rm", "-q", "single.sig", "b/model.sig", "b/weights")
	m.CommitAll(m.dir, "dropped")
	dropped := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", good)
	m.Git(m.dir, "mv", "a/model.sig", "a/team.oms.sig")
	m.CommitAll(m.dir, "renamed")
	renamed := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", good)
	m.Git(m.dir, "mv", "a/model.sig", "a/model.bob.sig")
	m.CommitAll(m.dir, "by a co-signer alone")
	alone := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", good, "--", "a/model.sig")
	m.CommitAll(m.dir, "by both")
	both := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", alone)
	m.Write(m.dir, "a/model.bob.sig", "gone")
	m.Write(m.dir, "single.sig", "gone")
	m.CommitAll(m.dir, "overwritten")
	overwritten := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", good)
	m.Write(m.dir, ".gitattributes", "*.x -text\n")
	m.Write(m.dir, ".github/x.yml", "1")
	m.CommitAll(m.dir, "git's own files")
	own := m.id("HEAD")
	m.Write(m.dir, "pytorch_model.bin", "evil")
	m.CommitAll(m.dir, "beside a signed folder")
	beside := m.id("HEAD")
	m.Git(m.dir, "checkout", "-q", "--detach", good)
	m.Git(m.dir, "mv", "b", "c")
	m.Git(m.dir, "rm", "-q", "-f", "c/model.sig")
	m.Write(m.dir, "c/evil", "evil")
	m.CommitAll(m.dir, "moved")
	moved := m.id("HEAD")
	m.Git(m.dir, "tag", "-a", "-m", "x", "v1", stale)
	m.Git(m.dir, "tag", "blob", good+":single")
	trusting := policy.Policy{Trust: m.trust}
	required := policy.Policy{Trust: m.trust, Require: true}
	several := policy.Policy{Trust: m.trust, Require: true, Threshold: 1}
	nowhere := strings.Repeat("1", 40)
	strict := policy.Policy{FirstUse: policy.RefuseUnknown}
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		tips   []walk.Tip
		code   int
		says   []string // each is said; one with a ! before it is not
	}{
		{"nothing", required, nil, 0, nil},
		{"good", trusting, []walk.Tip{{"refs/heads/main", "", good}}, 0, []string{"verified a/model.sig on main", "verified single.sig on main"}},
		{"good, nobody trusted", policy.Policy{}, []walk.Tip{{"refs/heads/main", "", good}}, 0, []string{"a/model.sig on main: 1 file as listed", "not verified", "!verified a/"}},
		{"stale", trusting, []walk.Tip{{"refs/heads/main", good, stale}}, 1, []string{"FAILED a/model.sig on main: weights is changed", "error: not pushed: main", "verified b/model.sig"}},
		{"stale, nobody trusted", policy.Policy{}, []walk.Tip{{"refs/heads/main", good, stale}}, 1, []string{"FAILED a/model.sig on main: weights is changed; claims to be signed by"}},
		{"stale, by a tag", trusting, []walk.Tip{{"refs/tags/v1", "", m.id("v1")}}, 1, []string{"not pushed: v1"}},
		{"stale, by two refs", trusting, []walk.Tip{{"refs/heads/a", "", stale}, {"refs/heads/b", "", stale}}, 1, []string{"not pushed: a, b", "!on b"}},
		{"one of two", trusting, []walk.Tip{{"refs/heads/a", "", good}, {"refs/heads/b", "", stale}}, 1, []string{"not pushed: b"}},
		{"notes, required", required, []walk.Tip{{"refs/notes/commits", "", m.id(good + "~3")}, {"refs/remotes/origin/main", "", m.id(good + "~3")}}, 0, []string{"!a"}},
		{"notes and a tag, required", required, []walk.Tip{{"refs/notes/commits", "", m.id(good + "~3")}, {"refs/tags/v1", "", stale}}, 1, []string{"not pushed: v1\n"}},
		{"stale, for review", trusting, []walk.Tip{{"refs/for/main", "", stale}}, 1, []string{"not pushed: refs/for/main\n"}},
		{"by hand, required", required, []walk.Tip{{"HEAD", "", stale}}, 1, []string{"not pushed: HEAD\n"}},
		{"deleted", required, []walk.Tip{{"refs/heads/main", good, ""}}, 0, []string{"!a"}},
		{"no commit", required, []walk.Tip{{"refs/tags/blob", "", m.id("blob")}}, 0, []string{"!a"}},
		{"warn", policy.Policy{Trust: m.trust, Mode: policy.ModeWarn}, []walk.Tip{{"refs/heads/main", good, stale}}, 0, []string{"FAILED", "warning: main would be refused"}},
		{"on failure warn", policy.Policy{Trust: m.trust, OnFailure: policy.OnFailureWarn}, []walk.Tip{{"refs/heads/main", good, stale}}, 0, []string{"FAILED"}},
		{"off", policy.Policy{Trust: m.trust, Mode: policy.ModeOff}, []walk.Tip{{"refs/heads/main", good, stale}}, 0, []string{"!a"}},
		{"dropped", trusting, []walk.Tip{{"refs/heads/main", good, dropped}}, 0, []string{"warning: main takes away single.sig, and", "!b/model.sig"}},
		{"overwritten", trusting, []walk.Tip{{"refs/heads/main", alone, overwritten}}, 0, []string{"verified b/model.sig", "warning: main takes away a/model.bob.sig, single.sig, and"}},
		{"overwritten, nobody trusted", policy.Policy{}, []walk.Tip{{"refs/heads/main", alone, overwritten}}, 0, []string{"warning: main takes away a/model.bob.sig, single.sig, and"}},
		{"overwritten, required", required, []walk.Tip{{"refs/heads/main", alone, overwritten}}, 1, []string{"takes away a/model.bob.sig, single.sig", "not pushed: main"}},
		{"overwritten before", trusting, []walk.Tip{{"refs/heads/main", overwritten, overwritten}}, 0, []string{"!takes away"}},
		{"under another name", trusting, []walk.Tip{{"refs/heads/main", good, renamed}}, 0, []string{"verified a/team.oms.sig", "takes away a/model.sig"}},
		{"under another name, required", required, []walk.Tip{{"refs/heads/main", good, renamed}}, 1, []string{"verified a/team.oms.sig", "takes away a/model.sig", "not pushed: main"}},
		{"a co-signature", trusting, []walk.Tip{{"refs/heads/main", both, good}}, 0, []string{"takes away a/model.bob.sig"}},
		{"a co-signature, required", required, []walk.Tip{{"refs/heads/main", both, good}}, 0, []string{"verified a/model.sig", "takes away a/model.bob.sig"}},
		{"a co-signature, a number required", several, []walk.Tip{{"refs/heads/main", both, good}}, 0, []string{"verified a/model.sig", "!takes away"}},
		{"the usual one, required", required, []walk.Tip{{"refs/heads/main", both, alone}}, 1, []string{"verified a/model.bob.sig", "takes away a/model.sig", "not pushed: main"}},
		{"the usual one, a number required", several, []walk.Tip{{"refs/heads/main", both, alone}}, 0, []string{"verified a/model.bob.sig", "!takes away"}},
		{"all, a number required", several, []walk.Tip{{"refs/heads/main", alone, overwritten}}, 1, []string{"takes away a/model.bob.sig, single.sig"}},
		{"dropped, required", required, []walk.Tip{{"refs/heads/main", good, dropped}}, 1, []string{"takes away single.sig", "not pushed: main"}},
		{"dropped, from what is not here", required, []walk.Tip{{"refs/heads/main", nowhere, dropped}}, 1, []string{"verified a/model.sig", "main holds 1 tracked file that no signature covers: single, and a signature is required"}},
		{"beside a signed folder, required", required, []walk.Tip{{"refs/heads/new", "", beside}}, 1, []string{"verified a/model.sig", "new holds 1 tracked file that no signature covers: pytorch_model.bin, and a signature is required", "hint: a signature of the repository's top", "not pushed: new"}},
		{"beside a signed folder", trusting, []walk.Tip{{"refs/heads/new", "", beside}}, 0, []string{"verified a/model.sig", "!pytorch_model.bin"}},
		{"git's own files, required", required, []walk.Tip{{"refs/heads/new", "", own}}, 0, []string{"verified a/model.sig"}},
		{"moved away from its signature, required", required, []walk.Tip{{"refs/heads/main", good, moved}}, 1, []string{"no signature covers: c/evil, c/weights"}},
		{"stale, required", required, []walk.Tip{{"refs/heads/main", good, stale}}, 1, []string{"FAILED a/model.sig", "!no signature covers"}},
		{"unsigned, required", required, []walk.Tip{{"refs/heads/main", "", m.id(good + "~3")}}, 1, []string{"main holds no model signature, and one is required"}},
		{"unsigned", trusting, []walk.Tip{{"refs/heads/main", "", m.id(good + "~3")}}, 0, []string{"!a"}},
		{"nobody trusted, required", policy.Policy{Require: true}, []walk.Tip{{"refs/heads/main", "", good}}, 1, []string{"FAILED a/model.sig on main: no trusted signer is configured", "hint: ", "modelsign.publicKey", "not pushed: main", "!as listed"}},
		{"nobody trusted, strict", strict, []walk.Tip{{"refs/heads/main", "", good}}, 1, []string{"FAILED a/model.sig on main: no trusted signer is configured", "!as listed"}},
		{"nobody trusted, strict, unsigned", strict, []walk.Tip{{"refs/heads/main", "", m.id(good + "~3")}}, 0, []string{"!a"}},
	} {
		code, said := m.push(t, walk.PushOptions{Policy: tt.policy}, tt.tips...)
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d\n%s", tt.name, code, tt.code, said)
		}
		for _, want := range tt.says {
			unwanted, not := strings.CutPrefix(want, "!")
			if not && strings.Contains(said, unwanted) || !not && !strings.Contains(said, want) {
				t.Errorf("%s: said\n%swant %q", tt.name, said, want)
			}
		}
	}
	if code, said := m.push(t, walk.PushOptions{Received: true, Refs: []string{"refs/heads/*"}}, walk.Tip{"refs/tags/v1", "", stale}, walk.Tip{"refs/heads/x", "", stale}); code != 1 || !strings.Contains(said, "not accepted: x\n") {
		t.Errorf("received: exit code %d\n%s", code, said)
	}
}

// TestCheckPushOfAmbiguousTrees has commits, which git makes only when it is told to, whose
// trees hold more than the signatures of a model in the place of one of them.
func TestCheckPushOfAmbiguousTrees(t *testing.T) {
	m := newSigned(t, map[string]string{"weights": "1", "other/evil.py": "evil"}, ".")
	p, err := walk.Locate(t.Context(), m.dir, "", false)
	if err == nil {
		err = p.CoSign("bob")
	}
	if err == nil {
		_, err = walk.Sign(t.Context(), p, walk.SignOptions{Signer: m.key, Commit: true, Terminal: m.terminal,
			Serialization: oms.Serialization{Method: oms.Files, HashType: oms.SHA256, IgnorePaths: []string{"left"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	signed := m.Git(m.dir, "ls-tree", "HEAD")
	folder := "040000 tree " + m.id("HEAD:other")
	blob := "100644 blob " + m.id("HEAD:other/evil.py")
	for name, c := range map[string]struct{ more, says string }{
		"as signed":                   {"", ""},
		"a signature twice":           {blob + "\tmodel.bob.sig\n", "model.bob.sig (is in the commit twice, or as a file and as a folder)"},
		"the named signature twice":   {blob + "\tmodel.sig\n", "model.sig (is in the commit twice, or as a file and as a folder)"},
		"a signature as a folder too": {folder + "\tmodel.bob.sig\n", "model.bob.sig (is in the commit twice, or as a file and as a folder)"},
		"a file twice":                {blob + "\tweights\n", "weights (is in the commit twice, or as a file and as a folder)"},
		"left out, twice":             {blob + "\tleft\n" + folder + "\tleft\n", "left (is in the commit twice, or as a file and as a folder)"},
		"a signature as a folder":     {folder + "\tmodel.mal.sig\n", "model.mal.sig/evil.py is not signed"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", "mktree")
		cmd.Dir, cmd.Stdin = m.dir, strings.NewReader(signed+c.more)
		tree, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		commit := m.id(strings.TrimSpace(m.Git(m.dir, "commit-tree", "-m", name, strings.TrimSpace(string(tree)))))
		code, said := m.push(t, walk.PushOptions{Policy: policy.Policy{Trust: m.trust, Require: true}, Received: true}, walk.Tip{"refs/heads/main", "", commit})
		if want := min(len(c.says), 1); code != want || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit code %d, want %d, with %q\n%s", name, code, want, c.says, said)
		}
	}
}

// TestCheckPushOfSymbolicRefs pushes to names that lead to a branch that is checked.
func TestCheckPushOfSymbolicRefs(t *testing.T) {
	m := newSigned(t, map[string]string{"a/weights": "1"}, "a")
	m.Write(m.dir, "a/weights", "2")
	m.CommitAll(m.dir, "stale")
	m.Git(m.dir, "symbolic-ref", "refs/heads/master", "refs/heads/main")
	m.Git(m.dir, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/master")
	m.Git(m.dir, "symbolic-ref", "refs/x/dangling", "refs/heads/main2")
	for ref, want := range map[string]int{
		"refs/heads/main": 1, "refs/heads/master": 1, "refs/remotes/origin/HEAD": 1, "refs/x/dangling": 1, "refs/heads/other": 0, "refs/tags/v1": 0,
	} {
		o := walk.PushOptions{Received: true, Refs: []string{"refs/heads/main*"}}
		if code, said := m.push(t, o, walk.Tip{ref, "", m.id("HEAD")}); code != want {
			t.Errorf("%s: exit code %d, want %d\n%s", ref, code, want, said)
		}
	}
}

// TestCheckPushInAnyCase pushes to what is the same loose ref where files have one name in any case.
func TestCheckPushInAnyCase(t *testing.T) {
	m := newSigned(t, map[string]string{"a/weights": "1"}, "a")
	m.Write(m.dir, "a/weights", "2")
	m.CommitAll(m.dir, "stale")
	for ref, want := range map[string][2]int{ // where case counts, and where it does not
		"refs/heads/main": {1, 1}, "refs/heads/MAIN": {0, 1}, "refs/Heads/m\u00c4in": {0, 1}, "refs/heads/ma\u0308in": {0, 1},
		"refs/heads/m\u00e4in": {1, 1}, "refs/heads/other": {0, 0}, "refs/tags/main": {0, 0},
	} {
		for i, ignoreCase := range []string{"false", "true"} {
			m.Git(m.dir, "config", "core.ignoreCase", ignoreCase)
			o := walk.PushOptions{Received: true, Refs: []string{"refs/heads/main", "refs/heads/m\u00e4*"}}
			if code, said := m.push(t, o, walk.Tip{ref, "", m.id("HEAD")}); code != want[i] {
				t.Errorf("%s, core.ignoreCase %s: exit code %d, want %d\n%s", ref, ignoreCase, code, want[i], said)
			}
		}
	}
}

// TestCheckPushFailsClosed has a push of which something cannot be read.
func TestCheckPushFailsClosed(t *testing.T) {
	m := newSigned(t, map[string]string{"weights": "1"}, ".")
	m.Git(m.dir, "symbolic-ref", "refs/heads/round", "refs/heads/about")
	m.Git(m.dir, "symbolic-ref", "refs/heads/about", "refs/heads/round")
	head, nowhere := m.id("HEAD"), strings.Repeat("1", 40)
	for name, tip := range map[string]walk.Tip{
		"a commit that is not here":   {"refs/heads/main", "", nowhere},
		"a tag that is not here":      {"refs/tags/v1", "", nowhere},
		"a branch that is no commit":  {"refs/heads/main", "", m.id("HEAD:weights")},
		"what it replaces is gone":    {"refs/heads/main", nowhere, head},
		"a ref that leads to nowhere": {"refs/heads/round", "", head},
	} {
		o := walk.PushOptions{Received: true, Refs: []string{"refs/heads/main", "refs/tags/*"}, Terminal: &ui.Terminal{Out: io.Discard, Err: io.Discard}}
		if code, err := walk.CheckPush(t.Context(), m.open(t, m.dir), []walk.Tip{tip}, o); err == nil || ui.Code(err) != ui.ExitTrouble {
			t.Errorf("%s: exit code %d, %v; want trouble", name, code, err)
		}
	}
}

// TestCheckPushMisconfigured has a policy that cannot be followed: no mode makes less of that.
func TestCheckPushMisconfigured(t *testing.T) {
	m := newSigned(t, map[string]string{"weights": "1"}, ".")
	for _, p := range []policy.Policy{{}, {Mode: policy.ModeWarn}, {OnFailure: policy.OnFailureWarn}, {Require: true}, {Require: true, Threshold: 1, Mode: policy.ModeWarn}} {
		p.Trust.PublicKeys = []string{"/nowhere"}
		o := walk.PushOptions{Policy: p, Terminal: &ui.Terminal{Out: io.Discard, Err: io.Discard}}
		if code, err := walk.CheckPush(t.Context(), m.open(t, m.dir), []walk.Tip{{"refs/heads/main", "", m.id("HEAD")}}, o); ui.Code(err) != ui.ExitUsage {
			t.Errorf("%+v: exit code %d, %v; want wrong configuration", p, code, err)
		}
	}
}

// pointers makes a repository with n files in LFS, 600 GB of them together, of which there are only pointers, and signs it
// from these. Without files nothing is signed.
func pointers(tb testing.TB, n int) *signed {
	tb.Helper()
	m := newSigned(tb, map[string]string{".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
	var in strings.Builder
	var resources []oms.Resource
	fmt.Fprintf(&in, "commit refs/heads/main\ncommitter C <c@example.com> 0 +0000\ndata 1\nx\nfrom refs/heads/main^0\n")
	for i := range n {
		digest := sha256.Sum256(fmt.Append(nil, i))
		name := fmt.Sprintf("d%02d/f%05d.bin", i%50, i)
		text := fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", hex.EncodeToString(digest[:]), 600_000_000_000/n)
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
		resources = append(resources, oms.Resource{Path: name, Digest: digest[:]})
	}
	m.fastImport(tb, in.String())
	if n > 0 {
		manifest, err := oms.NewManifest("r", oms.Serialization{Method: oms.Files, HashType: oms.SHA256, IgnorePaths: []string{".gitattributes", "model.sig"}}, resources)
		if err != nil {
			tb.Fatal(err)
		}
		payload, err := manifest.Statement()
		if err != nil {
			tb.Fatal(err)
		}
		bundle, err := m.key.Sign(tb.Context(), payload)
		if err != nil {
			tb.Fatal(err)
		}
		m.fastImport(tb, fmt.Sprintf("commit refs/heads/main\ncommitter C <c@example.com> 1 +0000\ndata 1\ny\nfrom refs/heads/main^0\nM 100644 inline model.sig\ndata %d\n%s\n", len(bundle), bundle))
	}
	m.Git(m.dir, "reset", "-q", "--hard")
	m.Git(m.dir, "repack", "-a", "-d", "-f", "-q") // as a host would have it: fast-import leaves slow deltas
	return m
}

func (m *signed) fastImport(tb testing.TB, in string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = m.dir, strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("git fast-import: %v: %s", err, out)
	}
}

// TestCheckPushOfPointers checks a model of which no byte is here.
func TestCheckPushOfPointers(t *testing.T) {
	m := pointers(t, 100)
	if code, said := m.push(t, walk.PushOptions{Policy: policy.Policy{Trust: m.trust}}, walk.Tip{"refs/heads/main", "", m.id("HEAD")}); code != 0 || !strings.Contains(said, "verified model.sig on main: 100 files") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	text := m.Git(m.dir, "show", "HEAD:d07/f00007.bin")
	m.Write(m.dir, "d07/f00007.bin", strings.Replace(text, "sha256:", "sha256:00000000", 1)[:len(text)-2]+"\n")
	m.Git(m.dir, "-c", "filter.lfs.clean=cat", "commit", "-q", "-am", "z")
	code, said := m.push(t, walk.PushOptions{}, walk.Tip{"refs/heads/main", "", m.id("HEAD")})
	if code != 1 || !strings.Contains(said, "d07/f00007.bin") {
		t.Errorf("exit code %d\n%s", code, said)
	}
}
