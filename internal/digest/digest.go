// Package digest computes the content digests of many files at once.
//
// It knows how to keep the cores of a machine busy and nothing of models,
// signatures or git: it is given byte ranges of files and gives back one digest
// a range. It reads through [io.ReaderAt], never by name, so whoever lists the
// files decides how they are opened and what may stand in their place.
package digest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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

// File is an open regular file. [os.File] is one.
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
func (it Item) length() int64 {
	if it.Length >= 0 {
		return it.Length
	}
	return max(0, it.Size-it.Offset)
}

// Result is what became of an Item.
type Result struct {
	Digest []byte // nil where Err is not
	Bytes  int64  // bytes hashed
	Err    error
}

// Hasher hashes items on several cores. The zero value uses SHA-256 and every
// core.
type Hasher struct {
	Algorithm Algorithm
	// Threads is the number of goroutines that read and hash; 0 means one a core.
	Threads int
	// Progress, where set, is told of bytes as they are hashed. It is called
	// from several goroutines and must not block.
	Progress func(bytes int64)
}

// bufferSize is how much of a file one goroutine holds in memory. It is also
// the most that is read between two looks at the context.
const bufferSize = 1 << 20

// Sum hashes every item and returns one Result for each, in their order. A file
// that cannot be read is told in its Result; Sum itself fails only for an
// unknown algorithm or when ctx ends.
func (h Hasher) Sum(ctx context.Context, items []Item) ([]Result, error) {
	if h.Algorithm == "" {
		h.Algorithm = SHA256
	}
	if _, err := h.Algorithm.New(); err != nil {
		return nil, err
	}
	threads := h.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	results := make([]Result, len(items))
	order := largestFirst(items)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, len(items)) {
		wg.Go(func() {
			buf := make([]byte, bufferSize)
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(order) {
					return
				}
				i := order[n]
				results[i] = h.sum(ctx, items[i], buf)
			}
		})
	}
	wg.Wait()
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
	slices.SortStableFunc(order, func(a, b int) int {
		la, lb := items[a].length(), items[b].length()
		switch {
		case la > lb:
			return -1
		case la < lb:
			return 1
		}
		return 0
	})
	return order
}

// sum hashes one item and sees that its file stayed the same meanwhile.
func (h Hasher) sum(ctx context.Context, it Item, buf []byte) (res Result) {
	f, err := it.Open()
	if err != nil {
		return Result{Err: err}
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return Result{Err: fmt.Errorf("%s: %w", it.Name, err)}
	}
	if it.Size >= 0 && before.Size() != it.Size {
		return Result{Err: fmt.Errorf("%s: %w: expected %d bytes, found %d", it.Name, ErrChanged, it.Size, before.Size())}
	}
	end := before.Size()
	if it.Length >= 0 {
		end = it.Offset + it.Length
	}
	hasher, err := h.Algorithm.New()
	if err != nil {
		return Result{Err: err}
	}
	n, err := h.feed(ctx, hasher, f, it.Offset, end, buf)
	if err != nil {
		return Result{Bytes: n, Err: fmt.Errorf("%s: %w", it.Name, err)}
	}
	after, err := f.Stat()
	if err != nil {
		return Result{Bytes: n, Err: fmt.Errorf("%s: %w", it.Name, err)}
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return Result{Bytes: n, Err: fmt.Errorf("%s: %w", it.Name, ErrChanged)}
	}
	return Result{Digest: hasher.Sum(nil), Bytes: n}
}

// feed reads f from offset to end into w. A file that ends early has changed.
func (h Hasher) feed(ctx context.Context, w io.Writer, f io.ReaderAt, offset, end int64, buf []byte) (int64, error) {
	var done int64
	for pos := offset; pos < end; {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-pos)], pos)
		w.Write(buf[:n]) // a hash never fails
		pos += int64(n)
		done += int64(n)
		if h.Progress != nil && n > 0 {
			h.Progress(int64(n))
		}
		if pos >= end {
			break
		}
		if errors.Is(err, io.EOF) || (err == nil && n == 0) {
			return done, fmt.Errorf("%w: it ended at byte %d of %d", ErrChanged, pos, end)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
