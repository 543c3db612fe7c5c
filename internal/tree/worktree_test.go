package tree

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// model is a model in a worktree under test.
type model struct {
	*gittest.Sandbox
	dir  string // the worktree's top
	repo *gitrepo.Repository
}

func newModel(t *testing.T, files map[string]string) *model {
	t.Helper()
	s := gittest.New(t)
	return openModel(t, s, s.Init("r", files))
}

func openModel(t *testing.T, s *gittest.Sandbox, dir string) *model {
	t.Helper()
	repo, err := gitrepo.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return &model{s, dir, repo}
}

// open lists the model at a path below the top, its signature being model.sig there.
func (m *model) open(t *testing.T, under string, o Options) *Tree {
	t.Helper()
	path := filepath.Join(m.dir, filepath.FromSlash(under))
	if o.Signature == "" {
		o.Signature = filepath.Join(path, "model.sig")
	}
	tr, err := OpenWorktree(t.Context(), m.repo, path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// signable checks the tree before and after reading it, as signing does.
func (m *model) signable(t *testing.T, tr *Tree) (refusals, warnings []Problem) {
	t.Helper()
	refusals, warnings, err := tr.CheckSignable(t.Context(), m.repo)
	if err != nil {
		t.Fatal(err)
	}
	return refusals, warnings
}

func (m *model) compare(t *testing.T, tr *Tree) (refusals, warnings []Problem) {
	t.Helper()
	refusals, warnings, err := tr.CompareCommitted(t.Context(), m.repo, digest.Hasher{}, noDigest)
	if err != nil {
		t.Fatal(err)
	}
	return refusals, warnings
}

func noDigest(string) []byte { return nil }

func TestShapes(t *testing.T) {
	for _, shape := range gittest.Shapes() {
		if shape.Bare {
			continue
		}
		t.Run(shape.Name, func(t *testing.T) {
			s := gittest.New(t)
			m := openModel(t, s, shape.Build(s))
			want := gittest.Files()
			tr := m.open(t, "", Options{})
			for _, name := range tr.Sparse {
				if _, err := os.Lstat(filepath.Join(m.dir, filepath.FromSlash(name))); err == nil {
					t.Errorf("%q is here and told to be left out", name)
				}
				if _, ok := want[name]; !ok {
					t.Errorf("%q is told to be left out", name)
				}
				delete(want, name)
			}
			if got := paths(tr); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
				t.Errorf("files\n%q\nwant\n%q", got, slices.Sorted(maps.Keys(want)))
			}
			if shape.Sparse == (len(tr.Sparse) == 0) || len(tr.Missing)+len(tr.Untracked)+len(tr.Problems)+len(tr.Warnings) != 0 {
				t.Errorf("tree %+v", tr)
			}
			if tr.Name != filepath.Base(m.dir) || !tr.Worktree || tr.RepoPath != "" {
				t.Errorf("tree %+v", tr)
			}
			for _, f := range tr.Files {
				if got := content(t, f); got != want[f.Path] || f.RepoPath != f.Path {
					t.Errorf("%q (%q) holds %q, want %q", f.Path, f.RepoPath, got, want[f.Path])
				}
			}
			refusals, warnings := m.signable(t, tr)
			if len(refusals) != len(tr.Sparse) || len(warnings) != 0 {
				t.Errorf("refusals %v, warnings %v", refusals, warnings)
			}
			if refusals, warnings = m.compare(t, tr); len(refusals)+len(warnings) != 0 {
				t.Errorf("after reading: refusals %v, warnings %v", refusals, warnings)
			}
		})
	}
}

func TestWorktreeParts(t *testing.T) {
	m := newModel(t, map[string]string{
		"README": "r", "m/a": "a", "m/b/c": "c", "m/b/model.sig": "inner", "m/model.sig": "s", "m/.gitattributes": "x", "m/.github/x": "x",
		"m/b/.gitignore": "*.log\n", "m.txt": "beside", "m/[x]/*": "pattern", "one.onnx": "1", "mm/a": "other",
	})
	m.WriteFiles(m.dir, map[string]string{"m/new": "n", "m/b/new": "n", "m/b/x.log": "ignored", "outside": "o", "m/.github/new": "x"})
	for _, c := range []struct {
		under     string
		options   Options
		want      []string
		untracked []string
		repoPath  string
	}{
		{under: "m", want: []string{"[x]/*", "a", "b/.gitignore", "b/c", "b/model.sig"}, untracked: []string{"b/new", "new"}, repoPath: "m"},
		{under: "m/b", want: []string{"c"}, untracked: []string{"new"}, repoPath: "m/b"},
		{under: "m", options: Options{Ignore: []string{"b", "[x]"}}, want: []string{"a"}, untracked: []string{"new"}, repoPath: "m"},
		{under: "m", options: Options{Ignore: []string{"b"}, Keep: map[string]bool{"b/c": true, ".gitattributes": true}}, want: []string{".gitattributes", "[x]/*", "a", "b/c"}, untracked: []string{"new"}, repoPath: "m"},
		{under: "m/[x]", want: []string{"*"}, repoPath: "m/[x]"},
		{under: "one.onnx", want: []string{"one.onnx"}, repoPath: "one.onnx"},
		{under: "m/[x]/*", want: []string{"*"}, repoPath: "m/[x]/*"},
		{under: "m/new", untracked: []string{"new"}, repoPath: "m/new"},
	} {
		t.Run(c.under, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.under, "*") {
				t.Skip("no such names here")
			}
			tr := m.open(t, c.under, c.options)
			if got := paths(tr); !slices.Equal(got, c.want) {
				t.Errorf("files %q, want %q", got, c.want)
			}
			if !slices.Equal(tr.Untracked, c.untracked) || tr.RepoPath != c.repoPath || tr.Name != filepath.Base(c.under) || len(tr.Problems) != 0 {
				t.Errorf("tree %+v, want untracked %q", tr, c.untracked)
			}
			for _, f := range tr.Files {
				onDisk, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(f.RepoPath)))
				if got := content(t, f); err != nil || got != string(onDisk) || f.BlobID == "" {
					t.Errorf("%+v holds %q, want %q, %v", f, got, onDisk, err)
				}
			}
		})
	}
	t.Run("relative from a subfolder", func(t *testing.T) {
		t.Chdir(filepath.Join(m.dir, "m", "b"))
		for path, want := range map[string]string{"..": "m", ".": "m/b", "../../mm": "mm"} {
			tr, err := OpenWorktree(t.Context(), m.repo, path, Options{})
			if err != nil || tr.RepoPath != want || tr.Name != filepath.Base(want) || len(tr.Files) == 0 {
				t.Errorf("%s: %+v, %v; want %s", path, tr, err, want)
			}
		}
	})
	t.Run("through a link", func(t *testing.T) {
		symlink(t, m.dir, m.Path("link"))
		tr, err := OpenWorktree(t.Context(), m.repo, m.Path("link", "m"), Options{Signature: m.Path("link", "m", "model.sig")})
		if err != nil || tr.RepoPath != "m" || len(tr.Files) != 5 {
			t.Errorf("%+v, %v", tr, err)
		}
	})
	t.Run("outside", func(t *testing.T) {
		if _, err := OpenWorktree(t.Context(), m.repo, m.Dir, Options{}); !errors.Is(err, ErrOutside) {
			t.Errorf("error %v, want ErrOutside", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := OpenWorktree(ctx, m.repo, m.dir, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// TestWorktreeOnDisk is a table of what may stand in place of a tracked file.
func TestWorktreeOnDisk(t *testing.T) {
	for name, c := range map[string]struct {
		change              func(t *testing.T, m *model)
		files               []string
		problems, untracked []string
		missing             []string
		refusals            []string // beyond problems
		allow               bool
	}{
		"nothing": {func(*testing.T, *model) {}, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, nil, false},
		"deleted": {func(t *testing.T, m *model) { m.remove("a") }, []string{"sub/b", "sub/c"}, nil, nil, []string{"a"}, []string{"a: missing"}, false},
		"folder deleted": {func(t *testing.T, m *model) { m.remove("sub/b"); m.remove("sub/c"); m.remove("sub") },
			[]string{"a"}, nil, nil, []string{"sub/b", "sub/c"}, []string{"sub/b: missing", "sub/c: missing"}, false},
		"link in place of a file": {func(t *testing.T, m *model) { m.remove("a"); symlink(t, "sub/b", m.file("a")) },
			[]string{"sub/b", "sub/c"}, []string{"a: symlink"}, nil, nil, nil, false},
		"link allowed in place of a file": {func(t *testing.T, m *model) { m.remove("a"); symlink(t, "sub/b", m.file("a")) },
			[]string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, true},
		"folder in place of a file": {func(t *testing.T, m *model) { m.remove("a"); m.Write(m.dir, "a/x", "x") },
			[]string{"sub/b", "sub/c"}, []string{"a: irregular"}, []string{"a/x"}, nil, nil, false},
		"file in place of a folder": {func(t *testing.T, m *model) {
			m.remove("sub/b")
			m.remove("sub/c")
			m.remove("sub")
			m.Write(m.dir, "sub", "x")
		},
			[]string{"a"}, []string{"sub/b: irregular", "sub/c: irregular"}, []string{"sub"}, nil, nil, false},
		"link in place of a folder": {func(t *testing.T, m *model) {
			if err := os.Rename(m.file("sub"), m.Path("away")); err != nil {
				t.Fatal(err)
			}
			symlink(t, m.Path("away"), m.file("sub"))
		}, []string{"a"}, []string{"sub/b: symlink", "sub/c: symlink"}, []string{"sub"}, nil, nil, false},
		"pipe in place of a file": {func(t *testing.T, m *model) { m.remove("a"); makePipe(t, m.file("a")) },
			[]string{"sub/b", "sub/c"}, []string{"a: irregular"}, nil, nil, nil, false},
		"changed":        {func(t *testing.T, m *model) { m.Write(m.dir, "a", "changed") }, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, false},
		"staged":         {func(t *testing.T, m *model) { m.Write(m.dir, "a", "changed"); m.Git(m.dir, "add", "a") }, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, false},
		"staged as new":  {func(t *testing.T, m *model) { m.Write(m.dir, "n", "n"); m.Git(m.dir, "add", "n") }, []string{"a", "n", "sub/b", "sub/c"}, nil, nil, nil, []string{"n: uncommitted"}, false},
		"meant to be":    {func(t *testing.T, m *model) { m.Write(m.dir, "n", "n"); m.Git(m.dir, "add", "-N", "n") }, []string{"a", "sub/b", "sub/c"}, nil, []string{"n"}, nil, []string{"n: uncommitted"}, false},
		"staged removal": {func(t *testing.T, m *model) { m.Git(m.dir, "rm", "-q", "--cached", "a") }, []string{"sub/b", "sub/c"}, nil, []string{"a"}, nil, []string{"a: uncommitted"}, false},
		"moved":          {func(t *testing.T, m *model) { m.Git(m.dir, "mv", "a", "n") }, []string{"n", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted", "n: uncommitted"}, false},
		"untracked":      {func(t *testing.T, m *model) { m.Write(m.dir, "n", "n") }, []string{"a", "sub/b", "sub/c"}, nil, []string{"n"}, nil, nil, false},
		"signature changed": {func(t *testing.T, m *model) { m.Write(m.dir, "model.sig", "new"); m.Git(m.dir, "add", "model.sig") },
			[]string{"a", "sub/b", "sub/c"}, nil, nil, nil, nil, false},
		"tracked link": {func(t *testing.T, m *model) { symlink(t, "a", m.file("link")); m.CommitAll(m.dir, "link") },
			[]string{"a", "sub/b", "sub/c"}, []string{"link: symlink"}, nil, nil, nil, false},
		"tracked link allowed": {func(t *testing.T, m *model) { symlink(t, "a", m.file("link")); m.CommitAll(m.dir, "link") },
			[]string{"a", "link", "sub/b", "sub/c"}, nil, nil, nil, nil, true},
		"tracked link as text": {func(t *testing.T, m *model) {
			symlink(t, "a", m.file("link"))
			m.CommitAll(m.dir, "link")
			m.Git(m.dir, "config", "core.symlinks", "false")
			m.remove("link")
			m.Git(m.dir, "checkout", "link")
		}, []string{"a", "sub/b", "sub/c"}, []string{"link: symlink"}, nil, nil, nil, true},
		"submodule": {func(t *testing.T, m *model) {
			other := m.Init("other", map[string]string{"x": "x"})
			m.Git(m.dir, "submodule", "--quiet", "add", other, "module")
			m.CommitAll(m.dir, "module")
		}, []string{".gitmodules", "a", "sub/b", "sub/c"}, []string{"module: submodule"}, nil, nil, nil, false},
		"repository inside": {func(t *testing.T, m *model) { m.Git(m.dir, "init", "-q", "inner"); m.Write(m.dir, "inner/x", "x") },
			[]string{"a", "sub/b", "sub/c"}, nil, []string{"inner/"}, nil, nil, false},
		"conflict": {func(t *testing.T, m *model) {
			m.Git(m.dir, "checkout", "-q", "-b", "other")
			m.Write(m.dir, "a", "other")
			m.CommitAll(m.dir, "other")
			m.Git(m.dir, "checkout", "-q", "main")
			m.Write(m.dir, "a", "main")
			m.CommitAll(m.dir, "main")
			m.TryGit(m.dir, "merge", "other")
		}, []string{"sub/b", "sub/c"}, []string{"a: unmerged"}, nil, nil, nil, false},
		"assumed unchanged": {func(t *testing.T, m *model) {
			m.Git(m.dir, "update-index", "--assume-unchanged", "a")
			m.Write(m.dir, "a", "changed")
		}, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, false},
		"skip-worktree, changed": {func(t *testing.T, m *model) {
			m.Git(m.dir, "update-index", "--skip-worktree", "a")
			m.Write(m.dir, "a", "changed")
		}, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, false},
		"same stat": {func(t *testing.T, m *model) { m.forge("a", "A") }, []string{"a", "sub/b", "sub/c"}, nil, nil, nil, []string{"a: uncommitted"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, map[string]string{"a": "a", "sub/b": "b", "sub/c": "c", "model.sig": "s"})
			c.change(t, m)
			tr := m.open(t, "", Options{AllowSymlinks: c.allow})
			if got := paths(tr); !slices.Equal(got, c.files) {
				t.Errorf("files %q, want %q", got, c.files)
			}
			if got := problems(tr.Problems); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if !slices.Equal(tr.Untracked, c.untracked) || !slices.Equal(tr.Missing, c.missing) || len(tr.Sparse) != 0 {
				t.Errorf("tree %+v; want untracked %q, missing %q", tr, c.untracked, c.missing)
			}
			refusals, _ := m.signable(t, tr)
			later, _ := m.compare(t, tr)
			got := problems(append(refusals, later...))
			slices.Sort(got)
			want := slices.Concat(c.problems, c.refusals)
			slices.Sort(want)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("refusals %q, want %q", got, want)
			}
		})
	}
}

func (m *model) file(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

func (m *model) remove(name string) {
	m.Helper()
	if err := os.Remove(m.file(name)); err != nil {
		m.Fatal(err)
	}
}

// forge changes a file so that git's stat cache sees nothing: same inode, size
// and time, with the cache told not to look at the rest.
func (m *model) forge(name, text string) {
	m.Helper()
	m.Git(m.dir, "config", "core.trustctime", "false")
	m.Git(m.dir, "config", "core.checkStat", "minimal")
	info, err := os.Stat(m.file(name))
	if err != nil {
		m.Fatal(err)
	}
	old := info.ModTime().Add(-100e9)
	touch := func() {
		if err := os.Chtimes(m.file(name), old, old); err != nil {
			m.Fatal(err)
		}
	}
	touch()
	m.Git(m.dir, "update-index", "--refresh")
	m.Write(m.dir, name, text)
	touch()
	if out := m.Git(m.dir, "status", "--porcelain", name); out != "" {
		m.Fatalf("git notices the change, so that the test shows nothing: %s", out)
	}
}

func TestEmptyModel(t *testing.T) {
	m := newModel(t, map[string]string{"x": "x", "m/model.sig": "s"})
	refusals, _ := m.signable(t, m.open(t, "m", Options{}))
	if got := problems(refusals); !slices.Equal(got, []string{": empty"}) || refusals[0].Hint != "" {
		t.Errorf("refusals %v", refusals)
	}
	m.Write(m.dir, "m/new", "n")
	refusals, _ = m.signable(t, m.open(t, "m", Options{}))
	if got := problems(refusals); !slices.Equal(got, []string{": empty"}) || !strings.Contains(refusals[0].Hint, "git add") {
		t.Errorf("refusals %v", refusals)
	}
}

func TestChangesOutsideTheModelAreNoMatter(t *testing.T) {
	m := newModel(t, map[string]string{"x": "x", "m/a": "a", "mm": "m", ".gitattributes": "", "m/.gitattributes": "", "m/sub/.gitattributes": "", "other/.gitattributes": ""})
	m.WriteFiles(m.dir, map[string]string{"x": "changed", "mm": "changed", ".gitattributes": "# 1", "m/.gitattributes": "# 1", "other/.gitattributes": "# 1"})
	refusals, warnings := m.signable(t, m.open(t, "m", Options{}))
	if got := problems(refusals); len(got) != 0 {
		t.Errorf("refusals %q", got)
	}
	if got, want := problems(warnings), []string{"../.gitattributes: uncommitted", ".gitattributes: uncommitted"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	m.Write(m.dir, "m/sub/.gitattributes", "# 1")
	refusals, _ = m.signable(t, m.open(t, "m", Options{}))
	if got := problems(refusals); !slices.Equal(got, []string{"sub/.gitattributes: uncommitted"}) {
		t.Errorf("refusals %q", got)
	}
}

func TestNotUTF8InAWorktree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a file system that takes any name")
	}
	m := newModel(t, map[string]string{"a": "a", "bad\xff": "x", "b\xfe/c": "x"})
	tr := m.open(t, "", Options{})
	if got := problems(tr.Problems); !slices.Equal(got, []string{"bad\xff: not UTF-8", "b\xfe/c: not UTF-8"}) {
		t.Errorf("problems %q", got)
	}
}

func TestWorktreeSignatureElsewhere(t *testing.T) {
	m := newModel(t, map[string]string{"m/a": "a", "sigs/m.sig": "s", ".gitattributes": "*.sig filter=lfs\n"})
	m.Git(m.dir, "config", "filter.lfs.clean", "cat")
	tr := m.open(t, "m", Options{Signature: filepath.Join(m.dir, "sigs", "m.sig")})
	refusals, _ := m.signable(t, tr)
	if got := problems(refusals); !slices.Equal(got, []string{"../sigs/m.sig: signature"}) {
		t.Errorf("refusals %q", got)
	}
}

func TestCommittedOnly(t *testing.T) {
	m := newModel(t, map[string]string{"m/a": "a", "m/b": "b", "x": "x"})
	m.WriteFiles(m.dir, map[string]string{"m/staged": "s", "m/intended": "i", "m/untracked": "u", "staged": "s", "m/a": "changed", "m/.github/x": "x"})
	m.Git(m.dir, "add", "m/staged", "staged", "m/a", "m/.github/x")
	m.Git(m.dir, "add", "-N", "m/intended")
	tr := m.open(t, "m", Options{Committed: true})
	if got, want := paths(tr), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if !slices.Equal(tr.Uncommitted, []string{"staged"}) || !slices.Equal(tr.Untracked, []string{"intended", "untracked"}) {
		t.Errorf("uncommitted %q, untracked %q", tr.Uncommitted, tr.Untracked)
	}
	refusals, _ := m.signable(t, tr)
	if got, want := problems(refusals), []string{"a: uncommitted", "intended: uncommitted"}; !slices.Equal(got, want) {
		t.Errorf("refusals %q, want %q", got, want)
	}
	if got := paths(m.open(t, "m", Options{})); !slices.Equal(got, []string{"a", "b", "staged"}) {
		t.Errorf("with what is staged: %q", got)
	}
}

func TestLinksHaveNoBlobOfTheirOwn(t *testing.T) {
	m := newModel(t, map[string]string{"a": "a"})
	symlink(t, "a", m.file("link"))
	m.CommitAll(m.dir, "link")
	tr := m.open(t, "", Options{AllowSymlinks: true})
	if len(tr.Files) != 2 || tr.Files[0].BlobID == "" || tr.Files[1].BlobID != "" {
		t.Fatalf("files %+v", tr.Files)
	}
	if refusals, warnings := m.check(t, tr); len(refusals)+len(warnings) != 0 {
		t.Errorf("refusals %q, warnings %q", refusals, warnings)
	}
}

// TestLinksThatNoCloneFollows wants links refused that lead to a file here and
// to none that is committed.
func TestLinksThatNoCloneFollows(t *testing.T) {
	m := newModel(t, map[string]string{"m/a": "a", "m/sub/b": "b", "beside": "b", "m/.gitignore": "ignored"})
	m.WriteFiles(m.dir, map[string]string{"untracked": "u", "m/ignored": "i"})
	for link, target := range map[string]string{
		"m/good": "a", "m/good-through": "sub/../../m/good", "m/good-beside": "../beside",
		"m/config": "../.git/config", "m/untracked": "../untracked", "m/to-ignored": "ignored", "m/absolute": m.file("m/a"), "m/chain": "absolute",
	} {
		symlink(t, target, m.file(link))
	}
	m.Git(m.dir, "add", "m")
	m.Git(m.dir, "commit", "-q", "-m", "links")
	refusals, _ := m.signable(t, m.open(t, "m", Options{AllowSymlinks: true, Committed: true}))
	want := []string{"absolute: symlink", "chain: symlink", "config: symlink", "to-ignored: symlink", "untracked: symlink"}
	if got := problems(refusals); !slices.Equal(got, want) {
		t.Fatalf("refusals %q, want %q", got, want)
	}
	for i, says := range []string{"absolute path", "absolute path", "no tracked file", "no tracked file", "no tracked file"} {
		if !strings.Contains(refusals[i].Err.Error(), says) || refusals[i].Hint == "" {
			t.Errorf("%s: %v; want %q", refusals[i].Path, refusals[i].Err, says)
		}
	}
}

// TestLinksAreHeldAgainstHEAD changes what links lead to, where the model does not
// look by itself.
func TestLinksAreHeldAgainstHEAD(t *testing.T) {
	for name, c := range map[string]struct {
		change            func(t *testing.T, m *model)
		refused, compared string // by CheckSignable, and by CompareCommitted alone
		noted             []string
	}{
		"nothing":    {change: func(*testing.T, *model) {}},
		"the same":   {change: func(_ *testing.T, m *model) { m.Write(m.dir, "out/o", "o\n") }},
		"unstaged":   {change: func(_ *testing.T, m *model) { m.Write(m.dir, "out/o", "dirty\n") }, refused: "symlink+uncommitted", compared: "symlink+uncommitted"},
		"unnoticed":  {change: func(_ *testing.T, m *model) { m.forge("out/o", "O\n") }, compared: "symlink+uncommitted"},
		"staged":     {change: func(_ *testing.T, m *model) { m.Write(m.dir, "out/o", "dirty\n"); m.Git(m.dir, "add", "out/o") }, refused: "symlink+uncommitted", compared: "symlink+uncommitted"},
		"attributes": {change: func(_ *testing.T, m *model) { m.Write(m.dir, "out/.gitattributes", "") }, noted: []string{"../out/.gitattributes: uncommitted"}},
		"line ends": {change: func(_ *testing.T, m *model) {
			m.Write(m.dir, "out/o", "o\r\n")
			m.Git(m.dir, "add", "--renormalize", "out/o")
		}, compared: "outdated+symlink"},
		"another link": {change: func(t *testing.T, m *model) {
			m.Git(m.dir, "update-index", "--assume-unchanged", "m/l")
			m.remove("m/l")
			symlink(t, "../out/p", m.file("m/l"))
		}, compared: "outdated+symlink"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, map[string]string{"m/a": "a", "out/o": "o\n", "out/p": "p\n", "out/.gitattributes": "o text eol=lf\n"})
			symlink(t, "../out/o", m.file("m/l"))
			m.CommitAll(m.dir, "link")
			c.change(t, m)
			want := func(cause string) []string {
				if cause == "" {
					return nil
				}
				return []string{"l: " + cause}
			}
			tr := m.open(t, "m", Options{AllowSymlinks: true, Committed: true})
			refusals, warnings := m.signable(t, tr)
			if got := problems(refusals); !slices.Equal(got, want(c.refused)) {
				t.Errorf("signable refuses %q, want %q", got, want(c.refused))
			}
			if got, want := problems(warnings), append([]string{"l: symlink"}, c.noted...); !slices.Equal(got, want) {
				t.Errorf("warnings %q, want %q", got, want)
			}
			if refusals, _ = m.compare(t, tr); !slices.Equal(problems(refusals), want(c.compared)) {
				t.Errorf("comparing refuses %q, want %q", problems(refusals), want(c.compared))
			}
		})
	}
}
