package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// A quarantine moves nothing that lies outside of the worktree, whatever leads there.
func TestLinksAreNotFollowed(t *testing.T) {
	s := newSite(t)
	outside := s.Path("outside")
	s.WriteFiles(outside, map[string]string{"deep/b": "precious", "d": "precious"})
	if err := os.RemoveAll(s.place("sub")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, s.place("sub")); err != nil {
		t.Fatal(err)
	}
	q, left := s.put(wrong("sub/deep/b"), wrong("sub/d"), wrong("../outside/d"), wrong("/etc/passwd"), wrong("sub/../a"))
	if len(q.Files) != 1 || q.Files[0].Path != "sub" || len(left) != 3 {
		t.Fatalf("moved %+v, left %v; want the link alone", q.Files, left)
	}
	for _, name := range []string{"deep/b", "d"} {
		if b, err := os.ReadFile(filepath.Join(outside, name)); string(b) != "precious" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	// Nor is anything put there.
	q, _ = s.put(wrong("a"))
	if err := os.WriteFile(filepath.Join(q.Dir, listName), []byte(strings.Replace(mustList(t, q), `"a"`, `"sub/new"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, s.place("sub")); err != nil {
		t.Fatal(err)
	}
	for _, q := range s.all() {
		if q.Files[0].Path == "sub/new" {
			if _, left := s.restore(q); len(left) != 1 || !errors.Is(left[0].Err, ErrOccupied) {
				t.Errorf("left %v, want ErrOccupied", left)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(outside, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was put outside of the worktree: %v", err)
	}
}

// A list may have come with a repository, and puts nothing among git's own files.
func TestRestoreStaysOutOfGitsFolder(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{".git/hooks/post-checkout", ".GIT/config2", "sub/.git/x", "../x", "/tmp/x", "a/../x", "."} {
		q, _ := s.put(wrong("e"))
		list := strings.Replace(mustList(t, q), `"e"`, fmt.Sprintf("%+q", path), 1)
		if err := os.WriteFile(filepath.Join(q.Dir, listName), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := read(q.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if restored, left := s.restore(q); len(restored) != 0 || len(left) != 1 || !errors.Is(left[0].Err, errPath) {
			t.Errorf("%s: restored %v, left %v", path, restored, left)
		}
		if err := errors.Join(os.Rename(filepath.Join(q.Dir, "00001"), s.place("e")), q.remove()); err != nil {
			t.Fatal(err)
		}
	}
}

// A folder that became a link after its file was looked at is not what is put away.
func TestMoveOfWhatWasReplaced(t *testing.T) {
	s := newSite(t)
	if err := os.Rename(s.place("sub"), s.Path("outside")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.Path("outside"), s.place("sub")); err != nil {
		t.Fatal(err)
	}
	top, err := os.OpenRoot(s.repo.Top)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	p := &putting{repo: s.repo, top: top, move: moveOut}
	if err := p.moveOne(move{File: wrong("sub/d")}, s.Path("moved")); !errors.Is(err, ErrGone) {
		t.Errorf("%v, want ErrGone", err)
	}
	if _, err := os.Lstat(s.place("sub")); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
}

// What was put away in one worktree comes back in no other, unless its own is gone.
func TestRestoreInAnotherWorktree(t *testing.T) {
	s := newSite(t)
	s.Git(s.repo.Top, "worktree", "add", "-q", "--detach", s.Path("other"))
	main := s.repo
	var err error
	if s.repo, err = gitrepo.Open(t.Context(), s.Path("other")); err != nil {
		t.Fatal(err)
	}
	q, _ := s.put(wrong("a"))
	restored, left, err := q.Restore(t.Context(), main, func(File) bool { return true })
	if err != nil || len(restored) != 0 || len(left) != 1 || !errors.Is(left[0].Err, ErrOtherWorktree) {
		t.Errorf("restored %v, left %v, %v", restored, left, err)
	}
	s.repo = main
	s.Git(main.Top, "worktree", "remove", "--force", s.Path("other"))
	if err := os.Remove(s.place("a")); err != nil {
		t.Fatal(err)
	}
	if restored, left := s.restore(s.all()[0]); len(restored) != 1 || len(left) != 0 {
		t.Errorf("once it is removed: restored %v, left %v", restored, left)
	}
}

// Where a file cannot be linked into its place it is copied beside it, and takes the place only if that is free.
func TestCopyTakesNoOthersPlace(t *testing.T) {
	s := newSite(t)
	top, err := os.OpenRoot(s.repo.Top)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	to, err := find(top, "a")
	if err != nil {
		t.Fatal(err)
	}
	from := s.Path("held")
	s.Write(filepath.Dir(from), "held", "old")
	if err := copyIn(from, to); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v, want ErrOccupied", err)
	}
	for name, want := range map[string]string{s.place("a"): contents["a"], from: "old"} {
		if b, err := os.ReadFile(name); string(b) != want {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
}

func TestRestoreWritesOverNothing(t *testing.T) {
	s := newSite(t)
	q, _ := s.put(wrong("a"), wrong("c"))
	s.Write(s.repo.Top, "a", "new work")
	if err := os.Symlink("nowhere", s.place("c")); err != nil {
		t.Fatal(err)
	}
	restored, left := s.restore(q)
	if len(restored) != 0 || len(left) != 2 || !errors.Is(left[0].Err, ErrOccupied) || !errors.Is(left[1].Err, ErrOccupied) {
		t.Errorf("restored %v, left %v", restored, left)
	}
	if b, _ := os.ReadFile(s.place("a")); string(b) != "new work" {
		t.Errorf("a holds %q", b)
	}
	if len(s.all()) != 1 || !s.all()[0].Holds("a") {
		t.Error("it is not in quarantine any more")
	}
}

// A restoration that was killed between giving the file its old name and taking
// away the other is finished by the next.
func TestRestoreFinishesWhatWasInterrupted(t *testing.T) {
	s := newSite(t)
	q, _ := s.put(wrong("a"))
	if err := os.Link(filepath.Join(q.Dir, "00001"), s.place("a")); err != nil {
		t.Fatal(err)
	}
	if restored, left := s.restore(s.all()[0]); len(restored) != 1 || len(left) != 0 || s.wantEachOnce() != 0 {
		t.Errorf("restored %v, left %v", restored, left)
	}
}

// A list that is damaged hides no other quarantine, and is told.
func TestDamagedListIsTold(t *testing.T) {
	s := newSite(t)
	s.put(wrong("a"))
	q, _ := s.put(wrong("c"))
	if err := os.WriteFile(filepath.Join(q.Dir, listName), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := All(s.repo)
	if len(all) != 1 || !errors.Is(err, ErrList) || !strings.Contains(err.Error(), q.ID) {
		t.Errorf("got %v, %v", all, err)
	}
}
