package tree

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// openCommit lists what HEAD holds at or under a path.
func (m *model) openCommit(t *testing.T, under string, o Options) *Tree {
	t.Helper()
	tr, err := OpenCommit(t.Context(), m.repo, m.head(t), under, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// openIndex lists what is staged at or under a path.
func (m *model) openIndex(t *testing.T, under string, o Options) *Tree {
	t.Helper()
	tr, err := OpenIndex(t.Context(), m.repo, under, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func (m *model) head(t *testing.T) string {
	t.Helper()
	id, err := m.repo.ResolveCommit(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// contents are the files of a tree with what Open reads of each.
func contents(t *testing.T, tr *Tree) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, f := range tr.Files {
		got[f.Path] = content(t, f)
	}
	return got
}

func TestCommitOfShapes(t *testing.T) {
	for _, shape := range gittest.Shapes() {
		t.Run(shape.Name, func(t *testing.T) {
			s := gittest.New(t)
			m := openModel(t, s, shape.Build(s))
			for name, tr := range map[string]*Tree{"commit": m.openCommit(t, "", Options{}), "index": m.openIndex(t, "", Options{})} {
				if name == "index" && shape.Bare {
					continue
				}
				got := contents(t, tr)
				for path, want := range gittest.Files() {
					if !strings.HasPrefix(path, ".git") && got[path] != want {
						t.Errorf("%s: %s = %q, want %q", name, path, got[path], want)
					}
				}
			}
			sub := m.openCommit(t, "sub", Options{})
			if want := []string{"deep/er/vocab.txt", "tokenizer.json"}; !slices.Equal(paths(sub), want) || sub.Name != "sub" {
				t.Errorf("sub holds %q, called %s; want %q", paths(sub), sub.Name, want)
			}
			one := m.openCommit(t, "sub/tokenizer.json", Options{})
			if !one.Single || !slices.Equal(paths(one), []string{"tokenizer.json"}) || content(t, one.Files[0]) != "[1, 2]\n" {
				t.Errorf("a single file is %+v", one)
			}
		})
	}
}

// TestCommitConverts holds the bytes of a commit against what git's own checkout
// writes, by that commit's attributes whatever the worktree's are now.
func TestCommitConverts(t *testing.T) {
	for _, crlf := range []string{"", "true", "input"} {
		t.Run("autocrlf="+crlf, func(t *testing.T) {
			files := map[string]string{
				".gitattributes":     "*.dos eol=crlf\n*.id ident\n*.u16 working-tree-encoding=UTF-16LE\n*.up filter=upper\n*.no filter=absent\n[attr]bin -text\n*.bin bin\n*.lf text eol=lf\n*.auto text=auto\nraw.dat filter=lfs -text\nboth.dat filter=lfs eol=crlf\n",
				"sub/.gitattributes": "plain.dos -text -eol\n", "sub/plain.dos": "a\nb\n", "sub/x.dos": "a\nb\n",
				"a.dos": "a\nb\n", "a.id": "$Id$\n", "a.u16": "w\x00i\x00d\x00e\x00\n\x00", "a.up": "loud\n", "a.no": "a\n", "a.bin": "a\nb\n", "a.lf": "a\nb\n",
				"a.auto": "a\nb\n", "a.txt": "a\nb\n", "raw.dat": "raw\n", "both.dat": "raw\n", "odd\tname\n .dos": "a\nb\n", "empty.dos": "",
			}
			s := gittest.New(t)
			t.Setenv("TMPDIR", s.Dir)
			s.Git(s.Dir, "config", "--global", "filter.upper.smudge", "tr a-z A-Z")
			s.Git(s.Dir, "config", "--global", "filter.upper.clean", "tr A-Z a-z")
			dir := s.Init("r", files)
			s.Git(s.Dir, "config", "--global", "filter.lfs.smudge", "echo the LFS filter was run")
			s.Git(s.Dir, "config", "--global", "filter.lfs.process", "echo the LFS filter was run")
			s.Git(s.Dir, "config", "--global", "filter.lfs.required", "true")
			if crlf != "" {
				s.Git(s.Dir, "config", "--global", "core.autocrlf", crlf)
			}
			clone := s.Path("clone")
			s.Git(s.Dir, "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false", "clone", "-q", dir, clone)
			want := map[string]string{}
			for name := range files {
				b, err := os.ReadFile(filepath.Join(clone, name))
				if err != nil {
					t.Fatal(err)
				}
				if name != ".gitattributes" {
					want[name] = string(b)
				}
			}
			if want["a.dos"] != "a\r\nb\r\n" || !strings.HasPrefix(want["a.up"], "LOUD") || crlf != "true" && want["a.u16"] != files["a.u16"] || crlf == "true" != (want["a.txt"] == "a\r\nb\r\n") {
				t.Fatalf("git wrote %q", want)
			}
			s.Write(clone, ".gitattributes", "* -text\n")
			s.Git(s.Dir, "clone", "-q", "--bare", dir, s.Path("bare"))
			for _, dir := range []string{clone, s.Path("bare")} {
				m := openModel(t, s, dir)
				trees := map[string]*Tree{"commit": m.openCommit(t, "", Options{})}
				if dir == clone {
					trees["index"] = m.openIndex(t, "", Options{})
				}
				for kind, tr := range trees {
					got := contents(t, tr)
					for name := range want {
						if got[name] != want[name] {
							t.Errorf("%s of %s: %q = %q, want %q", kind, dir, name, got[name], want[name])
						}
					}
					if len(got) != len(want) {
						t.Errorf("%s of %s holds %d files, want %d", kind, dir, len(got), len(want))
					}
					if got := problems(tr.Warnings); !slices.Equal(got, []string{"both.dat: bad LFS", "raw.dat: bad LFS"}) {
						t.Errorf("%s of %s: warnings %q", kind, dir, got)
					}
					tr.Close()
				}
			}
			left, _ := filepath.Glob(filepath.Join(os.TempDir(), "git-model-sign-scratch-*"))
			for _, l := range left {
				t.Errorf("%s is left behind", l)
			}
		})
	}
}

func TestCommitPointers(t *testing.T) {
	const oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + oid + "\nsize 12345\n"
	extended := "version https://git-lfs.github.com/spec/v1\next-0-foo sha256:" + oid + "\noid sha256:" + oid + "\nsize 12345\n"
	m := newModel(t, map[string]string{
		".gitattributes": "[attr]weights filter=lfs -text\n*.bin weights\n", "off/.gitattributes": "*.bin -filter\n",
		"a.bin": pointer, "a.txt": pointer, "ext.bin": extended, "off/b.bin": pointer, "raw.bin": "raw", "empty.bin": "",
		"crlf.bin": strings.ReplaceAll(pointer, "\n", "\r\n"),
	})
	m.Write(m.dir, ".gitattributes", "* -filter\n") // the worktree's have no say
	for kind, tr := range map[string]*Tree{"commit": m.openCommit(t, "", Options{}), "index": m.openIndex(t, "", Options{})} {
		var got []string
		for _, f := range tr.Files {
			if f.Kind == Pointer {
				got = append(got, fmt.Sprintf("%s %s %v", f.Path, f.Pointer.OID[:8], f.Pointer.Extensions))
			}
		}
		if want := []string{"a.bin 4d7a2146 false", "ext.bin 4d7a2146 true"}; !slices.Equal(got, want) {
			t.Errorf("%s: pointers %q, want %q", kind, got, want)
		}
		if got, want := problems(tr.Problems), []string{"ext.bin: bad LFS+not downloaded"}; !slices.Equal(got, want) {
			t.Errorf("%s: problems %q, want %q", kind, got, want)
		}
		if got, want := problems(tr.Warnings), []string{"crlf.bin: bad LFS", "raw.bin: bad LFS"}; !slices.Equal(got, want) {
			t.Errorf("%s: warnings %q, want %q", kind, got, want)
		}
	}
}

// TestCommitOddTree reads trees that git would not make, but that a push may bring.
func TestCommitOddTree(t *testing.T) {
	m := newModel(t, map[string]string{"a": "1", "b": "2", "f/x": "3"})
	blob := func(name string) string { return strings.TrimSpace(m.Git(m.dir, "rev-parse", "HEAD:"+name)) }
	raw := func(oid string) string {
		b, err := hex.DecodeString(oid)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		tree            string
		files, problems []string
	}{
		"twice":                       {"100644 a\x00" + raw(blob("a")) + "100644 a\x00" + raw(blob("b")), nil, []string{"a: ambiguous"}},
		"thrice":                      {"100644 a\x00" + raw(blob("a")) + "100644 a\x00" + raw(blob("b")) + "100644 a\x00" + raw(blob("b")), nil, []string{"a: ambiguous"}},
		"out of order":                {"100644 b\x00" + raw(blob("b")) + "100644 a\x00" + raw(blob("a")), []string{"a", "b"}, nil},
		"twice, apart":                {"100644 a\x00" + raw(blob("a")) + "100644 b\x00" + raw(blob("b")) + "100644 a\x00" + raw(blob("b")), []string{"b"}, []string{"a: ambiguous"}},
		"link and file":               {"120000 a\x00" + raw(blob("a")) + "100644 a\x00" + raw(blob("b")), nil, []string{"a: ambiguous"}},
		"file and folder":             {"100644 a\x00" + raw(blob("a")) + "40000 a\x00" + raw(blob("f")), []string{"a/x"}, []string{"a: ambiguous"}},
		"file and folder, apart":      {"100644 a\x00" + raw(blob("a")) + "100644 a.b\x00" + raw(blob("a")) + "40000 a\x00" + raw(blob("f")), []string{"a.b", "a/x"}, []string{"a: ambiguous"}},
		"folder twice":                {"40000 a\x00" + raw(blob("f")) + "40000 a\x00" + raw(blob("f")), nil, []string{"a/x: ambiguous"}},
		"signature twice":             {"100644 s.sig\x00" + raw(blob("a")) + "100644 s.sig\x00" + raw(blob("b")), nil, []string{"s.sig: ambiguous"}},
		"signature as a folder too":   {"100644 s.sig\x00" + raw(blob("a")) + "40000 s.sig\x00" + raw(blob("f")), []string{"s.sig/x"}, []string{"s.sig: ambiguous"}},
		"signature as a folder":       {"40000 s.sig\x00" + raw(blob("f")), []string{"s.sig/x"}, nil},
		"left out, twice":             {"100644 out\x00" + raw(blob("a")) + "100644 out\x00" + raw(blob("b")), nil, []string{"out: ambiguous"}},
		"left out, file and folder":   {"100644 out\x00" + raw(blob("a")) + "40000 out\x00" + raw(blob("f")), nil, []string{"out: ambiguous"}},
		"left out, twice in a folder": {"40000 out\x00" + raw(blob("f")) + "40000 out\x00" + raw(blob("f")), nil, []string{"out/x: ambiguous"}},
		"attributes twice":            {"100644 .gitattributes\x00" + raw(blob("a")) + "100644 .gitattributes\x00" + raw(blob("b")), nil, []string{".gitattributes: ambiguous"}},
		"not UTF-8":                   {"100644 \xff\x00" + raw(blob("a")) + "100644 b\x00" + raw(blob("b")), []string{"b"}, []string{"\xff: not UTF-8"}},
		"dots":                        {"100644 ..\x00" + raw(blob("a")) + "100644 b\x00" + raw(blob("b")), []string{"b"}, []string{"..: name"}},
		"old mode":                    {"100664 a\x00" + raw(blob("a")), []string{"a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(m.Path("tree"), []byte(c.tree), 0o666); err != nil {
				t.Fatal(err)
			}
			tree := strings.TrimSpace(m.Git(m.dir, "hash-object", "-t", "tree", "-w", "--literally", m.Path("tree")))
			commit := strings.TrimSpace(m.Git(m.dir, "commit-tree", "-m", "odd", tree))
			tr, err := OpenCommit(t.Context(), m.repo, commit, "", Options{Signature: "s.sig", Ignore: []string{"out"}})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if !slices.Equal(paths(tr), c.files) || !slices.Equal(problems(tr.Problems), c.problems) {
				t.Errorf("files %q, problems %q; want %q, %q", paths(tr), problems(tr.Problems), c.files, c.problems)
			}
		})
	}
}

// TestCommitAmbiguousElsewhere has a commit that is fit for no model in it.
func TestCommitAmbiguousElsewhere(t *testing.T) {
	m := newModel(t, map[string]string{"m/a": "1", "m/sub/b": "2", "f": "3"})
	entries := m.Git(m.dir, "ls-tree", "HEAD", "m") + strings.Replace(m.Git(m.dir, "ls-tree", "HEAD", "f"), "\tf", "\tm", 1)
	cmd := exec.CommandContext(t.Context(), "git", "mktree")
	cmd.Dir, cmd.Stdin = m.dir, strings.NewReader(entries)
	tree, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(m.Git(m.dir, "commit-tree", "-m", "odd", strings.TrimSpace(string(tree))))
	for under, want := range map[string]string{"": "m: ambiguous", "m": "m: ambiguous", "m/sub": "../../m: ambiguous", "m/sub/b": "../../m: ambiguous"} {
		tr, err := OpenCommit(t.Context(), m.repo, commit, under, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(tr.Problems); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: problems %q, want %q", under, got, want)
		}
		tr.Close()
	}
}

// TestCommitLargeBlobs reads contents of every size that is dealt with differently.
func TestCommitLargeBlobs(t *testing.T) {
	files := map[string]string{"zero": ""}
	for i := range 24 {
		files[fmt.Sprintf("medium%02d", i)] = strings.Repeat(fmt.Sprint(i), maxLoaded/2)
	}
	for i := range 2 * groupLarger {
		files[fmt.Sprintf("large%02d", i)] = strings.Repeat(fmt.Sprint(i), maxLoaded+i)
	}
	files["same"], files["again"] = files["large03"], files["medium03"]
	m := newModel(t, files)
	tr := m.openCommit(t, "", Options{})
	groups, end := 0, 0
	err := tr.Load(t.Context(), tr.Files, func(from, to int) error {
		if from != end {
			t.Errorf("a group begins at %d, the last one ended at %d", from, end)
		}
		groups, end = groups+1, to
		at := int64(0)
		for _, f := range tr.Files[from:to] {
			if got := content(t, f); got != files[f.Path] {
				t.Errorf("%s has %d bytes, want %d, or others", f.Path, len(got), len(files[f.Path]))
			}
			f.blob.mu.Lock()
			if f.blob.content != nil {
				at += f.Size
			}
			f.blob.mu.Unlock()
		}
		if at > groupBytes {
			t.Errorf("%d bytes at hand at once", at)
		}
		return nil
	})
	if err != nil || end != len(tr.Files) || groups < 3 {
		t.Errorf("%d groups up to %d of %d files, %v", groups, end, len(tr.Files), err)
	}
	f := tr.Files[slices.Index(paths(tr), "large01")]
	file, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, off := range []int64{100, 200, 50, f.Size - 3, 0} {
		b := make([]byte, 3)
		if _, err := file.ReadAt(b, off); err != nil || string(b) != files["large01"][off:off+3] {
			t.Errorf("at %d: %q, %v", off, b, err)
		}
	}
	if n, err := file.ReadAt(make([]byte, 10), f.Size-4); n != 4 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	wrong := errors.New("no")
	if err := tr.Load(t.Context(), tr.Files, func(int, int) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("Load ends with %v", err)
	}
}

// TestCommitLinks follows links as the worktree does, and nowhere else.
func TestCommitLinks(t *testing.T) {
	m := newModel(t, map[string]string{".gitattributes": "*.dos eol=crlf\n", "m/a": "A", "m/sub/b": "B", "m/c.dos": "c\n", "out/o": "O"})
	m.Git(m.dir, "rm", "-q", "--cached", "m/c.dos")
	m.Git(m.dir, "reset", "-q", "--hard")
	for link, target := range map[string]string{
		"m/file": "a", "m/deep": "sub/../sub/./b", "m/chain": "file", "m/dos": "c.dos", "m/outside": "../out/o", "m/through": "dir/b",
		"m/dir": "sub", "m/nowhere": "none", "m/loop": "loop", "m/abs": "/etc/hostname", "m/above": "../../x", "m/behind": "a/x",
	} {
		symlink(t, target, filepath.Join(m.dir, link))
	}
	m.CommitAll(m.dir, "links")
	wantProblems := []string{"above: symlink", "abs: symlink", "behind: symlink", "dir: symlink", "loop: symlink", "nowhere: symlink"}
	wantFiles := map[string]string{"a": "A", "sub/b": "B", "c.dos": "c\r\n", "file": "A", "deep": "B", "chain": "A", "dos": "c\r\n", "outside": "O", "through": "B"}
	o := Options{AllowSymlinks: true}
	trees := map[string]*Tree{"commit": m.openCommit(t, "m", o), "index": m.openIndex(t, "m", o)}
	for kind, tr := range trees {
		if got := contents(t, tr); !maps.Equal(got, wantFiles) {
			t.Errorf("%s: files %q\nwant %q", kind, got, wantFiles)
		}
		if got := problems(tr.Problems); !slices.Equal(got, wantProblems) {
			t.Errorf("%s: problems %q, want %q", kind, got, wantProblems)
		}
		if got, want := problems(tr.Warnings), []string{"outside: symlink"}; !slices.Equal(got, want) {
			t.Errorf("%s: warnings %q, want %q", kind, got, want)
		}
	}
	// The worktree says the same, except of what leads out of the repository.
	m.Git(m.dir, "rm", "-q", "-f", "m/abs", "m/above")
	m.CommitAll(m.dir, "nothing that leads out")
	worktree := m.open(t, "m", o)
	tr := m.openCommit(t, "m", o)
	if got, want := contents(t, tr), contents(t, worktree); !maps.Equal(got, want) {
		t.Errorf("commit %q\nworktree %q", got, want)
	}
	if got, want := problems(tr.Problems), problems(worktree.Problems); !slices.Equal(got, want) {
		t.Errorf("commit %q\nworktree %q", got, want)
	}
	if got := problems(m.openCommit(t, "m", Options{}).Problems); len(got) != 10 {
		t.Errorf("without AllowSymlinks: %q", got)
	}
}
