// Package digest computes the content digests of many files at once.
//
// It knows how to keep the cores of a machine busy and nothing of models,
// signatures or git: it is given byte ranges of files and gives back one digest
// a range. It reads through [io.ReaderAt], or maps what is open, but never goes by
// name, so whoever lists the files decides how they are opened and what may stand
// in their place.
//
// A single SHA-256 stream is as slow as the chain of its rounds, whatever the
// code. Speed comes from several streams interleaved on each core, by a
// [Backend] that suits the CPU, and from never letting one of its lanes stand
// empty: see schedule.go.
package digest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/blake3"
)

// Algorithm names a hash function as the OMS algorithm registry does.
type Algorithm string

// The algorithms of the OMS algorithm registry.
const (
	SHA256  Algorithm = "sha256"  // FIPS 180-4, 32 bytes
	BLAKE2b Algorithm = "blake2b" // RFC 7693, 64 bytes
	BLAKE3  Algorithm = "blake3"  // 32 bytes
)

// New returns a running hash of the algorithm, or an error that names an
// algorithm which is not one of the registry's.
func (a Algorithm) New() (hash.Hash, error) {
	switch a {
	case SHA256:
		return sha256.New(), nil
	case BLAKE2b:
		return blake2b.New512(nil)
	case BLAKE3:
		return blake3.New(32, nil), nil
	}
	return nil, fmt.Errorf("unknown hash algorithm %q", string(a))
}

// ErrChanged says that a file was not the same at the end of reading as at the
// beginning, so that no digest describes it.
var ErrChanged = errors.New("file changed while it was read")

// File is an open regular file. [os.File] is one. Where there is also a method
// Fd() uintptr, large files may be mapped into memory instead of being read by
// ReadAt; what is mapped stays so for a moment after Close.
type File interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// Item is one byte range of one file.
type Item struct {
	// Name stands for the file in error messages.
	Name string
	// Open opens the file. It is called once, from any goroutine.
	Open func() (File, error)
	// Offset and Length are the range in bytes; a Length of -1 runs to the end
	// of the file.
	Offset, Length int64
	// Size is the size in bytes that the whole file is expected to have, or -1.
	// A file of another size is an ErrChanged.
	Size int64
}

// length is the number of bytes that the item is expected to cover, as far as
// it can be told before the file is opened. It only orders the work.
func (it *Item) length() int64 {
	if it.Length >= 0 {
		return it.Length
	}
	return max(0, it.Size-it.Offset)
}

// Result is what became of an Item.
type Result struct {
	Digest []byte // nil where Err is not
	Bytes  int64  // bytes hashed; where there is an error, bytes read before it
	Err    error
}

// Hasher hashes items on several cores. The zero value uses SHA-256 and every
// core.
type Hasher struct {
	Algorithm Algorithm
	// Threads is the number of goroutines that hash; 0 means one a core. Others
	// read beside them, so that hashing does not wait for a disk.
	Threads int
	// Backend names the SHA-256 code to use. Empty is what the environment
	// variable MODELSIGN_HASH_BACKEND says, or else "auto": the fastest here. A
	// name that is not among [Backends] is an ErrBackend.
	Backend string
	// Progress, where set, is told what there is to do and then what has been
	// done. It is called from several goroutines and must not block.
	Progress func(Progress)
}

// Progress is a report of a Sum. The first one says what there is to do, each
// other one what has been done since the one before.
type Progress struct {
	// ExpectedBytes and ExpectedItems are all that the Sum was given. Items of
	// a size that is not known beforehand count no bytes.
	ExpectedBytes int64
	ExpectedItems int

	Bytes int64 // hashed
	Items int   // finished, those that failed among them
}

// report passes a report on to whoever wants it.
func (h Hasher) report(p Progress) {
	if h.Progress != nil {
		h.Progress(p)
	}
}

// announce makes the first report.
func (h Hasher) announce(items []Item) {
	p := Progress{ExpectedItems: len(items)}
	for i := range items {
		p.ExpectedBytes += items[i].length()
	}
	h.report(p)
}

// grace is how long Sum waits, once its context has ended, for a goroutine that
// may be stuck in a read.
const grace = 50 * time.Millisecond

// Sum hashes every item and returns one Result for each, in their order. A file
// that cannot be read is told in its Result; Sum itself fails only for an
// unknown algorithm or backend, or when ctx ends. Then it returns within a tenth
// of a second even if a read does not, which stays behind until it does.
func (h Hasher) Sum(ctx context.Context, items []Item) ([]Result, error) {
	if h.Algorithm == "" {
		h.Algorithm = SHA256
	}
	if _, err := h.Algorithm.New(); err != nil {
		return nil, err
	}
	if h.Threads <= 0 {
		h.Threads = runtime.GOMAXPROCS(0)
	}
	var b *backend
	if h.Algorithm == SHA256 {
		var work int64
		for i := range items {
			work += items[i].length()
		}
		var err error
		if b, err = choose(h.Backend, work); err != nil {
			return nil, err
		}
	}
	h.announce(items)
	if len(items) == 0 {
		return nil, ctx.Err()
	}
	results := make([]Result, len(items))
	done := make(chan struct{})
	go func() {
		defer close(done)
		switch h.Algorithm {
		case SHA256:
			newBoard(ctx, h, b, items, results).run()
		case BLAKE3:
			newForest(ctx, h, items, results).run()
		default:
			h.sumEach(ctx, items, results)
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(grace):
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return results, nil
}

// largestFirst orders items so that the longest cannot be what everybody waits
// for at the end.
func largestFirst(items []Item) []int {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	sortLargestFirst(order, items)
	return order
}

// sortLargestFirst does so with the indices of some of the items.
func sortLargestFirst(order []int, items []Item) {
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(items[b].length(), items[a].length()) })
}
