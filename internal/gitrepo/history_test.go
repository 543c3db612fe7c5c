package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// visits is what VisitHistory finds, as lines `<subject>: <path> <what>`.
func visits(t *testing.T, s *gittest.Sandbox, dir string, o HistoryOptions) []string {
	t.Helper()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = r.VisitHistory(t.Context(), o, func(v Visit) error {
		subject := strings.TrimSpace(s.Git(dir, "log", "-1", "--format=%s", v.Commit))
		if want := strings.TrimSpace(s.Git(dir, "log", "-1", "--format=%ct", v.Commit)); want != fmt.Sprint(v.Time.Unix()) {
			t.Errorf("%s: committed at %v, want %s", subject, v.Time, want)
		}
		for _, p := range v.Paths {
			what := "changed"
			switch {
			case p.Old == "":
				what = "new"
			case p.New == "":
				what = "gone"
			}
			got = append(got, fmt.Sprintf("%s: %q %s", subject, p.Path, what))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// signedHistory makes a repository with a history of signatures.
func signedHistory(s *gittest.Sandbox, args ...string) string {
	dir := s.Init("history", map[string]string{"model.sig": "1", "a/model.sig": "1", "a*/model.sig": "1", "weights": "1"}, args...)
	write := func(subject, name, content string) {
		s.Write(dir, name, content)
		s.CommitAll(dir, subject)
	}
	write("weights only", "weights", "2")
	write("second", "model.sig", "2")
	write("odd name", "a\nb/c.bin.sig", "1")
	s.Git(dir, "checkout", "-q", "-b", "side")
	write("side", "a/model.sig", "side")
	s.Git(dir, "checkout", "-q", "main")
	write("main", "a/model.sig", "main")
	if _, err := s.TryGit(dir, "merge", "-q", "side"); err == nil {
		s.Fatal("merged without a conflict")
	}
	write("evil merge", "a/model.sig", "neither")
	s.Git(dir, "rm", "-q", "model.sig")
	s.CommitAll(dir, "gone")
	return dir
}

func TestHistory(t *testing.T) {
	s := gittest.New(t)
	dir := signedHistory(s)
	bare := s.Path("bare.git")
	s.Git(dir, "clone", "-q", "--bare", dir, bare)
	for _, tt := range []struct {
		name string
		o    HistoryOptions
		want []string
	}{
		{"everything", HistoryOptions{}, []string{
			`gone: "model.sig" gone`, `evil merge: "a/model.sig" changed`, `main: "a/model.sig" changed`, `side: "a/model.sig" changed`,
			`odd name: "a\nb/c.bin.sig" new`, `second: "model.sig" changed`,
			`first: "a*/model.sig" new`, `first: "a/model.sig" new`, `first: "model.sig" new`}},
		{"a folder", HistoryOptions{Under: "a"}, []string{
			`evil merge: "a/model.sig" changed`, `main: "a/model.sig" changed`, `side: "a/model.sig" changed`, `first: "a/model.sig" new`}},
		{"a folder whose name is a pattern", HistoryOptions{Under: "a*"}, []string{`first: "a*/model.sig" new`}},
		{"a file", HistoryOptions{Under: "a\nb/c.bin"}, []string{`odd name: "a\nb/c.bin.sig" new`}},
		{"a signature", HistoryOptions{Under: "model.sig"}, []string{`gone: "model.sig" gone`, `second: "model.sig" changed`, `first: "model.sig" new`}},
		{"nothing", HistoryOptions{Under: "b"}, nil},
		{"a range", HistoryOptions{Range: "main~2..main", Under: "model.sig"}, []string{`gone: "model.sig" gone`}},
		{"a branch", HistoryOptions{Range: "side", Under: "a"}, []string{`side: "a/model.sig" changed`, `first: "a/model.sig" new`}},
	} {
		tt.o.Suffix = ".sig"
		for _, dir := range []string{dir, bare} {
			got := visits(t, s, dir, tt.o)
			// Both sides of the merge are of the same second.
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s in %s:\n got %q\nwant %q", tt.name, dir, got, tt.want)
			}
		}
	}
}

// TestAllHistory holds that nothing is overlooked that a ref leads to.
func TestAllHistory(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("all", map[string]string{"weights": "1"})
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Shallow() {
		t.Error("a repository that was made here is shallow")
	}
	commit := func(branch, name string) {
		s.Git(dir, "checkout", "-q", "-B", branch, "main")
		s.Write(dir, name, branch)
		s.CommitAll(dir, branch)
	}
	commit("unmerged", "a.sig")
	commit("tagged", "model.sig")
	s.Git(dir, "tag", "-m", "v1", "v1")
	commit("dropped", "model.sig")
	s.Git(dir, "checkout", "-q", "main")
	s.Git(dir, "branch", "-D", "tagged")
	s.Git(dir, "merge", "-q", "-s", "ours", "-m", "Take nothing", "dropped")
	s.Git(dir, "branch", "-D", "dropped")
	commit("detached", "model.sig")
	s.Git(dir, "checkout", "-q", "--detach")
	s.Git(dir, "branch", "-D", "detached")

	want := []string{`detached: "model.sig" new`, `dropped: "model.sig" new`, `tagged: "model.sig" new`, `unmerged: "a.sig" new`}
	got := visits(t, s, dir, HistoryOptions{All: true, Suffix: ".sig"})
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
	empty := s.Path("empty")
	s.Git(s.Dir, "init", "-q", empty)
	if got := visits(t, s, empty, HistoryOptions{All: true, Suffix: ".sig"}); len(got) > 0 {
		t.Errorf("without commits: %q", got)
	}
	shallow := s.Path("shallow")
	s.Git(s.Dir, "clone", "-q", "--depth", "1", "file://"+filepath.ToSlash(dir), shallow)
	if r, err = Open(t.Context(), shallow); err != nil || !r.Shallow() {
		t.Errorf("a shallow clone is not known for one (%v)", err)
	}
}

// TestHistoryOfSubmodules holds that the commit of a submodule is not taken for a file's content, which is nowhere here.
func TestHistoryOfSubmodules(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("submodules", map[string]string{"model.sig": "1", "weights": "1"})
	link := func(subject, path string) {
		s.Git(dir, "rm", "-q", "--cached", "--ignore-unmatch", path)
		s.Git(dir, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("12", 20)+","+path)
		s.Git(dir, "commit", "-q", "-m", subject)
	}
	link("submodule", "sub.sig")
	link("over a file", "model.sig")
	s.Git(dir, "rm", "-q", "--cached", "model.sig")
	s.Git(dir, "add", "model.sig")
	s.Git(dir, "commit", "-q", "-m", "a file again")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	blob := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:model.sig"))
	want := []PathChange{{"model.sig", "", blob}, {"model.sig", blob, ""}, {"sub.sig", "", ""}, {"model.sig", "", blob}}
	for _, o := range []HistoryOptions{{}, {All: true}} {
		o.Suffix = ".sig"
		var got []PathChange
		if err := r.VisitHistory(t.Context(), o, func(v Visit) error {
			got = append(got, v.Paths...)
			return nil
		}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v:\n got %v, %v\nwant %v", o, got, err, want)
		}
	}
}

func TestHistoryOfAnotherObjectFormat(t *testing.T) {
	s := gittest.New(t)
	s.NeedGit(2, 29, "SHA-256")
	dir := signedHistory(s, "--object-format=sha256")
	if got := visits(t, s, dir, HistoryOptions{Under: "model.sig", Suffix: ".sig"}); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

func TestHistoryEnds(t *testing.T) {
	s := gittest.New(t)
	r, err := Open(t.Context(), signedHistory(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []error{ErrStop, errors.New("enough")} {
		n := 0
		err := r.VisitHistory(t.Context(), HistoryOptions{Suffix: ".sig"}, func(Visit) error {
			n++
			return end
		})
		if n != 1 || end == ErrStop && err != nil || end != ErrStop && !errors.Is(err, end) {
			t.Errorf("%v: %d calls, %v", end, n, err)
		}
	}
	for _, bad := range []string{"--all", "nowhere", "HEAD..nowhere", "-1", "HEAD\n--all"} {
		err := r.VisitHistory(t.Context(), HistoryOptions{Range: bad, Suffix: ".sig"}, func(Visit) error { return nil })
		if !errors.Is(err, ErrNoCommit) {
			t.Errorf("%q: %v, want ErrNoCommit", bad, err)
		}
	}
}

// TestHistoryBroken holds that git's failure to read what there is passes neither for a history that is empty nor for a range
// that names what is not there.
func TestHistoryBroken(t *testing.T) {
	s := gittest.New(t)
	good := signedHistory(s)
	for _, tt := range []struct {
		name   string
		damage func(dir string)
		ranges map[string]bool // whether it names what is there
	}{
		{"a commit is lost", func(dir string) {
			id := strings.TrimSpace(s.Git(dir, "rev-parse", "main~2"))
			if err := os.Remove(filepath.Join(dir, ".git", "objects", id[:2], id[2:])); err != nil {
				t.Fatal(err)
			}
		}, map[string]bool{"": true, "main": true, "origin/side..main": true, "main~3": false, "nowhere": false, strings.Repeat("1", 40): false}},
		{"a branch stands for nothing", func(dir string) {
			s.Write(dir, ".git/refs/heads/broken", strings.Repeat("1", 40)+"\n")
		}, map[string]bool{"broken": false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := s.Path(strings.ReplaceAll(tt.name, " ", "-"))
			s.Git(s.Dir, "clone", "-q", "--no-hardlinks", good, dir)
			tt.damage(dir)
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			none := func(Visit) error { return nil }
			err = r.VisitHistory(t.Context(), HistoryOptions{All: true, Suffix: ".sig"}, none)
			var said *CommandError
			if !errors.As(err, &said) || errors.Is(err, ErrNoCommit) {
				t.Errorf("everything: %v, want what git says", err)
			}
			for name, there := range tt.ranges {
				err := r.VisitHistory(t.Context(), HistoryOptions{Range: name, Suffix: ".sig"}, none)
				if !errors.As(err, &said) || errors.Is(err, ErrNoCommit) == there {
					t.Errorf("%q: %v, and it is there: %t", name, err, there)
				}
			}
		})
	}
}

// TestUnborn holds that a branch without commits is told from one whose commit cannot be found.
func TestUnborn(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("unborn", map[string]string{"a/model.sig": "1"})
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Git(dir, "branch", "a/b")
	for _, tt := range []struct {
		head, file, content string
		want                bool
	}{
		{"ref: refs/heads/main", "", "", false},
		{"ref: refs/heads/new", "", "", true},
		{"ref: refs/heads/a", "", "", true}, // a folder of branches
		{"ref: refs/heads/garbage", "garbage", "garbage", false},
		{"ref: refs/heads/lost", "lost", strings.Repeat("1", 40), false},
		{strings.Repeat("1", 40), "", "", false},
	} {
		s.Write(dir, ".git/HEAD", tt.head+"\n")
		if tt.file != "" {
			s.Write(dir, ".git/refs/heads/"+tt.file, tt.content+"\n")
		}
		if got, err := r.Unborn(t.Context()); err != nil || got != tt.want {
			t.Errorf("HEAD is %q: %t, %v; want %t", tt.head, got, err, tt.want)
		}
	}
}

func FuzzParseRaw(f *testing.F) {
	id := strings.Repeat("1", 40)
	f.Add(":100644 000000 " + id + " " + strings.Repeat("0", 40) + " D")
	f.Add("::100644 100644 100644 " + id + " " + id + " " + id + " MM")
	f.Add(":000000 160000 " + strings.Repeat("0", 40) + " " + id + " A")
	f.Add(":")
	f.Fuzz(func(t *testing.T, record string) {
		c, err := parseRaw(record)
		if err == nil && (!strings.Contains(record, c.Old) || !strings.Contains(record, c.New)) {
			t.Errorf("%q is read as %+v", record, c)
		}
	})
}
