package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
	"github.com/git-model-sign/git-model-sign/internal/lfs/lfstest"
)

// newLFSModel is a model with two weights that go through the real git-lfs.
func newLFSModel(t *testing.T) *model {
	t.Helper()
	s := gittest.NewLFS(t)
	dir := s.Init("r", map[string]string{
		".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": "weights a", "sub/b.bin": strings.Repeat("b", 5000),
		"config.json": "{}\n", "empty.bin": "",
	})
	return openModel(t, s, dir)
}

func oid(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func pointerTo(text string) string {
	return string(lfstest.Encode(lfs.Pointer{OID: oid(text), Size: int64(len(text))}))
}

// kinds lists the files that go through LFS, pointers by their size.
func kinds(tr *Tree) map[string]lfs.Pointer {
	found := make(map[string]lfs.Pointer)
	for _, f := range tr.Files {
		if f.LFS {
			found[f.Path] = f.Pointer
		}
		if (f.Kind == Pointer) != (f.Pointer != lfs.Pointer{}) || f.Kind == Pointer && !f.LFS {
			found[f.Path+" is inconsistent"] = f.Pointer
		}
	}
	return found
}

func sameKinds(a, b map[string]lfs.Pointer) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// check signs the tree for show and returns all refusals and warnings.
func (m *model) check(t *testing.T, tr *Tree) (refusals, warnings []string) {
	t.Helper()
	r1, w1 := m.signable(t, tr)
	r2, w2 := m.compare(t, tr)
	return problems(append(r1, r2...)), problems(append(w1, w2...))
}

func TestLFSDownloaded(t *testing.T) {
	m := newLFSModel(t)
	tr := m.open(t, "", Options{})
	if got, want := kinds(tr), (map[string]lfs.Pointer{"a.bin": {}, "sub/b.bin": {}, "empty.bin": {}}); !sameKinds(got, want) {
		t.Errorf("LFS files %v, want %v", got, want)
	}
	if refusals, warnings := m.check(t, tr); len(refusals)+len(warnings) != 0 {
		t.Errorf("refusals %q, warnings %q", refusals, warnings)
	}
	// A digest that the caller has is believed, so that large files are read once.
	calls := 0
	refusals, _, err := tr.CompareCommitted(t.Context(), m.repo, digest.Hasher{}, func(path string) []byte {
		if path != "a.bin" {
			return nil
		}
		calls++
		return make([]byte, sha256.Size)
	})
	if got := problems(refusals); err != nil || calls == 0 || !slices.Equal(got, []string{"a.bin: bad LFS"}) {
		t.Errorf("refusals %q, %v", got, err)
	}
	for _, want := range []string{oid("weights a"), strings.Repeat("0", 64)} {
		if len(refusals) == 1 && !strings.Contains(refusals[0].Err.Error(), want) {
			t.Errorf("%q does not name %s", refusals[0].Err, want)
		}
	}
}

func TestLFSNotDownloaded(t *testing.T) {
	m := newLFSModel(t)
	t.Setenv("GIT_LFS_SKIP_SMUDGE", "1")
	m.Git(m.Dir, "clone", "-q", m.dir, m.Path("clone"))
	m = openModel(t, m.Sandbox, m.Path("clone"))
	tr := m.open(t, "", Options{})
	b := strings.Repeat("b", 5000)
	want := map[string]lfs.Pointer{"a.bin": {OID: oid("weights a"), Size: 9}, "sub/b.bin": {OID: oid(b), Size: 5000}, "empty.bin": {}}
	if got := kinds(tr); !sameKinds(got, want) {
		t.Errorf("LFS files %v, want %v", got, want)
	}
	refusals, warnings := m.check(t, tr)
	if want := []string{"a.bin: not downloaded", "sub/b.bin: not downloaded"}; !slices.Equal(refusals, want) || len(warnings) != 0 {
		t.Errorf("refusals %q, warnings %q; want %q", refusals, warnings, want)
	}
}

// A link to what is not downloaded leads to a pointer, whose text is nobody's
// content, whatever the link's own attributes are.
func TestLinkToWhatIsNotDownloaded(t *testing.T) {
	m := newLFSModel(t)
	symlink(t, "sub/b.bin", m.file("link"))
	m.CommitAll(m.dir, "link")
	t.Setenv("GIT_LFS_SKIP_SMUDGE", "1")
	m.Git(m.Dir, "clone", "-q", m.dir, m.Path("clone"))
	m = openModel(t, m.Sandbox, m.Path("clone"))
	refusals, _ := m.check(t, m.open(t, "", Options{AllowSymlinks: true}))
	if !slices.ContainsFunc(refusals, func(s string) bool { return strings.HasPrefix(s, "link: ") }) {
		t.Errorf("refusals %q, want one of the link", refusals)
	}
}

// TestLFSObjectDamaged has a file of the right size and other bytes, with a
// status that git calls clean.
func TestLFSObjectDamaged(t *testing.T) {
	m := newLFSModel(t)
	// A file that takes its time sees to it that the index is written in another
	// second than the weights, or git would not trust its stat cache.
	m.WriteFiles(m.dir, map[string]string{"z.slow": "x", ".git/info/attributes": "*.slow filter=slow\n"})
	m.Git(m.dir, "config", "filter.slow.smudge", "sleep 1.2; cat")
	m.CommitAll(m.dir, "slow")
	id := oid("weights a")
	store := filepath.Join(m.dir, ".git", "lfs", "objects", id[:2], id[2:4], id)
	if err := os.Chmod(store, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store, []byte("weights X"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.remove("a.bin")
	m.remove("z.slow")
	m.Git(m.dir, "checkout", "--", ".")
	if out := m.Git(m.dir, "status", "--porcelain"); out != "" {
		t.Fatalf("git notices the damage, so that the test shows nothing: %s", out)
	}
	refusals, _ := m.check(t, m.open(t, "", Options{}))
	if !slices.Equal(refusals, []string{"a.bin: bad LFS"}) {
		t.Errorf("refusals %q", refusals)
	}
}

// TestLFSOddities commits what git-lfs would not have, past its filters.
func TestLFSOddities(t *testing.T) {
	withExtension := strings.Replace(pointerTo("weights a"), "oid ", "ext-0-x sha256:"+oid("y")+"\noid ", 1)
	for name, c := range map[string]struct {
		commit map[string]string // as blobs
		disk   map[string]string // in the worktree, if other
		kinds  map[string]lfs.Pointer
		// problems are those that verifying reports too.
		problems, refusals, warnings []string
	}{
		"pointer without the filter": {commit: map[string]string{"p.txt": pointerTo("weights a")}},
		"raw where LFS is expected":  {commit: map[string]string{"raw.bin": "raw"}, kinds: map[string]lfs.Pointer{"raw.bin": {}}, warnings: []string{"raw.bin: bad LFS"}},
		"pointer of an older version": {
			commit: map[string]string{"old.bin": strings.Replace(pointerTo("x"), "git-lfs.github", "hawser.github", 1)},
			kinds:  map[string]lfs.Pointer{"old.bin": {}}, refusals: []string{"old.bin: bad LFS"}},
		"pointer with line ends of Windows": {
			commit: map[string]string{"crlf.bin": strings.ReplaceAll(pointerTo("x"), "\n", "\r\n")},
			kinds:  map[string]lfs.Pointer{"crlf.bin": {}}, refusals: []string{"crlf.bin: bad LFS"}},
		"pointer with extensions, not downloaded": {
			commit: map[string]string{"ext.bin": withExtension},
			kinds:  map[string]lfs.Pointer{"ext.bin": {OID: oid("weights a"), Size: 9, Extensions: true}}, problems: []string{"ext.bin: bad LFS+not downloaded"}},
		"pointer with extensions, downloaded": {
			commit: map[string]string{"ext.bin": withExtension}, disk: map[string]string{"ext.bin": "rewritten"},
			kinds: map[string]lfs.Pointer{"ext.bin": {}}, warnings: []string{"ext.bin: differs"}},
		"content that is a pointer": {
			commit: map[string]string{"pp.bin": pointerTo(pointerTo("x"))}, disk: map[string]string{"pp.bin": pointerTo("x")},
			kinds: map[string]lfs.Pointer{"pp.bin": {OID: oid("x"), Size: 1}}, refusals: []string{"pp.bin: not downloaded"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			files := map[string]string{".gitattributes": "*.bin filter=lfs -text\n", "plain": "x"}
			for name, text := range c.commit {
				files[name] = text
			}
			// Without git-lfs configured the texts are committed as they are.
			dir := s.Init("r", files)
			s.WriteFiles(dir, c.disk)
			// The stat cache is made to say that all is well.
			s.Git(dir, "config", "filter.lfs.clean", "cat")
			for name := range c.disk {
				s.Git(dir, "update-index", "--assume-unchanged", name)
			}
			m := openModel(t, s, dir)
			tr := m.open(t, "", Options{})
			if got := kinds(tr); !sameKinds(got, c.kinds) {
				t.Errorf("LFS files %v, want %v", got, c.kinds)
			}
			if got := problems(tr.Problems); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			refusals, warnings := m.check(t, tr)
			if want := append(c.problems, c.refusals...); !slices.Equal(slices.Compact(refusals), want) || !slices.Equal(warnings, c.warnings) {
				t.Errorf("refusals %q, warnings %q; want %q and %q", refusals, warnings, want, c.warnings)
			}
		})
	}
}

func TestConversionsAreTold(t *testing.T) {
	m := newModel(t, map[string]string{
		".gitattributes": "*.txt text eol=crlf\n*.c ident\n*.u text working-tree-encoding=UTF-16LE\n*.f filter=rot\n*.bin -text\n",
		"a.txt":          "1\n2\n", "b.c": "$Id$\n", "d.bin": "1\n2\n", "e": "1\n2\n", "line\nend.txt": "1\n", "none.txt": "no line end",
	})
	m.Git(m.dir, "config", "filter.rot.clean", "tr n-za-m a-z")
	m.Git(m.dir, "config", "filter.rot.smudge", "tr a-z n-za-m")
	m.Write(m.dir, "u.u", "h\x00i\x00")
	m.Write(m.dir, "r.f", "uryyb\n")
	m.CommitAll(m.dir, "more")
	m.Git(m.dir, "config", "core.autocrlf", "true")
	for _, name := range []string{"a.txt", "b.c", "e", "line\nend.txt", "r.f", "u.u"} {
		m.remove(name)
	}
	m.Git(m.dir, "checkout", "--", ".")
	tr := m.open(t, "", Options{})
	refusals, warnings := m.signable(t, tr)
	if len(refusals)+len(warnings) != 0 {
		t.Errorf("refusals %v, warnings %v", refusals, warnings)
	}
	refusals, warnings = m.compare(t, tr)
	want := []string{"a.txt: differs", "b.c: differs", "e: differs", "line\nend.txt: differs", "r.f: differs", "u.u: differs"}
	if got := problems(warnings); !slices.Equal(got, want) || len(refusals) != 0 {
		t.Fatalf("warnings %q, refusals %v; want %q", got, refusals, want)
	}
	for i, says := range []string{"eol=crlf", "ident=set", "core.autocrlf", "eol=crlf", "filter=rot", "UTF-16LE"} {
		if !strings.Contains(warnings[i].Err.Error(), says) || warnings[i].Hint == "" {
			t.Errorf("%q does not say %q", warnings[i].Err, says)
		}
	}
	// A change beyond the conversion is one.
	m.Git(m.dir, "update-index", "--assume-unchanged", "a.txt")
	m.Write(m.dir, "a.txt", "1\r\n3\r\n")
	refusals, _ = m.compare(t, m.open(t, "", Options{}))
	if got := problems(refusals); !slices.Equal(got, []string{"a.txt: uncommitted"}) {
		t.Errorf("refusals %q", got)
	}
}

// TestOutdatedIsRefused adds files before git has ever written them: they are the
// blobs, and no clone will have them.
func TestOutdatedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		attributes string
		config     [2]string
		text       string
		outdated   bool
	}{
		"nothing":           {text: "1\n2\n"},
		"eol":               {attributes: "*.txt text eol=crlf\n", text: "1\n2\n", outdated: true},
		"eol, written":      {attributes: "*.txt text eol=crlf\n", text: "1\r\n2\r\n"},
		"without a line":    {attributes: "*.txt text eol=crlf\n", text: "1"},
		"empty":             {attributes: "*.txt text eol=crlf\n"},
		"ident":             {attributes: "*.txt ident\n", text: "$Id$\n", outdated: true},
		"ident, none":       {attributes: "*.txt ident\n", text: "Id\n"},
		"autocrlf":          {config: [2]string{"core.autocrlf", "true"}, text: "1\n2\n", outdated: true},
		"autocrlf, binary":  {config: [2]string{"core.autocrlf", "true"}, text: "1\n\x00\n"},
		"autocrlf, -text":   {config: [2]string{"core.autocrlf", "true"}, attributes: "* -text\n", text: "1\n2\n"},
		"CRLF is taken out": {attributes: "*.txt text\n", text: "1\r\n2\r\n", outdated: true},
		"autocrlf input":    {config: [2]string{"core.autocrlf", "input"}, text: "1\r\n2\r\n", outdated: true},
	} {
		t.Run(name, func(t *testing.T) {
			const file = "sub/-it's.txt"
			m := newModel(t, map[string]string{".gitattributes": c.attributes, "line\nend/.gitattributes": c.attributes})
			if c.config[0] != "" {
				m.Git(m.dir, "config", c.config[0], c.config[1])
			}
			m.Write(m.dir, file, c.text)
			m.Write(m.dir, "line\nend/x.txt", c.text)
			m.CommitAll(m.dir, "text")
			refusals, _ := m.compare(t, m.open(t, "sub", Options{Committed: true}))
			if !c.outdated {
				if len(refusals) != 0 {
					t.Fatalf("refusals %q", refusals)
				}
				return
			}
			if got := problems(refusals); !slices.Equal(got, []string{"-it's.txt: outdated"}) {
				t.Fatalf("refusals %q", refusals)
			}
			if refusals, _ = m.compare(t, m.open(t, "line\nend", Options{Committed: true})); len(problems(refusals)) != 1 {
				t.Errorf("beside attributes in an odd folder: refusals %q", refusals)
			}
			if name != "eol" {
				return
			}
			// The command that is advised helps, from wherever it is run.
			for _, from := range []string{m.file("sub"), m.dir, t.TempDir()} {
				t.Chdir(from)
				m.Write(m.dir, file, c.text)
				refusals, _ = m.compare(t, m.open(t, "sub", Options{Committed: true}))
				if len(refusals) != 1 {
					t.Fatalf("refusals %q", refusals)
				}
				hint := refusals[0].Hint
				if out, err := exec.Command("sh", "-c", hint).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", hint, err, out)
				}
				if refusals, _ = m.compare(t, m.open(t, "sub", Options{Committed: true})); len(refusals) != 0 {
					t.Errorf("after %s: refusals %q", hint, refusals)
				}
			}
		})
	}
}

func TestSecondReadMustAgree(t *testing.T) {
	m := newModel(t, map[string]string{"a": "a", "b": "b"})
	tr := m.open(t, "", Options{})
	sums := map[string]string{"a": oid("a"), "b": oid("something else")}
	refusals, warnings, err := tr.CompareCommitted(t.Context(), m.repo, digest.Hasher{}, func(path string) []byte {
		sum, err := hex.DecodeString(sums[path])
		if err != nil {
			t.Error(err)
		}
		return sum
	})
	if got := problems(refusals); err != nil || !slices.Equal(got, []string{"b: changed"}) || len(warnings) != 0 {
		t.Errorf("refusals %q, warnings %v, %v", got, warnings, err)
	}
	m.Write(m.dir, "a", "longer")
	refusals, _, err = tr.CompareCommitted(t.Context(), m.repo, digest.Hasher{}, noDigest)
	if err != nil || len(refusals) != 1 || !errors.Is(refusals[0].Err, ErrReplaced) {
		t.Errorf("refusals %v, %v; want ErrReplaced", refusals, err)
	}
}

func TestSignatureUnderAFilter(t *testing.T) {
	for _, c := range []struct{ name, attributes, filter string }{
		{"model.sig", "* filter=lfs\n", "lfs"},
		{"sub dir/mo*del \"1\".sig", "*.sig filter=lfs\n", "lfs"},
		{"model.sig", "*.sig filter=rot\n", "rot"},
		{"model.sig", "* filter=lfs\n*.sig -filter\n", ""},
		{"model.sig", "* filter=lfs\n*.sig !filter\n", ""},
		{"model.sig", "*.bin filter=lfs\n", ""},
	} {
		m := newModel(t, map[string]string{".gitattributes": c.attributes, "a": "a"})
		signature := m.file(c.name)
		m.Write(m.dir, c.name, "signature")
		refusals, _ := m.signable(t, m.open(t, "", Options{Signature: signature}))
		if c.filter == "" {
			if len(refusals) != 0 {
				t.Errorf("%q: refusals %v", c.attributes, refusals)
			}
			continue
		}
		if got := problems(refusals); !slices.Equal(got, []string{c.name + ": signature"}) || !strings.Contains(refusals[0].Err.Error(), "filter="+c.filter) {
			t.Errorf("%q: refusals %q", c.attributes, got)
			continue
		}
		// The line that is advised must work as it stands.
		_, line, ok := strings.Cut(refusals[0].Hint, ": ")
		if !ok {
			t.Fatalf("hint %q has no line", refusals[0].Hint)
		}
		m.Write(m.dir, ".gitattributes", c.attributes+line+"\n")
		m.CommitAll(m.dir, "attributes")
		if refusals, _ := m.signable(t, m.open(t, "", Options{Signature: signature})); len(refusals) != 0 {
			t.Errorf("%q: refusals with the line %q: %v", c.attributes, line, refusals)
		}
	}
}
