package gitrepo

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func openAt(t *testing.T, dir string) *Repository {
	t.Helper()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func entryPaths(entries []Entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Path)
	}
	return names
}

func TestSnapshotUnder(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1", "a.txt": "2", "b/c": "3", "b/d/e": "4", "b-": "5", "b0": "6", "z": "7"})
	r := openAt(t, dir)
	for _, commit := range []string{"", "HEAD"} {
		snapshot, err := r.Snapshot(t.Context(), commit)
		if err != nil {
			t.Fatal(err)
		}
		for under, want := range map[string][]string{
			"": {"a", "a.txt", "b-", "b/c", "b/d/e", "b0", "z"}, "a": {"a"}, "b": {"b/c", "b/d/e"}, "b/d": {"b/d/e"}, "b/": nil, "none": nil, "zz": nil,
		} {
			if got := entryPaths(snapshot.Under(under)); !slices.Equal(got, want) {
				t.Errorf("under %q of %q: %q, want %q", under, commit, got, want)
			}
		}
		if e, found := snapshot.Entry("b/c"); !found || e.Path != "b/c" {
			t.Errorf("entry %+v, %v", e, found)
		}
		if _, found := snapshot.Entry("b"); found {
			t.Error("a folder has an entry")
		}
	}
}

func TestCheckoutConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config    [][2]string
		crlf      bool
		drivers   string
		promisors string
	}{
		"none":      {},
		"true":      {config: [][2]string{{"core.autocrlf", "true"}}, crlf: true},
		"yes":       {config: [][2]string{{"core.autocrlf", "Yes"}}, crlf: true},
		"input":     {config: [][2]string{{"core.autocrlf", "input"}, {"core.eol", "crlf"}}},
		"eol":       {config: [][2]string{{"core.eol", "crlf"}}, crlf: true},
		"drivers":   {config: [][2]string{{"filter.a.b.smudge", "x"}, {"filter.lfs.required", "true"}}, drivers: "a.b lfs"},
		"promisors": {config: [][2]string{{"remote.x.promisor", "true"}, {"remote.o.y.promisor", "true"}, {"remote.no.promisor", "false"}}, promisors: "x o.y"},
		"last": {config: [][2]string{{"core.repositoryformatversion", "1"}, {"extensions.partialclone", "x"}, {"remote.x.promisor", "true"}, {"remote.y.promisor", "1"}},
			promisors: "y x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			dir := s.Init("r", map[string]string{"a": "1"})
			for _, kv := range c.config {
				s.Git(dir, "config", kv[0], kv[1])
			}
			got, err := openAt(t, dir).Checkout(t.Context())
			var drivers []string
			for d := range got.Drivers {
				drivers = append(drivers, d)
			}
			slices.Sort(drivers)
			if err != nil || got.CRLF != c.crlf || strings.Join(drivers, " ") != c.drivers || strings.Join(got.Promisors, " ") != c.promisors {
				t.Errorf("%+v, %v; want %+v", got, err, c)
			}
		})
	}
}

// TestFetch counts and fetches what a partial clone lacks, and nothing else.
func TestFetch(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1", "b": "2", "c": "3"})
	s.Git(dir, "config", "uploadpack.allowFilter", "true")
	s.Git(dir, "config", "uploadpack.allowAnySHA1InWant", "true")
	s.Git(s.Dir, "clone", "-q", "--bare", "--filter=blob:none", "file://"+dir, s.Path("partial"))
	r := openAt(t, s.Path("partial"))
	snapshot, err := r.Snapshot(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range snapshot.Entries {
		all = append(all, e.OID)
	}
	want := func(name string, oids []string, fetched int, missing []string) {
		t.Helper()
		n, err := snapshot.Fetch(t.Context(), oids)
		if err != nil || n != fetched {
			t.Errorf("%s: fetched %d, %v; want %d", name, n, err, fetched)
		}
		if left, err := r.MissingBlobs(t.Context(), all); err != nil || !slices.Equal(left, missing) {
			t.Errorf("%s: %q are missing, %v; want %q", name, left, err, missing)
		}
	}
	want("none", nil, 0, all)
	want("one, named twice", []string{all[1], all[1]}, 1, []string{all[0], all[2]})
	want("again", all[1:2], 0, []string{all[0], all[2]})
	if _, err := os.Stat(filepath.Join(r.GitDir, "FETCH_HEAD")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("FETCH_HEAD: %v", err)
	}
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	if n, err := snapshot.Fetch(t.Context(), all); n != 0 || !errors.Is(err, ErrFetch) || !strings.Contains(err.Error(), "2 objects from origin") {
		t.Errorf("without the remote: %d, %v", n, err)
	}
	if err := os.Rename(dir+"-gone", dir); err != nil {
		t.Fatal(err)
	}
	want("all", all, 2, nil)
}

func TestResolveCommit(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1"})
	s.Git(dir, "tag", "-a", "-m", "annotated", "v1")
	r := openAt(t, dir)
	head := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD"))
	subject := strings.TrimSpace(s.Git(dir, "log", "-1", "--format=%s"))
	for _, rev := range []string{"HEAD", "v1", "main", "refs/heads/main", head, head[:8], "@", ":/" + subject, ":/^" + subject, "HEAD^{/" + subject + "}"} {
		if id, err := r.ResolveCommit(t.Context(), rev); err != nil || id != head {
			t.Errorf("%s is %q, %v; want %s", rev, id, err, head)
		}
	}
	for _, rev := range []string{"", "-", "--all", "none", "HEAD:a", ":a", ":/no such subject", "HEAD^{tree}", "HEAD~7", strings.Repeat("0", 40), "a\x00b", "HEAD..HEAD", "^HEAD"} {
		if id, err := r.ResolveCommit(t.Context(), rev); !errors.Is(err, ErrNoCommit) {
			t.Errorf("%q is %q, %v; want ErrNoCommit", rev, id, err)
		}
	}
	blob := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:a"))
	s.Git(dir, "tag", "-a", "-m", "of a blob", "blob", blob)
	for rev, want := range map[string]error{
		blob: ErrOtherObject, strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD^{tree}")): ErrOtherObject,
		strings.TrimSpace(s.Git(dir, "rev-parse", "refs/tags/blob")): ErrOtherObject, strings.Repeat("1", 40): ErrMissing,
	} {
		if id, err := r.ResolveCommit(t.Context(), rev); !errors.Is(err, ErrNoCommit) || !errors.Is(err, want) {
			t.Errorf("%s is %q, %v; want ErrNoCommit and %v", rev, id, err, want)
		}
	}
	tag := strings.TrimSpace(s.Git(dir, "rev-parse", "refs/tags/v1"))
	if id, err := r.ResolveCommit(t.Context(), tag); err != nil || id != head {
		t.Errorf("the tag is %q, %v; want %s", id, err, head)
	}
	s.Git(dir, "config", "core.repositoryFormatVersion", "99")
	if id, err := r.ResolveCommit(t.Context(), head); err == nil || errors.Is(err, ErrNoCommit) {
		t.Errorf("where git fails it is %q, %v; want an error that is no ErrNoCommit", id, err)
	}
}

func TestSymbolicTarget(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1"})
	for name, target := range map[string]string{"refs/heads/l": "refs/heads/main", "refs/remotes/o/HEAD": "refs/heads/l", "refs/heads/dangling": "refs/heads/unborn",
		"refs/heads/round": "refs/heads/about", "refs/heads/about": "refs/heads/round",
		"refs/namespaces/a/refs/namespaces/b/refs/heads/l": "refs/namespaces/a/refs/namespaces/b/refs/heads/main"} {
		s.Git(dir, "symbolic-ref", name, target)
	}
	r := openAt(t, dir)
	for ref, want := range map[string]string{"refs/heads/main": "refs/heads/main", "refs/heads/none": "refs/heads/none", "refs/heads/l": "refs/heads/main",
		"refs/remotes/o/HEAD": "refs/heads/main", "refs/heads/dangling": "refs/heads/unborn"} {
		if got, err := r.SymbolicTarget(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s leads to %q, %v; want %s", ref, got, err, want)
		}
	}
	for _, ref := range []string{"refs/heads/round", "refs/heads/..", "--delete"} {
		if got, err := r.SymbolicTarget(t.Context(), ref); err == nil {
			t.Errorf("%s leads to %q, want an error", ref, got)
		}
	}
	t.Setenv("GIT_NAMESPACE", "a/b")
	if got, err := openAt(t, dir).SymbolicTarget(t.Context(), "refs/heads/l"); err != nil || got != "refs/heads/main" {
		t.Errorf("in a namespace: %q, %v", got, err)
	}
}

func TestCommitsBetween(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"m/a": "1", "b": "1"})
	s.Git(dir, "tag", "start")
	change := func(name, text string) {
		s.Write(dir, name, text)
		s.CommitAll(dir, name+" "+text)
	}
	change("m/a", "2")
	change("b", "2")
	s.Git(dir, "checkout", "-q", "-b", "side", "start")
	change("m/c", "side")
	s.Git(dir, "checkout", "-q", "main")
	s.Git(dir, "merge", "-q", "--no-edit", "side")
	change("m/a", "3")
	r := openAt(t, dir)
	resolve := func(rev string) string {
		id, err := r.ResolveCommit(t.Context(), rev)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	subjects := func(commits []string, err error) []string {
		if err != nil {
			t.Error(err)
		}
		var got []string
		for _, c := range commits {
			got = append(got, strings.TrimSpace(s.Git(dir, "log", "-1", "--format=%s", c)))
		}
		return got
	}
	got := subjects(r.CommitsBetween(t.Context(), resolve("start"), resolve("main"), "m"))
	slices.Sort(got[:2]) // of two lines of history
	if want := []string{"m/a 2", "m/c side", "Merge branch 'side'", "m/a 3"}; !slices.Equal(got, want) {
		t.Errorf("range %q, want %q", got, want)
	}
	got = subjects(r.History(t.Context(), resolve("main"), 10, "m"))
	if want := []string{"m/a 3", "Merge branch 'side'", "m/a 2"}; len(got) != 4 || !slices.Equal(got[:3], want) {
		t.Errorf("history %q, want %q and the first", got, want)
	}
	if got := subjects(r.History(t.Context(), resolve("main"), 2, "m")); len(got) != 2 {
		t.Errorf("history of two is %q", got)
	}
}

func TestObjectsAt(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1", "odd name": "2", "d/e": "3"})
	s.Write(dir, "a", "changed")
	s.CommitAll(dir, "second")
	r := openAt(t, dir)
	var commits []string
	for _, rev := range []string{"HEAD", "HEAD~1"} {
		commits = append(commits, strings.TrimSpace(s.Git(dir, "rev-parse", rev)))
	}
	names := []string{"a", "odd name", "none", "d/e"}
	got, err := r.ObjectsAt(t.Context(), commits, names)
	if err != nil {
		t.Fatal(err)
	}
	for i, commit := range commits {
		for j, name := range names {
			want := ""
			if name != "none" {
				want = strings.TrimSpace(s.Git(dir, "rev-parse", commit+":"+name))
			}
			if got[i][j] != want {
				t.Errorf("%s:%s is %q, want %q", commit, name, got[i][j], want)
			}
		}
	}
	if _, err := r.ObjectsAt(t.Context(), commits, []string{"a\nb"}); err == nil {
		t.Error("a path with a line end is asked for")
	}
}

func TestReadBlobs(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "one", "b": strings.Repeat("x\n", 100_000), "c": ""})
	r := openAt(t, dir)
	entries, err := r.CommitEntries(t.Context(), "HEAD", "")
	if err != nil {
		t.Fatal(err)
	}
	oids := []string{entries[0].OID, entries[1].OID, entries[2].OID}
	sizes := []int64{3, 200_000, 0}
	n := 0
	err = r.ReadBlobs(t.Context(), oids, sizes, func(i int, content []byte) error {
		if n++; i != n-1 || int64(len(content)) != sizes[i] {
			t.Errorf("blob %d has %d bytes", i, len(content))
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("%d blobs, %v", n, err)
	}
	ignore := func(int, []byte) error { return nil }
	if err := r.ReadBlobs(t.Context(), oids[:1], []int64{4}, ignore); !errors.Is(err, ErrObject) {
		t.Errorf("another size: %v", err)
	}
	if err := r.ReadBlobs(t.Context(), []string{strings.Repeat("1", len(oids[0]))}, sizes, ignore); !errors.Is(err, ErrObject) {
		t.Errorf("no such object: %v", err)
	}
	b, err := r.OpenBlob(t.Context(), oids[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closed early: %v", err)
	}
	b, err = r.OpenBlob(t.Context(), strings.Repeat("1", len(oids[0])))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(b); err == nil {
		t.Error("an object that is not there is read")
	}
	b.Close()
	if _, err := r.OpenBlob(t.Context(), "--batch"); !errors.Is(err, ErrObject) {
		t.Errorf("no object id: %v", err)
	}
}
