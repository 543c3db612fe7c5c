package digest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// A board is one SHA-256 Sum: the items that nobody has begun, and the workers,
// one a core.
//
// Items are read by streams, several for each worker, and a worker has all its
// streams in the lanes of one kernel. A stream goes on with the next item when
// one ends, the largest first, so lanes stay full; when no items are left,
// streams move from workers with many to workers with few, so cores stay busy.
// Small items are not for streams: see crowd.
type board struct {
	hasher  Hasher
	backend *backend
	items   []Item
	results []Result
	workers []*worker
	ctx     context.Context

	crowd crowd

	bufferSize, buffers int   // of each stream
	window              int64 // bytes of a file that are mapped at a time, 0 for none

	mu    sync.Mutex
	queue []int // indices of items for streams, the largest first
	rank  []int // place of each item in the queue as it was
	// drained says that the queue is empty.
	drained atomic.Bool
	// streams is the number of those that have not ended.
	streams atomic.Int64
	// unhashed is the number of bytes that are still to be hashed, as far as
	// sizes are known.
	unhashed atomic.Int64
}

const (
	// memory is what the buffers of all streams may take together, in bytes,
	// and a stream's buffers are between the two sizes. Half a core's second-level
	// cache is a good place for what is read and hashed right after.
	memory      = 16 << 20
	smallBuffer = 16 << 10
	largeBuffer = 64 << 10
	hugeBuffer  = 1 << 20 // where there are so few streams that each read counts
	// mapped is what the windows of all streams may take together, and a window
	// is between the two sizes. To unmap up to 33 pages takes longer than to unmap
	// more, as the kernel invalidates each by itself.
	mapped    = 28 << 20
	minWindow = 160 << 10
	maxWindow = 1 << 20
	// mapFrom is the size from which on a file is worth a mapping.
	mapFrom = 1 << 20
	// pageSize is a multiple of the size of pages, for windows to begin with one.
	pageSize = 16 << 10
	// maxStreams bounds the goroutines and open files.
	maxStreams = 512
)

func newBoard(ctx context.Context, h Hasher, b *backend, items []Item, results []Result) *board {
	d := &board{hasher: h, backend: b, items: items, results: results, ctx: ctx}
	d.crowd.board = d
	for i := range items {
		d.unhashed.Add(items[i].length())
		if items[i].small() {
			d.crowd.queue = append(d.crowd.queue, i)
		} else {
			d.queue = append(d.queue, i)
		}
	}
	sortLargestFirst(d.queue, items)
	d.rank = make([]int, len(items))
	for place, i := range d.queue {
		d.rank[i] = place
	}
	d.drained.Store(len(d.queue) == 0)
	workers := max(1, min(h.Threads, len(items)))
	for range workers {
		d.workers = append(d.workers, newWorker(d))
	}
	d.crowd.most = min(maxCrowd, workers*coreReaders)
	streams := d.dimension(workers)
	d.streams.Store(int64(streams))
	for i := range streams {
		w := d.workers[i%workers]
		st := newStream(d)
		st.owner.Store(w)
		w.streams = append(w.streams, st)
	}
	return d
}

// dimension chooses the number of streams, returns it, and the sizes of what they
// read into.
func (d *board) dimension(workers int) (streams int) {
	// More streams than lanes, so that there is a choice and one can be late, but
	// with many cores fewer, if that leaves room for windows.
	lanes := d.backend.lanes()
	with := func(more int) int { return min(len(d.queue), maxStreams, workers*(lanes+min(lanes, more))) }
	fits := func(streams int) bool { return streams*2*minWindow <= mapped }
	streams = with(6)
	for more := 5; more > 0 && !fits(streams) && fits(with(1)); more-- {
		streams = with(more)
	}
	d.buffers, d.bufferSize = 2, largeBuffer
	if streams <= 2*workers && streams <= 8 {
		d.buffers, d.bufferSize = 3, hugeBuffer
	}
	for d.bufferSize > smallBuffer && streams*d.buffers*d.bufferSize > memory {
		d.bufferSize /= 2
	}
	if w := mapped / (max(1, streams) * d.buffers) / pageSize * pageSize; w >= minWindow {
		d.window = int64(min(w, maxWindow))
	}
	return streams
}

// run hashes all. It returns when that is done or the context ends; streams that
// are stuck in a read stay behind.
func (d *board) run() {
	for _, w := range d.workers {
		w.held.Store(int64(len(w.streams)))
	}
	// Dealt out in turns, the largest items come first on every worker.
	for i := range int(d.streams.Load()) {
		w := d.workers[i%len(d.workers)]
		first, ok := d.take()
		go w.streams[i/len(d.workers)].read(d.ctx, first, ok)
	}
	var wg sync.WaitGroup
	for _, w := range d.workers {
		wg.Go(w.run)
	}
	wg.Wait()
	for _, w := range d.workers {
		w.receive()
		for _, st := range w.streams { // if the context has ended
			go st.drain()
		}
	}
	d.crowd.running.Wait()
}

// take is the next item that a stream shall read; ok says whether there is one.
func (d *board) take() (i int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) > 0 {
		i, ok, d.queue = d.queue[0], true, d.queue[1:]
	}
	if len(d.queue) == 0 {
		d.drained.Store(true)
	}
	return i, ok
}

// hashed is told of each chunk that has been hashed.
func (d *board) hashed(c *chunk) {
	d.unhashed.Add(-c.bytes)
	p := Progress{Bytes: c.bytes}
	if c.last {
		p.Items = 1
	}
	d.hasher.report(p)
}

// ended is told of each stream that has ended. With the last one all is done.
func (d *board) ended() {
	if d.streams.Add(-1) == 0 {
		for _, w := range d.workers {
			w.poke()
		}
	}
}

// spare gives one of the worker's streams to the worker that has the fewest, if
// it has too many.
func (d *board) spare(from *worker) {
	if to := d.idlest(from); to == nil || !from.tooMany(to) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	to := d.idlest(from)
	if to == nil || !from.tooMany(to) { // somebody else gave it one
		return
	}
	i := from.dispensable()
	st := from.streams[i]
	from.streams = slices.Delete(from.streams, i, i+1)
	from.held.Add(-1)
	to.held.Add(1)
	to.mu.Lock()
	to.inbox = append(to.inbox, st)
	to.mu.Unlock()
	st.owner.Store(to)
	to.poke()
}

// idlest is the worker beside one that has the fewest streams. It is none whose
// core one stream has to itself.
func (d *board) idlest(beside *worker) *worker {
	var idlest *worker
	for _, w := range d.workers {
		if w != beside && !w.solo.Load() && (idlest == nil || w.held.Load() < idlest.held.Load()) {
			idlest = w
		}
	}
	return idlest
}
