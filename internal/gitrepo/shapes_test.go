package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// TestShapes opens every shape and holds the two readers against each other and
// against what was put in.
func TestShapes(t *testing.T) {
	for _, shape := range gittest.Shapes() {
		t.Run(shape.Name, func(t *testing.T) {
			s := gittest.New(t)
			dir := shape.Build(s)
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if r.Bare != shape.Bare || !shape.Bare && r.Top != dir || shape.Bare && r.GitDir != dir {
				t.Errorf("opened as %+v, want top or bare folder %s", r, dir)
			}
			entries := checkEntries(t, s, r, shape)
			checkIndex(t, r, shape)
			checkBlobs(t, r, shape, entries)
			if shape.Bare {
				return
			}
			changes, err := r.Changes(t.Context(), "")
			if err != nil || len(changes) != 0 {
				t.Errorf("Changes = %v, %v; want none", changes, err)
			}
			s.Write(dir, "new file", "x")
			changes, err = r.Changes(t.Context(), "")
			if want := []Change{{"new file", Untracked}}; err != nil || !slices.Equal(changes, want) {
				t.Errorf("Changes = %v, %v; want %v", changes, err, want)
			}
			if untracked, err := r.UntrackedFiles(t.Context(), ""); err != nil || !slices.Equal(untracked, []string{"new file"}) {
				t.Errorf("UntrackedFiles = %q, %v", untracked, err)
			}
		})
	}
}

// checkEntries holds the index and HEAD against the files that were put in.
func checkEntries(t *testing.T, s *gittest.Sandbox, r *Repository, shape gittest.Shape) []Entry {
	head, err := r.HeadCommit(t.Context())
	if want := strings.TrimSpace(s.Git(r.git.dir, "rev-parse", "HEAD")); err != nil || head != want {
		t.Errorf("HeadCommit = %q, %v; want %q", head, err, want)
	}
	entries, err := r.CommitEntries(t.Context(), head, "")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range entries {
		if e.Mode == ModeFile {
			paths = append(paths, e.Path)
		}
	}
	if want := slices.Sorted(maps.Keys(gittest.Files())); !slices.Equal(paths, want) {
		t.Errorf("HEAD holds %q\nwant %q", paths, want)
	}
	if !shape.Bare {
		indexed, err := r.Index(t.Context(), "")
		plain := slices.Clone(indexed)
		for i := range plain {
			plain[i].SkipWorktree = false
		}
		if err != nil || !slices.Equal(plain, entries) {
			t.Errorf("Index = %v, %v\nwant %v", indexed, err, entries)
		}
	}
	return entries
}

func checkIndex(t *testing.T, r *Repository, shape gittest.Shape) {
	if shape.Bare {
		return
	}
	for _, under := range []string{"", "sub", "config.json", "name with spaces/a b c", "star[1]", ":(top)magic", "-leading-dash", "unicode", "no such"} {
		want, err := gitReader{r}.index(t.Context(), under)
		if err != nil {
			t.Fatalf("git's index under %q: %v", under, err)
		}
		got, err := plainReader{r}.index(t.Context(), under)
		if shape.PlainIndex != (err == nil) {
			t.Errorf("plain index: error %v, want it readable: %v", err, shape.PlainIndex)
		}
		if err == nil && !slices.Equal(got, want) {
			t.Errorf("plain index under %q:\n%v\ngit:\n%v", under, got, want)
		}
		sparse := slices.ContainsFunc(want, func(e Entry) bool { return e.SkipWorktree })
		if under == "" && sparse != (shape.Sparse || shape.Name == "index-v3") {
			t.Errorf("an entry is left out of the worktree: %v", sparse)
		}
	}
}

type blob struct {
	oid     string
	content string
	hasText bool
	size    int64
}

func checkBlobs(t *testing.T, r *Repository, shape gittest.Shape, entries []Entry) {
	var oids []string
	var want []blob
	const max = 1000
	for _, e := range entries {
		if e.Mode != ModeFile {
			continue
		}
		oids = append(oids, e.OID)
		content := gittest.Files()[e.Path]
		if id, err := r.BlobID(strings.NewReader(content), int64(len(content))); err != nil || id != e.OID {
			t.Errorf("BlobID of %q = %s, %v; want %s", e.Path, id, err, e.OID)
		}
		b := blob{oid: e.OID, size: int64(len(content)), hasText: len(content) <= max}
		if b.hasText {
			b.content = content
		}
		want = append(want, b)
	}
	read := func(oids []string, read func(context.Context, []string, int64, BlobFunc) error) ([]blob, error) {
		var got []blob
		err := read(t.Context(), oids, max, func(oid string, content []byte, size int64) error {
			got = append(got, blob{oid, string(content), content != nil, size})
			return nil
		})
		return got, err
	}
	// Before git is asked: it may fetch what is missing.
	small := slices.DeleteFunc(slices.Clone(want), func(b blob) bool { return !b.hasText })
	var smallIDs []string
	for _, b := range small {
		smallIDs = append(smallIDs, b.oid)
	}
	got, err := read(smallIDs, plainReader{r}.blobs)
	if shape.PlainBlobs != (err == nil) || err == nil && !slices.Equal(got, small) {
		t.Errorf("plain blobs: %v, error %v, want them readable: %v", got, err, shape.PlainBlobs)
	}
	for name, reader := range map[string]func(context.Context, []string, int64, BlobFunc) error{"either": r.Blobs, "git": gitReader{r}.blobs} {
		if got, err := read(oids, reader); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: blobs = %v, %v\nwant %v", name, got, err, want)
		}
	}
}

func TestMonitorIsNotStarted(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	mark := s.Path("started")
	s.Git(dir, "config", "core.fsmonitor", gittest.Script(s, "monitor", "touch '"+mark+"'; printf 'token\\0'"))
	s.Git(dir, "update-index", "--fsmonitor")
	s.Git(dir, "status")
	if _, err := os.Lstat(mark); err != nil {
		t.Fatal("the monitor does not work, so that the test shows nothing")
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	s.Write(dir, "a", "2\n")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := r.Changes(t.Context())
	if want := []Change{{"a", Unstaged}}; err != nil || !slices.Equal(changes, want) {
		t.Errorf("Changes = %v, %v; want %v although the monitor says that nothing changed", changes, err, want)
	}
	_, err1 := r.UntrackedFiles(t.Context(), "")
	_, err2 := gitReader{r}.index(t.Context(), "")
	_, err3 := r.Attributes(t.Context(), []string{"a"}, "filter")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(mark); err == nil {
		t.Error("the fsmonitor program was started")
	}
}

func TestPartialCloneFetchesOnlyWhatIsAsked(t *testing.T) {
	s := gittest.New(t)
	files := map[string]string{"sub/here": "1\n", "there/a": "2\n", "there/b": "3\n"}
	src := s.Init("src", files)
	s.Git(src, "config", "uploadpack.allowFilter", "true")
	s.Git(src, "config", "uploadpack.allowAnySHA1InWant", "true")
	s.NeedGit(2, 36, "clone --sparse with cones")
	dir := s.Path("partial")
	s.Git(s.Dir, "clone", "-q", "--filter=blob:none", "--sparse", "file://"+filepath.ToSlash(src), dir)
	s.Git(dir, "sparse-checkout", "set", "--cone", "sub")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.HeadCommit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	oids := map[string]string{}
	entries, err := r.CommitEntries(t.Context(), head, "")
	for _, e := range entries {
		oids[e.Path] = e.OID
	}
	_, err1 := gitReader{r}.index(t.Context(), "")
	_, err2 := r.Changes(t.Context())
	_, err3 := r.UntrackedFiles(t.Context(), "")
	_, err4 := r.Attributes(t.Context(), []string{"there/a"}, "text")
	if err := errors.Join(err, err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	local := func() string {
		return s.Git(dir, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
	}
	if all := local(); strings.Contains(all, oids["there/a"]) || strings.Contains(all, oids["there/b"]) || !strings.Contains(all, oids["sub/here"]) {
		t.Errorf("listing fetched blobs, or the clone is not partial: %v in\n%s", oids, all)
	}
	missing, err := r.MissingBlobs(t.Context(), []string{oids["there/a"], oids["sub/here"], oids["there/b"]})
	if want := []string{oids["there/a"], oids["there/b"]}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("MissingBlobs = %q, %v; want %q", missing, err, want)
	}
	if strings.Contains(local(), oids["there/a"]) {
		t.Error("MissingBlobs fetched a blob")
	}
	var got bytes.Buffer
	err = r.Blobs(t.Context(), []string{oids["sub/here"], oids["there/a"]}, 100, func(_ string, content []byte, _ int64) error {
		got.Write(content)
		return nil
	})
	if err != nil || got.String() != "1\n2\n" {
		t.Errorf("Blobs gave %q, %v", got.String(), err)
	}
	if all := local(); !strings.Contains(all, oids["there/a"]) || strings.Contains(all, oids["there/b"]) {
		t.Errorf("Blobs fetched other than what was asked for: %v in\n%s", oids, all)
	}
}

func TestBlobErrors(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	oid := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:a"))
	none := func(string, []byte, int64) error { return nil }
	for name, id := range map[string]string{
		"missing": strings.Repeat("1", 40), "a commit": strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD")),
		"a name": "HEAD:a", "short": oid[:10], "two": oid + "\n" + oid, "empty": "",
	} {
		if err := r.Blobs(t.Context(), []string{oid, id}, 100, none); !errors.Is(err, ErrObject) {
			t.Errorf("%s: error %v, want ErrObject", name, err)
		}
	}
	mine := errors.New("mine")
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		calls := 0
		err := rd.blobs(t.Context(), []string{oid, oid}, 100, func(string, []byte, int64) error { calls++; return mine })
		if !errors.Is(err, mine) || calls != 1 {
			t.Errorf("%s: error %v after %d calls, want the callback's own after one", name, err, calls)
		}
	}
	if err := r.Blobs(t.Context(), []string{oid}, 100, func(string, []byte, int64) error { return mine }); err != mine {
		t.Errorf("error %v, want the callback's own", err)
	}
	// A loose object with the content of another.
	s.Write(dir, "b", "2\n")
	other := strings.TrimSpace(s.Git(dir, "hash-object", "-w", "b"))
	loose := func(id string) string { return filepath.Join(r.CommonDir, "objects", id[:2], id[2:]) }
	if err := os.Remove(loose(oid)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(loose(other), loose(oid)); err != nil {
		t.Fatal(err)
	}
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		if err := rd.blobs(t.Context(), []string{oid}, 100, none); err == nil {
			t.Errorf("%s: a blob with other content than its id says is read", name)
		}
	}
}

func TestReplacedBlobsCountAsTheyAre(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	oid := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:a"))
	s.Write(dir, "b", "2\n")
	s.Git(dir, "replace", oid, strings.TrimSpace(s.Git(dir, "hash-object", "-w", "b")))
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		err := rd.blobs(t.Context(), []string{oid}, 100, func(_ string, content []byte, _ int64) error {
			if string(content) != "1\n" {
				t.Errorf("%s: read %q, want the blob itself", name, content)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMain(m *testing.M) {
	if _, err := exec.LookPath("git"); err != nil {
		panic("tests need git on PATH")
	}
	os.Exit(m.Run())
}
