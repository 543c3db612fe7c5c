package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// blob is the content of a file that is no file here: an object of git, or what
// the Hub has.
type blob struct {
	id   string // by which it is asked for
	size int64
	// store reads the content where it is opened; nil if it has to be brought near.
	store  *gitrepo.Store
	packed gitrepo.Blob
	// stream reads all of it, where it is too large for memory.
	stream func() (io.ReadCloser, error)

	mu      sync.Mutex
	content []byte // nil unless it is at hand
	keep    bool   // it stays at hand
	err     error  // why it cannot be had
}

// contentSource is where blobs are read from: each in turn, for which put is called
// with its place. An error of put, or of the whole, ends it.
type contentSource func(ctx context.Context, blobs []*blob, put func(i int, content []byte) error) error

// objectContents reads blobs that are git's objects, by one git.
func objectContents(repo *gitrepo.Repository) contentSource {
	return func(ctx context.Context, blobs []*blob, put func(i int, content []byte) error) error {
		oids, sizes := make([]string, len(blobs)), make([]int64, len(blobs))
		for i, b := range blobs {
			oids[i], sizes[i] = b.id, b.size
		}
		return repo.ReadBlobs(ctx, oids, sizes, put)
	}
}

// Contents are brought near in groups, of at most so much and so many at a time.
const (
	maxLoaded   = 4 << 20  // the size up to which a content is read into memory
	groupBytes  = 32 << 20 // what the contents of a group take in memory
	groupLarger = 8        // how many larger ones are in a group, each read as a stream of its own
	// maxPacked is the size up to which a content is read out of a pack where it is
	// opened: as many are in memory as are hashed at the same time.
	maxPacked = 256 << 10
)

// Load calls use for files, by their places in the list, group by group: what
// use opens of a group is then at hand. Without it each File.Open of a tree that
// is [Tree.Apart] starts a git or a download. For other trees there is one group.
// The first error of use ends it and is returned.
func (t *Tree) Load(ctx context.Context, files []File, use func(from, to int) error) error {
	if !t.Apart() {
		return use(0, len(files))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	groups := make(chan group)
	go func() {
		defer close(groups)
		t.loadGroups(ctx, files, groups)
	}()
	done := 0
	for g := range groups {
		if g.err != nil {
			return g.err
		}
		if err := use(done, g.to); err != nil {
			return err
		}
		g.drop()
		done = g.to
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if done != len(files) {
		return fmt.Errorf("only %d of %d files were read", done, len(files))
	}
	return nil
}

// Apart says that the contents are not files here, and have to be brought near.
func (t *Tree) Apart() bool { return t.contents != nil }

// group is files, up to a place in the list, whose contents are at hand.
type group struct {
	to     int
	loaded []*blob
	err    error
}

func (g *group) drop() {
	for _, b := range g.loaded {
		b.set(nil)
	}
}

func (b *blob) set(content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.content = content
}

func (b *blob) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// loadGroups reads all contents in one go and sends each group when it is
// whole. The next one is read while the last one is used.
func (t *Tree) loadGroups(ctx context.Context, files []File, send chan<- group) {
	plan := planGroups(files)
	var blobs []*blob
	for _, g := range plan {
		blobs = append(blobs, g.loaded...)
	}
	next, missing := 0, 0 // the group that is being read, and how many contents it still lacks
	deliver := func() error {
		for next < len(plan) && missing == 0 {
			select {
			case send <- plan[next]:
			case <-ctx.Done():
				return ctx.Err()
			}
			if next++; next < len(plan) {
				missing = len(plan[next].loaded)
			}
		}
		return nil
	}
	missing = len(plan[0].loaded)
	err := deliver()
	if err == nil {
		err = t.contents(ctx, blobs, func(i int, content []byte) error {
			blobs[i].set(content)
			missing--
			return deliver()
		})
	}
	if err != nil {
		select {
		case send <- group{err: err}:
		case <-ctx.Done():
		}
	}
}

// planGroups divides files, in their order. There is one group at least.
func planGroups(files []File) []group {
	var plan []group
	var g group
	var bytes int64
	larger := 0
	here := map[*blob]bool{}
	for i, f := range files {
		b := f.blob
		if b == nil || b.keep || b.store != nil || here[b] {
			continue
		}
		if b.size <= maxLoaded && bytes+b.size > groupBytes || b.size > maxLoaded && larger == groupLarger {
			g.to = i
			plan = append(plan, g)
			g, bytes, larger, here = group{}, 0, 0, map[*blob]bool{}
		}
		here[b] = true
		if b.size > maxLoaded {
			larger++
			continue
		}
		g.loaded = append(g.loaded, b)
		bytes += b.size
	}
	g.to = len(files)
	return append(plan, g)
}

// opener opens the content for one name of it.
func (b *blob) opener(name string) func() (digest.File, error) {
	return func() (digest.File, error) {
		b.mu.Lock()
		content, err := b.content, b.err
		b.mu.Unlock()
		if err != nil {
			return nil, err
		}
		info := blobInfo{name: name, size: b.size}
		if content != nil || b.size == 0 {
			return memoryFile{content, info}, nil
		}
		if b.store != nil {
			if content, release, err := b.store.OpenPacked(b.packed); err == nil {
				return packedFile{memoryFile{content, info}, release}, nil
			}
		}
		return &streamedFile{blob: b, info: info}, nil
	}
}

// readFrom makes a file what git wrote for it.
func (f *File) readFrom(name string) error {
	info, err := os.Lstat(name)
	if err != nil {
		return fmt.Errorf("looking at a converted file: %w", err)
	}
	listed := entryOf(info)
	f.Size, f.blob = listed.size, nil
	f.Open = func() (digest.File, error) {
		file, err := os.OpenFile(name, os.O_RDONLY|openFlags, 0)
		if err != nil {
			return nil, err
		}
		return checkOpened(file, listed)
	}
	return nil
}

// blobInfo is what there is to say of a blob as a file.
type blobInfo struct {
	name string
	size int64
}

func (i blobInfo) Name() string     { return i.name }
func (i blobInfo) Size() int64      { return i.size }
func (blobInfo) Mode() fs.FileMode  { return 0o444 }
func (blobInfo) ModTime() time.Time { return time.Time{} }
func (blobInfo) IsDir() bool        { return false }
func (blobInfo) Sys() any           { return nil }

// memoryFile is a blob in memory.
type memoryFile struct {
	content []byte
	info    blobInfo
}

// ReadAt is io.ReaderAt.
func (m memoryFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(m.content)) {
		return 0, io.EOF
	}
	n := copy(p, m.content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m memoryFile) Stat() (fs.FileInfo, error) { return m.info, nil }
func (memoryFile) Close() error                 { return nil }

// packedFile is a blob out of a pack, in memory that others use after it.
type packedFile struct {
	memoryFile
	release func()
}

// Close gives the memory back. It is called once.
func (f packedFile) Close() error {
	f.release()
	return nil
}

// streamedFile is a blob that is read as git or the Hub writes it out, and held
// in memory by nobody. Reading from before where the last read ended starts over.
type streamedFile struct {
	blob *blob
	info blobInfo

	mu  sync.Mutex
	out io.ReadCloser
	at  int64 // where out stands
}

// ReadAt is io.ReaderAt. It is quick only where it goes on.
func (s *streamedFile) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	if s.out == nil || off < s.at {
		if err := s.restart(); err != nil {
			return 0, err
		}
	}
	skipped, err := io.CopyN(io.Discard, s.out, off-s.at)
	if s.at += skipped; err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.out, p)
	s.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

func (s *streamedFile) restart() error {
	if s.out != nil {
		s.out.Close()
	}
	var err error
	s.out, err = s.blob.stream()
	s.at = 0
	return err
}

func (s *streamedFile) Stat() (fs.FileInfo, error) { return s.info, nil }

// Close ends the writing of the content.
func (s *streamedFile) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return nil
	}
	return s.out.Close()
}
