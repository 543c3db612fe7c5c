// Package memory remembers the digests of files that this program has read
// before, so that a checkout between branches hashes only what changed.
//
// It may only ever vouch for bytes that this very program has read, in this
// repository, as this user, on this machine, since it was started, and that
// nothing can have changed since. What cannot be told with certainty is not
// remembered, and a file that is not remembered is read: an empty memory is
// always right. So it may be deleted at any time.
//
// # When a digest is remembered
//
// A file's status change time (ctime) is set by the kernel at every change of
// its bytes, and nobody can set it, short of turning back the machine's clock or
// writing to the disk beneath the file system. Three ways lead around it for
// others, and each is closed:
//
//   - A change within the same tick of the clock leaves the same time. As git
//     does with its index (a "racily clean" entry), a file is trusted only if it
//     had been left alone for longer than a tick before this program began to
//     look at files. Every later change then has a later time.
//   - Somebody who has the file mapped into memory may change it without a new
//     time. So a file is remembered only if nobody has it open for writing, or
//     mapped, when reading begins; who opens it later leaves a new time with
//     the first change. The kernel is asked with a lease, see unwritten.
//   - Not every file system keeps to this. Only those that are known to are
//     believed, see keepsTimes, and only the one that the worktree lies on.
//
// The file's device, inode, size, owner and both times are taken from the same
// open file before the first byte is read and after the last.
//
// # Where it is kept
//
// In the file model-sign/digests in the git folder; a linked worktree has its
// own, as its files are others and none of them is ever the same inode. The
// file is authenticated with a key that lies in the user's cache folder and
// with what must be the same: the boot of this machine, the mount, the user and
// the git folder's path. So nothing that came with a repository, and no copy of
// an own one, can vouch for anything. After a restart all is read again: a crash
// can leave new bytes with old times on the disk.
//
// Where the system cannot answer these questions, which is everywhere but on
// Linux, nothing is remembered.
package memory

import (
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// Memory is what is remembered of one repository. The zero value remembers
// nothing and learns nothing. It may be used from several goroutines.
type Memory struct {
	store *store // nil where nothing is remembered

	mu      sync.Mutex
	entries map[key]value
	recent  []key // known or learned in this run, the latest last
	learned bool  // something that the file does not hold
}

// Open reads what is remembered of the worktree whose own git folder is gitDir
// and whose top is top; secretDir is the user's folder for the key, and is made
// if need be. There is always an answer: a Memory that never learns anything
// where a rule of this package would be broken, and an empty one where the file
// is not there, is damaged, or is not of this user, machine and path.
func Open(gitDir, top, secretDir string) *Memory {
	s, err := openStore(gitDir, top, secretDir)
	if err != nil {
		return &Memory{}
	}
	m := &Memory{store: s, entries: map[key]value{}}
	for _, e := range s.read() {
		m.entries[e.key] = e.value
	}
	return m
}

// Remembers says whether anything can be remembered here.
func (m *Memory) Remembers() bool { return m.store != nil }

// Recall returns the digest of a byte range of an open file, or nil if it is not
// known. A length of -1 runs to the end of the file.
func (m *Memory) Recall(f digest.File, a digest.Algorithm, offset, length int64) []byte {
	if m.store == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	now, ok := stampOf(info)
	if !ok {
		return nil
	}
	k := key{dev: now.dev, ino: now.ino, algorithm: a, offset: offset, length: length}
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.entries[k]
	if !ok || known.state != now.state {
		return nil
	}
	m.recent = append(m.recent, k)
	return []byte(known.digest)
}

// Watch is called with a file that is open and of which nothing has been read.
// The file that it returns is to be read in its place; once that has been
// closed, keep takes the digest of each byte range that was read, and remembers
// it if that is safe.
func (m *Memory) Watch(f digest.File) (watched digest.File, keep func(a digest.Algorithm, offset, length int64, sum []byte)) {
	nothing := func(digest.Algorithm, int64, int64, []byte) {}
	if m.store == nil {
		return f, nothing
	}
	info, err := f.Stat()
	if err != nil {
		return f, nothing
	}
	before, ok := stampOf(info)
	opened, hasFd := f.(systemFile)
	if !ok || !hasFd || !m.store.trusts(opened, before) {
		return f, nothing
	}
	w := &watchedFile{systemFile: opened, first: info, before: before}
	return w, func(a digest.Algorithm, offset, length int64, sum []byte) {
		if w.unchanged && len(sum) == sizes[a] {
			m.learn(entry{key{dev: before.dev, ino: before.ino, algorithm: a, offset: offset, length: length},
				value{state: before.state, digest: string(sum)}})
		}
	}
}

func (m *Memory) learn(e entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[e.key] = e.value
	m.recent = append(m.recent, e.key)
	m.learned = true
}

// Save writes down what was learned since Open, together with what other
// processes have written meanwhile. That it cannot be written costs time at the
// next run and nothing else.
func (m *Memory) Save() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store == nil || !m.learned {
		return nil
	}
	err := m.store.update(func(old []entry) []entry { return merge(old, m.entries, m.recent) })
	if err == nil {
		m.learned = false
	}
	return err
}

// merge puts what is known in the order in which it is written: the most
// recently used first. Of what this run did not use, old is the later word:
// another process may have written it.
func merge(old []entry, entries map[key]value, recent []key) []entry {
	var merged []entry
	done := make(map[key]bool, len(recent))
	for i := len(recent) - 1; i >= 0; i-- {
		if k := recent[i]; !done[k] {
			done[k] = true
			merged = append(merged, entry{k, entries[k]})
		}
	}
	limit := max(keptUnused, 2*len(merged))
	for _, e := range old {
		if len(merged) < limit && !done[e.key] {
			done[e.key] = true
			merged = append(merged, e)
		}
	}
	return merged[:min(len(merged), maxEntries)]
}

// keptUnused is how many entries are kept in any case. Where a run uses more,
// twice as many are, so that a model that is not looked at often is remembered
// and files that are long gone are not.
const keptUnused = 1 << 15

// systemFile is an open file of the system's, with its descriptor.
type systemFile interface {
	digest.File
	Fd() uintptr
}

// watchedFile notes whether a file was the same from before it was read until it
// was closed.
type watchedFile struct {
	systemFile
	before stamp

	mu        sync.Mutex
	first     fs.FileInfo // for the first Stat, as it was taken already
	unchanged bool
}

// Stat is the open file's; at the first call what it was when Watch was called.
func (w *watchedFile) Stat() (fs.FileInfo, error) {
	w.mu.Lock()
	info := w.first
	w.first = nil
	w.mu.Unlock()
	if info != nil {
		return info, nil
	}
	return w.systemFile.Stat()
}

// Close looks at the file for the last time.
func (w *watchedFile) Close() error {
	if info, err := w.systemFile.Stat(); err == nil {
		after, ok := stampOf(info)
		w.unchanged = ok && after == w.before
	}
	return w.systemFile.Close()
}

// stamp is what tells a file and its state.
type stamp struct {
	dev, ino uint64
	state
}

// Path is the file that a repository's memory is kept in.
func Path(gitDir string) string { return filepath.Join(gitDir, folderName, fileName) }

const (
	folderName = "model-sign"
	fileName   = "digests"
)
