package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// site is a repository with files, all of which are to be put away.
type site struct {
	*gittest.Sandbox
	repo  *gitrepo.Repository
	files []File
}

var contents = map[string]string{"a": "alpha", "sub/deep/b": "beta", "c": "gamma", "sub/d": "delta", "e": "epsilon"}

// newSite makes a repository; args are for git init.
func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	s := &site{Sandbox: gittest.New(t)}
	dir := s.Init("model", contents, args...)
	var err error
	if s.repo, err = gitrepo.Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(contents)) {
		s.files = append(s.files, wrong(path))
	}
	return s
}

func wrong(path string) File {
	return File{Path: path, Status: "changed", Signature: "model.sig", Expected: digest, Found: digest}
}

func (s *site) put(files ...File) (*Quarantine, []Left) {
	s.Helper()
	q, left, err := Put(s.Context(), s.repo, files)
	if err != nil {
		s.Fatal(err)
	}
	return q, left
}

// all reads the quarantines back.
func (s *site) all() []*Quarantine {
	s.Helper()
	all, err := All(s.repo)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

func (s *site) restore(q *Quarantine) (restored []string, left []Left) {
	s.Helper()
	restored, left, err := q.Restore(s.Context(), s.repo, func(File) bool { return true })
	if err != nil {
		s.Fatal(err)
	}
	return restored, left
}

func (s *site) place(path string) string { return filepath.Join(s.repo.Top, filepath.FromSlash(path)) }

// wantEachOnce wants every file whole in its place or in a quarantine that has it on its list.
func (s *site) wantEachOnce() (held int) {
	s.Helper()
	found := make(map[string]int)
	for path, content := range contents {
		if b, err := os.ReadFile(s.place(path)); err == nil && string(b) == content {
			found[path]++
		} else if err == nil {
			s.Errorf("%s holds %q", path, b)
		}
	}
	for _, q := range s.all() {
		for _, f := range q.Files {
			if !f.Held {
				continue
			}
			held++
			if b, err := os.ReadFile(filepath.Join(q.Dir, f.Name)); err != nil || string(b) != contents[f.Path] {
				s.Errorf("%s is kept as %q, %v", f.Path, b, err)
			}
			found[f.Path]++
		}
	}
	for path := range contents {
		if found[path] != 1 {
			s.Errorf("%s is there %d times, want once", path, found[path])
		}
	}
	return held
}

func TestPutAndRestore(t *testing.T) {
	s := newSite(t)
	if err := os.Chmod(s.place("a"), 0o751); err != nil {
		t.Fatal(err)
	}
	before, err := os.Lstat(s.place("a"))
	if err != nil {
		t.Fatal(err)
	}
	q, left := s.put(s.files...)
	if len(left) != 0 || s.wantEachOnce() != len(contents) {
		t.Fatalf("left %v", left)
	}
	if q.Worktree != "." || q.Files[0].Committed != true || q.Files[0].Pointer != "" {
		t.Errorf("got %+v", q)
	}
	info, err := os.Stat(q.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	again := s.all()
	if len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(q) {
		t.Errorf("it is read back as %v", again)
	}
	if err := os.RemoveAll(s.place("sub")); err != nil { // its folders are made again
		t.Fatal(err)
	}
	restored, left := s.restore(again[0])
	if len(restored) != len(contents) || len(left) != 0 || s.wantEachOnce() != 0 {
		t.Errorf("restored %v, left %v", restored, left)
	}
	after, err := os.Lstat(s.place("a"))
	if err != nil || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("mode and time are %v %v, %v; want %v %v", after.Mode(), after.ModTime(), err, before.Mode(), before.ModTime())
	}
	if len(s.all()) != 0 {
		t.Error("a quarantine that holds nothing is still there")
	}
}

// The same over two file systems, where nothing can be renamed.
func TestPutAndRestoreAcrossFileSystems(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "quarantine")
	if err != nil {
		needs.Missing(t, "no second file system: %v", err)
	}
	defer os.RemoveAll(other)
	s := newSite(t, "--separate-git-dir="+filepath.Join(other, "git"))
	if err := os.Link(s.place("a"), filepath.Join(other, "probe")); err == nil {
		needs.Missing(t, "%s is the same file system", other)
	}
	if err := os.Symlink("nowhere", s.place("link")); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1_600_000_000, 123456000)
	if err := errors.Join(os.Chmod(s.place("a"), 0o751), os.Chtimes(s.place("a"), when, when)); err != nil {
		t.Fatal(err)
	}
	want := func(where string) {
		t.Helper()
		info, err := os.Lstat(where)
		if err != nil || info.Mode() != 0o751 || !info.ModTime().Equal(when) {
			t.Errorf("%s: %v %v, %v; want 0751 and the time that it had", where, info.Mode(), info.ModTime(), err)
		}
	}
	q, left := s.put(append(s.files, wrong("link"))...)
	if len(left) != 0 {
		t.Fatalf("left %v", left)
	}
	want(filepath.Join(q.Dir, q.Files[0].Name))
	restored, left := s.restore(q)
	if len(restored) != len(contents)+1 || len(left) != 0 || s.wantEachOnce() != 0 {
		t.Errorf("restored %v, left %v", restored, left)
	}
	want(s.place("a"))
	if target, err := os.Readlink(s.place("link")); target != "nowhere" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

// Wherever it fails or is killed, each file is in one of the two places and the list knows of it.
func TestEveryFailureLeavesEachFileOnce(t *testing.T) {
	errDisk := errors.New("input/output error")
	for n := range contents {
		t.Run("failing at "+n, func(t *testing.T) {
			s := newSite(t)
			top, err := os.OpenRoot(s.repo.Top)
			if err != nil {
				t.Fatal(err)
			}
			p := &putting{repo: s.repo, top: top, move: func(from *place, to string) error {
				if from.path == n {
					return errDisk
				}
				return moveOut(from, to)
			}}
			if err := p.look(t.Context(), s.files); err != nil {
				t.Fatal(err)
			}
			if _, err := p.carryOut(time.Now()); err != nil {
				t.Fatal(err)
			}
			if held := s.wantEachOnce(); held != len(contents)-1 || len(p.left) != 1 || p.left[0].Path != n || !errors.Is(p.left[0].Err, errDisk) {
				t.Errorf("%d are held and %v left", held, p.left)
			}
		})
	}
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip("the test program does not know its own file here")
	}
	for killed := range len(contents) + 1 {
		t.Run(fmt.Sprintf("killed after %d moves", killed), func(t *testing.T) {
			s := newSite(t)
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestKilled$")
			cmd.Dir = s.repo.Top
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killVariable, killed))
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("not killed: %v\n%s", err, out)
			}
			if held := s.wantEachOnce(); held != killed {
				t.Errorf("%d are held, want %d", held, killed)
			}
			for _, q := range s.all() {
				s.restore(q)
			}
			if held := s.wantEachOnce(); held != 0 {
				t.Errorf("%d are still held", held)
			}
		})
	}
}

const killVariable = "QUARANTINE_TEST_KILLED_AFTER"

// TestKilled is the part of TestEveryFailureLeavesEachFileOnce that is killed.
func TestKilled(t *testing.T) {
	after := os.Getenv(killVariable)
	if after == "" {
		t.Skip("only as part of another test")
	}
	repo, err := gitrepo.Open(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.OpenRoot(repo.Top)
	if err != nil {
		t.Fatal(err)
	}
	kill := func() {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		t.Fatal(err)
	}
	moved := 0
	p := &putting{repo: repo, top: top, move: func(from *place, to string) error {
		if fmt.Sprint(moved) == after {
			kill()
		}
		moved++
		return moveOut(from, to)
	}}
	var files []File
	for path := range contents {
		files = append(files, wrong(path))
	}
	if err := p.look(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if _, err := p.carryOut(time.Now()); err != nil {
		t.Fatal(err)
	}
	kill()
}

// A copy that was not finished is not taken for the file.
func TestUnfinishedCopyIsNoFile(t *testing.T) {
	s := newSite(t)
	q, _ := s.put(s.files...)
	if err := os.Rename(filepath.Join(q.Dir, "00001"), s.place("a")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(q.Dir, "00001"+partSuffix), []byte("al"), 0o600); err != nil {
		t.Fatal(err)
	}
	if held := s.wantEachOnce(); held != len(contents)-1 {
		t.Errorf("%d are held", held)
	}
	if restored, left := s.restore(s.all()[0]); len(restored) != len(contents)-1 || len(left) != 0 {
		t.Errorf("restored %v, left %v", restored, left)
	}
	s.wantEachOnce()
}

func TestTwoInOneSecond(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "model-sign", "quarantine")
	now := time.Date(2026, 11, 22, 23, 59, 58, 999, time.FixedZone("", 3600))
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		wg.Go(func() {
			var err error
			if ids[i], _, err = makeFolder(parent, now); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 20 || ids[0] != "20261122T225958Z" {
		t.Errorf("got %q, want twenty different ones", ids)
	}
	for _, id := range ids {
		if !idForm.MatchString(id) {
			t.Errorf("%q would not be found again", id)
		}
	}
}

func mustList(t *testing.T, q *Quarantine) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(q.Dir, listName))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStrangeFilesMoveToo(t *testing.T) {
	s := newSite(t)
	names := []string{"line\nfeed", "\xff not UTF-8", " space ", "quote\"", "-option"}
	for _, name := range names {
		s.Write(s.repo.Top, name, name)
	}
	var files []File
	for _, name := range names {
		files = append(files, wrong(name))
	}
	q, left := s.put(files...)
	if len(left) != 0 || len(q.Files) != len(names) {
		t.Fatalf("left %v", left)
	}
	if restored, left := s.restore(s.all()[0]); len(restored) != len(names) || len(left) != 0 {
		t.Errorf("restored %q, left %v", restored, left)
	}
	for _, name := range names {
		if b, err := os.ReadFile(s.place(name)); string(b) != name {
			t.Errorf("%q: %q, %v", name, b, err)
		}
	}
}

func TestWhatIsLeft(t *testing.T) {
	s := newSite(t)
	s.Git(s.repo.Top, "checkout", "-q", "-b", "other")
	s.Write(s.repo.Top, "a", "one side")
	s.CommitAll(s.repo.Top, "one side")
	s.Git(s.repo.Top, "checkout", "-q", "main")
	s.Write(s.repo.Top, "a", "other side")
	s.CommitAll(s.repo.Top, "other side")
	s.TryGit(s.repo.Top, "merge", "-q", "other")
	q, left := s.put(wrong("a"), wrong("gone"), wrong("gone/too"), wrong("sub"))
	if q != nil || len(left) != 4 {
		t.Fatalf("moved %v, left %v", q, left)
	}
	for i, want := range []error{ErrUnmerged, ErrGone, ErrGone, ErrFolder} {
		if !errors.Is(left[i].Err, want) {
			t.Errorf("%s: %v, want %v", left[i].Path, left[i].Err, want)
		}
	}
	if _, err := os.Lstat(Dir(s.repo)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made for nothing: %v", err)
	}
}
