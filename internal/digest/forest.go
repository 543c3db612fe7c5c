package digest

import (
	"context"
	"encoding/binary"
	"math/bits"
	"sync"

	"lukechampine.com/blake3/guts"
)

// A forest is one BLAKE3 Sum. BLAKE3 is a tree over chunks of 1 KiB, so that
// pieces of one file can be hashed apart and in any order. Several goroutines
// take pieces, of the largest item first; each reads its piece and then, when
// one of the cores is free, hashes it, so that reading overlaps hashing.
type forest struct {
	ctx     context.Context
	hasher  Hasher
	items   []Item
	results []Result
	cores   chan struct{} // holds a token for each goroutine that hashes

	mu      sync.Mutex
	changed sync.Cond
	queue   []int       // indices of items that nobody has begun
	opening int         // items that are being opened
	trees   []*fileTree // with pieces that nobody has begun
}

const (
	// pieceChunks is the size of a piece in chunks of 1 KiB, a power of two, so
	// that every piece but the last is a whole subtree.
	pieceChunks = 256
	pieceSize   = pieceChunks * guts.ChunkSize
	// maxReaders bounds the buffers of a Sum, of a piece each, to 18 MiB.
	maxReaders = 64
	// simdRoom is what the library may look at beyond the end of a piece.
	simdRoom = guts.MaxSIMD * guts.ChunkSize
)

func newForest(ctx context.Context, h Hasher, items []Item, results []Result) *forest {
	f := &forest{ctx: ctx, hasher: h, items: items, results: results, queue: largestFirst(items)}
	f.cores = make(chan struct{}, h.Threads)
	f.changed.L = &f.mu
	return f
}

func (f *forest) run() {
	stop := context.AfterFunc(f.ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range min(2*f.hasher.Threads, maxReaders) {
		wg.Go(func() {
			var buf []byte
			for {
				t, piece := f.take()
				if t == nil {
					return
				}
				if buf == nil {
					buf = make([]byte, pieceSize+simdRoom)
				}
				f.hash(t, piece, buf)
			}
		})
	}
	wg.Wait()
}

// take gives a piece that nobody has begun, opening the next item if the open
// ones have none. It returns nil when there are no more.
func (f *forest) take() (*fileTree, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.ctx.Err() == nil {
		switch {
		case len(f.trees) > 0:
			t := f.trees[0]
			piece := t.begun
			if t.begun++; t.begun == t.pieces {
				f.trees = f.trees[1:]
			}
			return t, piece
		case len(f.queue) > 0:
			i := f.queue[0]
			f.queue = f.queue[1:]
			f.opening++
			f.mu.Unlock()
			t, err := openTree(&f.items[i], &f.results[i])
			f.mu.Lock()
			f.opening--
			f.changed.Broadcast()
			if err != nil {
				f.results[i].Err = err
				f.hasher.report(Progress{Items: 1})
				continue
			}
			f.trees = append(f.trees, t)
		case f.opening > 0:
			f.changed.Wait()
		default:
			return nil, 0
		}
	}
	return nil, 0
}

// hash reads and hashes one piece.
func (f *forest) hash(t *fileTree, piece int64, buf []byte) {
	off := t.src.pos + piece*pieceSize
	data := buf[:min(pieceSize, t.src.end-off)]
	var err error
	if t.failed() {
		data = nil // nobody wants it any more
	} else {
		err = t.src.readAt(data, off)
	}
	var n guts.Node
	if err == nil {
		f.cores <- struct{}{}
		n = subtree(data[:len(data):cap(data)], uint64(piece)*pieceChunks)
		<-f.cores
		f.hasher.report(Progress{Bytes: int64(len(data))})
	}
	if t.add(piece, n, int64(len(data)), err) {
		f.hasher.report(Progress{Items: 1})
	}
}

// fileTree is the part of an item's tree that is known so far.
type fileTree struct {
	src    *source
	result *Result
	pieces int64
	begun  int64 // pieces that somebody took, under the forest's lock

	mu    sync.Mutex
	done  int64 // pieces
	bytes int64
	err   error
	// stack has the subtrees of pieces that are merged: one for each bit of
	// merged, as high in the tree as the bit. Others wait.
	merged  uint64
	stack   [][8]uint32
	waiting map[uint64][8]uint32
	last    guts.Node // of the last piece
}

func openTree(it *Item, result *Result) (*fileTree, error) {
	src, err := openSource(it)
	if err != nil {
		return nil, err
	}
	pieces := max(1, (src.left()+pieceSize-1)/pieceSize)
	return &fileTree{src: src, result: result, pieces: pieces}, nil
}

func (t *fileTree) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err != nil
}

// add puts a piece into the tree. The one that makes it complete leaves the
// result, and is told so.
func (t *fileTree) add(piece int64, n guts.Node, size int64, err error) (complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	if t.err == nil {
		t.bytes += size
		if piece == t.pieces-1 {
			t.last = n
		} else {
			if t.waiting == nil {
				t.waiting = make(map[uint64][8]uint32)
			}
			t.waiting[uint64(piece)] = guts.ChainingValue(n)
			t.merge()
		}
	}
	if t.done++; t.done < t.pieces {
		return false
	}
	if t.err == nil {
		t.err = t.src.unchanged()
	}
	t.src.close()
	*t.result = Result{Bytes: t.bytes, Err: t.err}
	if t.err == nil {
		t.result.Digest = t.root()
	}
	return true
}

// merge puts waiting pieces on the stack as far as they follow each other.
func (t *fileTree) merge() {
	for {
		cv, ok := t.waiting[t.merged]
		if !ok {
			return
		}
		delete(t.waiting, t.merged)
		height := 0
		for ; t.merged>>height&1 == 1; height++ {
			cv = guts.ChainingValue(guts.ParentNode(t.stack[height], cv, &guts.IV, 0))
		}
		if height == len(t.stack) {
			t.stack = append(t.stack, cv)
		}
		t.stack[height] = cv
		t.merged++
	}
}

// root is the digest of the complete tree.
func (t *fileTree) root() []byte {
	n := t.last
	for height := range bits.Len64(t.merged) {
		if t.merged>>height&1 == 1 {
			n = guts.ParentNode(t.stack[height], guts.ChainingValue(n), &guts.IV, 0)
		}
	}
	n.Flags |= guts.FlagRoot
	out := guts.CompressNode(n)
	var digest []byte
	for _, w := range out[:8] {
		digest = binary.LittleEndian.AppendUint32(digest, w)
	}
	return digest
}

// subtree is the node above the chunks of data, of which the first has the given
// number in the file. Up to simdRoom bytes beyond data are looked at in vain.
func subtree(data []byte, chunk uint64) guts.Node {
	if len(data) <= guts.MaxSIMD*guts.ChunkSize {
		if len(data) <= guts.ChunkSize {
			return guts.CompressChunk(data, &guts.IV, chunk, 0)
		}
		return guts.CompressBuffer((*[simdRoom]byte)(data[:simdRoom]), len(data), &guts.IV, chunk, 0)
	}
	// The left side is as large as can be while it is a power of two and there
	// is something on the right.
	chunks := uint64(1) << (bits.Len64(uint64(len(data)-1)/guts.ChunkSize) - 1)
	left := subtree(data[:chunks*guts.ChunkSize], chunk)
	right := subtree(data[chunks*guts.ChunkSize:], chunk+chunks)
	return guts.ParentNode(guts.ChainingValue(left), guts.ChainingValue(right), &guts.IV, 0)
}
