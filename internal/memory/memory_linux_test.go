package memory

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// site is a worktree with its git folder and the user's folder for the key.
type site struct {
	*testing.T
	gitDir, top, secrets string
}

func newSite(t *testing.T) *site {
	t.Helper()
	top := t.TempDir()
	if err := keepsTimes(top); err != nil {
		needs.Missing(t, "the temporary folder lies on a file system whose times are not believed: %v", err)
	}
	s := &site{T: t, gitDir: filepath.Join(top, ".git"), top: top, secrets: filepath.Join(t.TempDir(), "cache", "memory")}
	if err := os.Mkdir(s.gitDir, 0o777); err != nil {
		t.Fatal(err)
	}
	return s
}

// open reads the memory.
func (s *site) open() *Memory {
	s.Helper()
	m := Open(s.gitDir, s.top, s.secrets)
	if m.store == nil {
		s.Fatal("nothing can be remembered here")
	}
	return m
}

// write writes a file and waits until its times are old enough to be believed.
func (s *site) write(name, content string) string {
	s.Helper()
	path := filepath.Join(s.top, name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		s.Fatal(err)
	}
	time.Sleep(40 * time.Millisecond)
	return path
}

func (s *site) file(path string) *os.File {
	s.Helper()
	f, err := os.Open(path)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { f.Close() })
	return f
}

// learn reads a file as the hasher does.
func (s *site) learn(m *Memory, path string) {
	s.Helper()
	s.learnWhile(m, path, func() {})
}

// learnWhile does something between the reading and the last look at the file.
func (s *site) learnWhile(m *Memory, path string, do func()) {
	s.Helper()
	f, keep := m.Watch(s.file(path))
	content := make([]byte, 1<<10)
	n, _ := f.ReadAt(content, 0)
	do()
	if err := f.Close(); err != nil {
		s.Fatal(err)
	}
	keep(digest.SHA256, 0, -1, sum(string(content[:n])))
}

func sum(content string) []byte {
	sum := sha256.Sum256([]byte(content))
	return sum[:]
}

// recall is what is remembered of a whole file.
func (s *site) recall(m *Memory, path string) []byte {
	s.Helper()
	return m.Recall(s.file(path), digest.SHA256, 0, -1)
}

func (s *site) wantRemembered(m *Memory, path, content string) {
	s.Helper()
	if got := s.recall(m, path); !bytes.Equal(got, sum(content)) {
		s.Fatalf("%s: remembered %x, want the digest of %q", filepath.Base(path), got, content)
	}
}

func (s *site) wantUnknown(m *Memory, path, why string) {
	s.Helper()
	if got := s.recall(m, path); got != nil {
		s.Errorf("%s: remembered %x, %s", filepath.Base(path), got, why)
	}
}

func (s *site) save(m *Memory) {
	s.Helper()
	if err := m.Save(); err != nil {
		s.Fatal(err)
	}
}

func TestRemembersWhatWasRead(t *testing.T) {
	s := newSite(t)
	path := s.write("weights", "alpha")
	m := s.open()
	s.wantUnknown(m, path, "before it was read")
	s.learn(m, path)
	s.wantRemembered(m, path, "alpha")
	s.save(m)
	again := s.open()
	s.wantRemembered(again, path, "alpha")
	for _, other := range []struct {
		a              digest.Algorithm
		offset, length int64
	}{{digest.BLAKE3, 0, -1}, {digest.SHA256, 0, 5}, {digest.SHA256, 1, -1}} {
		if got := again.Recall(s.file(path), other.a, other.offset, other.length); got != nil {
			t.Errorf("remembered %x for %+v, which was not read", got, other)
		}
	}
	info, err := os.Stat(Path(s.gitDir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v; want 0600", info.Mode(), err)
	}
}

// Whatever is done to a file after it was read, what is remembered of it is not used.
func TestForgetsWhatChanged(t *testing.T) {
	sameTimes := func(t *testing.T, path string, do func()) {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		do()
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, 0); err != nil {
			t.Fatal(err)
		}
	}
	overwrite := func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte("omega"), 0)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, path string){
		"written over in place": overwrite,
		"written over with the time of modification set back": func(t *testing.T, path string) {
			sameTimes(t, path, func() { overwrite(t, path) })
		},
		"another renamed over it, with its time": func(t *testing.T, path string) {
			var st unix.Stat_t
			check(t, unix.Stat(path, &st))
			check(t, os.WriteFile(path+".new", []byte("omega"), 0o666))
			check(t, unix.UtimesNanoAt(unix.AT_FDCWD, path+".new", []unix.Timespec{st.Atim, st.Mtim}, 0))
			check(t, os.Rename(path+".new", path))
		},
		"written through another name": func(t *testing.T, path string) {
			check(t, os.Link(path, path+".link"))
			sameTimes(t, path, func() { overwrite(t, path+".link") })
		},
		"written through a mapping": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			check(t, err)
			defer f.Close()
			sameTimes(t, path, func() {
				b, err := unix.Mmap(int(f.Fd()), 0, 5, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
				check(t, err)
				_ = b[0] // so that the page is there before it is written
				copy(b, "omega")
				check(t, unix.Munmap(b))
			})
		},
		"deleted and made again": func(t *testing.T, path string) {
			sameTimes(t, path, func() {
				check(t, os.Remove(path))
				check(t, os.WriteFile(path, []byte("omega"), 0o666))
			})
		},
		"cut and filled": func(t *testing.T, path string) {
			sameTimes(t, path, func() {
				check(t, os.Truncate(path, 0))
				overwrite(t, path)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			path := s.write("weights", "alpha")
			m := s.open()
			s.learn(m, path)
			s.save(m)
			change(t, path)
			if b, err := os.ReadFile(path); err != nil || string(b) != "omega" {
				t.Fatalf("the change left %q, %v", b, err)
			}
			s.wantUnknown(s.open(), path, "which is from before the change")
		})
	}
}

// What could have been written without a trace is not remembered at all.
func TestDoesNotLearnWhatCannotBeTold(t *testing.T) {
	t.Run("written within the same tick", func(t *testing.T) {
		s := newSite(t)
		path := s.write("weights", "alpha")
		for _, test := range []struct {
			ago  time.Duration
			want bool
		}{{time.Second, true}, {21 * time.Millisecond, true}, {20 * time.Millisecond, false}, {0, false}, {-time.Hour, false}} {
			m := s.open()
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil {
				t.Fatal(err)
			}
			m.store.opened = st.Ctim.Nano() + int64(test.ago)
			s.learn(m, path)
			if got := s.recall(m, path) != nil; got != test.want {
				t.Errorf("changed %v before we looked: remembered %v, want %v", test.ago, got, test.want)
			}
		}
	})
	t.Run("just written", func(t *testing.T) {
		s := newSite(t)
		path := filepath.Join(s.top, "weights")
		m := s.open()
		if err := os.WriteFile(path, []byte("alpha"), 0o666); err != nil {
			t.Fatal(err)
		}
		s.learn(m, path)
		s.wantUnknown(m, path, "though it was written after we began")
	})
	t.Run("open for writing", func(t *testing.T) {
		s := newSite(t)
		path := s.write("weights", "alpha")
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		m := s.open()
		s.learn(m, path)
		s.wantUnknown(m, path, "though somebody may be writing it")
		f.Close()
		s.learn(m, path)
		s.wantRemembered(m, path, "alpha")
	})
	t.Run("mapped, and the page touched before", func(t *testing.T) {
		s := newSite(t)
		path := s.write("weights", "alpha")
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := unix.Mmap(int(f.Fd()), 0, 5, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(b)
		f.Close()
		b[0] = 'a'
		time.Sleep(40 * time.Millisecond)
		m := s.open()
		s.learn(m, path)
		copy(b, "omega") // leaves no trace: the page is written already
		s.wantUnknown(m, path, "which is from before it was written through the mapping")
	})
	t.Run("changed while it was read", func(t *testing.T) {
		s := newSite(t)
		path := s.write("weights", "alpha")
		m := s.open()
		s.learnWhile(m, path, func() { s.write("weights", "omega") })
		if s.wantUnknown(m, path, "though it changed meanwhile"); m.learned {
			t.Error("learned something of a file that was not the same at the end")
		}
	})
	t.Run("replaced while it was read", func(t *testing.T) {
		s := newSite(t)
		path, other := s.write("weights", "alpha"), s.write("other", "omega")
		m := s.open()
		s.learnWhile(m, path, func() {
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		})
		s.wantUnknown(m, path, "though another file came into its place")
	})
	t.Run("somebody else's", func(t *testing.T) {
		if os.Geteuid() != 0 {
			needs.Missing(t, "only root can give a file away")
		}
		s := newSite(t)
		path := s.write("weights", "alpha")
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Millisecond)
		m := s.open()
		s.learn(m, path)
		s.wantUnknown(m, path, "though another user owns it")
	})
	t.Run("on a file system in memory", func(t *testing.T) {
		top, err := os.MkdirTemp("/dev/shm", "memory")
		if err != nil {
			needs.Missing(t, "no file system in memory: %v", err)
		}
		defer os.RemoveAll(top)
		if m := Open(top, top, filepath.Join(t.TempDir(), "key")); m.store != nil {
			t.Error("the times of a file system in memory are believed")
		}
		s := newSite(t) // in whose worktree such a one is mounted
		inside := *s
		inside.top = top
		path := inside.write("weights", "alpha")
		m := s.open()
		s.learn(m, path)
		s.wantUnknown(m, path, "though it lies on another file system")
	})
}

func TestSettled(t *testing.T) {
	const now = int64(1_700_000_000_123_456_789)
	for _, test := range []struct {
		ctime int64
		want  bool
	}{
		{now - int64(20*time.Millisecond) - 1, true},
		{now - int64(20*time.Millisecond), false},
		{now, false},
		{now + int64(time.Hour), false},
		{1_700_000_000_000_000_000, false}, // a tenth of a second ago, on a file system of whole seconds perhaps
		{1_699_999_998_000_000_000, false},
		{1_699_999_997_000_000_000, true},
	} {
		if got := settled(test.ctime, now); got != test.want {
			t.Errorf("settled(%d) is %v, want %v", test.ctime-now, got, test.want)
		}
	}
}

// Processes that write at the same time lose nothing of each other, and a reader
// never sees half a file.
func TestSavesOfManyProcesses(t *testing.T) {
	s := newSite(t)
	var paths []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		paths = append(paths, s.write(name, name))
	}
	var wg sync.WaitGroup
	for _, path := range paths {
		m := s.open()
		wg.Go(func() {
			s.learn(m, path)
			if err := m.Save(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		m := s.open()
		wg.Go(func() {
			err := m.store.update(func(old []entry) []entry {
				time.Sleep(5 * time.Millisecond) // so that without a lock all would begin with the same
				return append(old, entryOf(uint64(i)))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m := s.open()
	for _, path := range paths {
		s.wantRemembered(m, path, filepath.Base(path))
	}
	if len(m.entries) != 16 {
		t.Errorf("%d entries are left of 16", len(m.entries))
	}
	left, err := os.ReadDir(filepath.Dir(Path(s.gitDir)))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Where another process holds the lock, a run does not wait for long.
func TestSaveGivesUp(t *testing.T) {
	s := newSite(t)
	path := s.write("weights", "alpha")
	m := s.open()
	s.learn(m, path)
	s.save(m)
	dir := s.file(filepath.Dir(Path(s.gitDir)))
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s.learn(m, path)
	if err := m.Save(); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want that another process is in the way", err)
	}
}

func TestMayBeDeletedAtAnyTime(t *testing.T) {
	s := newSite(t)
	path := s.write("weights", "alpha")
	m := s.open()
	s.learn(m, path)
	s.save(m)
	other := s.open()
	if err := os.RemoveAll(filepath.Dir(Path(s.gitDir))); err != nil {
		t.Fatal(err)
	}
	s.wantUnknown(s.open(), path, "though it was deleted")
	s.learn(other, path)
	s.save(other)
	s.wantRemembered(s.open(), path, "alpha")
}
