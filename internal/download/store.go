package download

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/fold"
)

// store is an open destination. Names in it have slashes and are relative to its
// root, which nothing is opened outside of.
type store struct {
	root     *os.Root
	unlock   func() error
	staging  string // the folder of partial files
	prefix   string // before a file's path
	cache    bool   // it is a repository in a cache
	shared   *store // the folder of what the cache's repositories share; nil if there is none
	links    bool   // of which the content is in blobs, and links to it stand at the paths
	reserved string // a folder that no file may lie in
	commit   string // for the notes of a folder; of a cache's snapshot

	mu      sync.Mutex
	folders map[string]bool // those that were seen to be folders, links apart
	touched map[string]bool // those in which something was made
}

func newStore(root *os.Root, staging string) *store {
	return &store{
		root: root, staging: staging, unlock: func() error { return nil },
		folders: map[string]bool{"": true}, touched: make(map[string]bool),
	}
}

func (s *store) close() {
	s.unlock()
	s.root.Close()
	if s.shared != nil {
		s.shared.root.Close()
	}
}

// parent is the folder that a name lies in, "" for the root.
func parent(name string) string {
	if dir := path.Dir(name); dir != "." {
		return dir
	}
	return ""
}

// scratch is a name in the staging folder that nothing has.
func (s *store) scratch(what string) string { return s.staging + "/" + what + "-" + rand.Text() }

// makeFolder sees that there is a folder, and that neither it nor one above is a link.
func (s *store) makeFolder(dir string) error {
	there, err := s.isFolder(dir)
	if err != nil || there {
		return err
	}
	if err := s.makeFolder(parent(dir)); err != nil {
		return err
	}
	if err := s.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return diskError(err)
	}
	s.touch(parent(dir))
	there, err = s.isFolder(dir)
	if err == nil && !there {
		err = fmt.Errorf("%q: %w: the folder is gone again", dir, ErrChanged)
	}
	return err
}

// isFolder says whether there is a folder of this name. If it, or anything on the
// way to it, is something else, that is an error.
func (s *store) isFolder(dir string) (bool, error) {
	s.mu.Lock()
	known := s.folders[dir]
	s.mu.Unlock()
	if known {
		return true, nil
	}
	if there, err := s.isFolder(parent(dir)); err != nil || !there {
		return false, err
	}
	info, err := s.root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode()&fs.ModeSymlink != 0:
		return false, fmt.Errorf("the folder %q is a %w", dir, ErrLink)
	case !info.IsDir():
		return false, fmt.Errorf("%q: %w: expected a folder", dir, ErrExists)
	}
	s.mu.Lock()
	s.folders[dir] = true
	s.mu.Unlock()
	return true, nil
}

// touch remembers a folder that something was made in.
func (s *store) touch(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched[dir] = true
}

// lookAt looks at a name, if there is anything. The way to it must be folders.
func (s *store) lookAt(name string) (fs.FileInfo, error) {
	if there, err := s.isFolder(parent(name)); err != nil || !there {
		return nil, err
	}
	info, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// openListed opens the regular file that was looked at, and nothing that has
// come into its place.
func (s *store) openListed(name string, info fs.FileInfo, flag int) (*os.File, error) {
	f, err := s.root.OpenFile(name, flag|openFlags, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(opened, info) {
		err = fmt.Errorf("%q: %w: it is another file now", name, ErrChanged)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// place gives a file of the staging folder its final name, if nothing has that;
// else it fails with fs.ErrExist. A link is the one way to do so that never
// replaces anything. Where there are none, the lock keeps other runs away.
func (s *store) place(from, to string) error {
	if err := s.makeFolder(parent(to)); err != nil {
		return err
	}
	err := s.root.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		err = s.root.Remove(from)
	} else if _, found := s.root.Lstat(to); !errors.Is(found, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, found)
	} else {
		err = s.root.Rename(from, to)
	}
	s.touch(parent(to))
	return diskError(err)
}

// create makes a small file unless there is one.
func (s *store) create(name, content string) {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err == nil {
		f.WriteString(content)
		f.Close()
	}
}

// replace writes a small file of the clients' bookkeeping, whole or not at all,
// over the one that was there.
func (s *store) replace(name, content string, lasting bool) error {
	if err := s.makeFolder(parent(name)); err != nil {
		return err
	}
	scratch := s.scratch("note")
	f, err := s.root.OpenFile(scratch, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return diskError(err)
	}
	_, err = f.WriteString(content)
	if err == nil && lasting {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = s.root.Rename(scratch, name)
	}
	if err != nil {
		s.root.Remove(scratch)
		return diskError(err)
	}
	s.touch(parent(name))
	return nil
}

// note tells Hugging Face's clients of files in a local folder. A client that
// misses a note hashes the file or downloads it again, so one that cannot be
// written is left out.
func (s *store) note(j *job, now time.Time) {
	if s.cache || s.commit == "" || j.Blob == "" {
		return
	}
	said := s.commit + "\n" + j.Blob + "\n"
	when := fmt.Sprintf("%f\n", float64(now.UnixMicro())/1e6)
	for _, m := range j.members {
		name := notes + "/download/" + m.path + ".metadata"
		if !s.noted(name, said, s.prefix+m.path) {
			_ = s.replace(name, said+when, false)
		}
	}
}

// noted says whether there is a note that says as much, and the file has not
// been written to since, by which the clients judge it.
func (s *store) noted(name, said, file string) bool {
	note, err := s.lookAt(name)
	if err != nil || note == nil || !note.Mode().IsRegular() || note.Size() > int64(len(said)+len("1234567890.123456\n")) {
		return false
	}
	written, err := s.lookAt(file)
	if err != nil || written == nil || written.ModTime().After(note.ModTime()) {
		return false
	}
	b, err := s.root.ReadFile(name)
	return err == nil && strings.HasPrefix(string(b), said)
}

// flush flushes the folders in which something was made, so that it lasts through a
// power failure.
func (s *store) flush() error {
	for dir := range s.touched {
		name := dir
		if name == "" {
			name = "."
		}
		f, err := s.root.Open(name)
		if err == nil {
			err = durable.SyncFolder(f)
			f.Close()
		}
		if err != nil {
			return fmt.Errorf("flushing the folder %q: %w", dir, err)
		}
		delete(s.touched, dir)
	}
	return nil
}

// refuseReserved says whether a file would lie among what the destination keeps for itself.
func (s *store) refuseReserved(name string) error {
	if s.reserved == "" {
		return nil
	}
	reserved, folded := fold.Path(s.reserved), fold.Path(name)
	if folded == reserved || strings.HasPrefix(folded, reserved+"/") || strings.HasPrefix(reserved, folded+"/") {
		return fmt.Errorf("%q %w: %q is for notes of what was downloaded", name, ErrName, s.reserved)
	}
	return nil
}

// refuseTwins tries names that some file system takes for one another.
func (s *store) refuseTwins(twins [][2]string) error {
	if len(twins) == 0 {
		return nil
	}
	scratch := s.scratch("names")
	defer s.root.RemoveAll(scratch)
	for i, pair := range twins {
		here := fmt.Sprintf("%s/%d/", scratch, i)
		if err := s.root.MkdirAll(here+pair[0], 0o777); err != nil {
			return diskError(err)
		}
		if _, err := s.root.Lstat(here + pair[1]); err == nil {
			return fmt.Errorf("%q and %q %w: they are one name on this file system", pair[0], pair[1], ErrTwin)
		}
	}
	return nil
}
