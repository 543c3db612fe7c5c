package digest

import (
	"cmp"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A worker hashes on one core: again and again it takes those of its streams
// that have something, chooses a kernel for that many, and runs it once.
type worker struct {
	board   *board
	streams []*stream
	// held is the number of streams, those in the inbox counted.
	held  atomic.Int64
	mu    sync.Mutex
	inbox []*stream // from other workers
	// solo says that one stream has the core to itself.
	solo atomic.Bool
	// core holds a token while somebody hashes on this core: the worker, or a
	// reader of the crowd. lanes belong to whom does.
	core  chan struct{}
	lanes lanes
	// joined says that readers of the crowd hash on this core too.
	joined bool
	// signal is sent to when a stream of ours has read something, or ended, or
	// came to us.
	signal chan struct{}

	running  []*stream // those with something to hash, in the order of their claims
	messages []message
}

func newWorker(d *board) *worker {
	return &worker{board: d, signal: make(chan struct{}, 1), core: make(chan struct{}, 1)}
}

// poke wakes the worker if it waits.
func (w *worker) poke() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *worker) run() {
	// Reading a mapped file may fault; see compress.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	patience := time.NewTimer(time.Hour)
	defer patience.Stop()
	for w.board.ctx.Err() == nil && w.board.streams.Load() > 0 {
		if w.collect(patience) {
			w.step()
			w.board.spare(w)
		}
	}
	w.join()
}

// join lets the crowd have a share in the core. If it has had one before, it does
// not need another.
func (w *worker) join() {
	if !w.joined {
		w.joined = true
		w.board.crowd.join(w)
	}
}

// patienceTime is how long streams that have something wait for one that has
// nothing: longer than reads from memory take, and not much.
const patienceTime = 2 * time.Millisecond

// collect fills running with the streams that have something to hash. It waits
// for those that do not, but only so long: a stream that keeps the others waiting
// is late, and is not waited for again before it has shown up. It returns false
// when there is nothing to do but to look again.
func (w *worker) collect(patience *time.Timer) bool {
	var deadline <-chan time.Time
	for {
		w.receive()
		missing := w.sort()
		if len(w.running) == 0 {
			w.solo.Store(false)
		}
		if len(w.streams) == 0 && w.board.drained.Load() {
			w.join()
		}
		if len(w.running) > 0 && (missing == 0 || len(w.running) >= w.board.backend.lanes() || w.urgent()) {
			return true
		}
		if deadline == nil && (len(w.running) > 0 || !w.joined) {
			patience.Reset(patienceTime)
			deadline = patience.C
		}
		select {
		case <-w.signal:
			if w.board.streams.Load() == 0 {
				return false
			}
		case <-deadline:
			for _, st := range w.streams {
				st.late = st.rest == nil
			}
			if len(w.running) == 0 {
				w.join()
			}
			return len(w.running) > 0
		case <-w.board.ctx.Done():
			return false
		}
	}
}

// receive takes over the streams that others gave us.
func (w *worker) receive() {
	w.mu.Lock()
	w.streams = append(w.streams, w.inbox...)
	w.inbox = w.inbox[:0]
	w.mu.Unlock()
}

// sort finds out which streams have something, drops those that have ended, and
// counts those that are worth waiting for.
func (w *worker) sort() (missing int) {
	w.running = w.running[:0]
	w.streams = slices.DeleteFunc(w.streams, func(st *stream) bool {
		ready, ended := st.ready()
		switch {
		case ended:
			w.held.Add(-1)
			w.board.ended()
		case ready:
			w.running = append(w.running, st)
		case !st.late:
			missing++
		}
		return ended
	})
	return missing
}

// shortRun is how many blocks of a message are too few to be worth a start of a
// kernel with slow lanes.
const shortRun = 16

// step runs one kernel once.
func (w *worker) step() {
	k := w.claim()
	w.messages = w.messages[:0]
	n := maxCall / blockSize / k.ratio
	for i, st := range w.running {
		w.messages = append(w.messages, message{&st.state, st.rest})
		blocks := len(st.rest) / blockSize
		if i < k.fast {
			blocks /= k.ratio
		}
		n = min(n, blocks)
	}
	w.core <- struct{}{}
	at := w.compress(k, n)
	<-w.core
	if at != 0 {
		w.lost(at).lose() // the others did not get on either, but will
	} else {
		for i, st := range w.running {
			st.advance(w.messages[i].data)
		}
	}
	clear(w.messages)
}

// compress runs a kernel. Where a file was cut off while a window of it was being
// hashed, or the disk fails then, there is no page behind an address: compress
// returns it and nothing has changed, as states are written at the end.
func (w *worker) compress(k *kernel, n int) (fault uintptr) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(interface{ Addr() uintptr })
			if !ok || w.lost(e.Addr()) == nil {
				panic(r)
			}
			fault = e.Addr()
		}
	}()
	k.run(&w.lanes, w.messages, n)
	return 0
}

// lost is the running stream that an address in a mapped file belongs to. It may
// be that of the page.
func (w *worker) lost(at uintptr) *stream {
	page := uintptr(os.Getpagesize())
	for _, st := range w.running {
		from := uintptr(unsafe.Pointer(unsafe.SliceData(st.rest)))
		if st.chunk.mapping != nil && at >= from/page*page && at < from+uintptr(len(st.rest)) {
			return st
		}
	}
	return nil
}

// claim chooses the kernel of the next step and leaves in running those streams
// that have its lanes, the fast ones first.
func (w *worker) claim() *kernel {
	b := w.board.backend
	w.solo.Store(w.alone())
	if len(w.running) == 1 || w.solo.Load() {
		w.running = w.running[:1]
		return b.kernelFor(1)
	}
	k := b.kernelFor(len(w.running))
	if k.slow > 0 {
		// The remains of messages, and the last blocks of those that do not
		// divide by the ratio, are done in a kernel without one.
		if short := w.shortOnes(); short > 0 {
			w.running = w.running[:short]
			k = b.evenKernelFor(short)
		}
	}
	slices.SortFunc(w.running, w.order())
	w.running = w.running[:min(len(w.running), k.fast+k.slow)]
	return k
}

// order is that of the streams' claims to a lane, and to a fast one. While there
// are items left it is the one in which theirs were begun, the largest first.
// Afterwards it is what they have left to do, so that they end together and no
// core has to go on with a few.
func (w *worker) order() func(a, b *stream) int {
	if w.board.drained.Load() {
		return func(a, b *stream) int { return cmp.Compare(b.left(), a.left()) }
	}
	rank := w.board.rank
	return func(a, b *stream) int { return cmp.Compare(rank[a.chunk.item], rank[b.chunk.item]) }
}

// alone brings the stream that has most left to do to the front, and says
// whether it should have the core to itself: what all others have left could be
// done on the other cores before it ends even so.
func (w *worker) alone() bool {
	others := float64(len(w.board.workers) - 1)
	i, decides := w.longest(others * w.board.backend.best)
	if decides {
		w.running[0], w.running[i] = w.running[i], w.running[0]
	}
	return decides
}

// urgent says whether a stream that has something decides when all is done, so
// that it must not wait for others.
func (w *worker) urgent() bool {
	_, decides := w.longest(float64(len(w.board.workers)) * w.board.backend.rate(len(w.streams)))
	return decides
}

// longest is the running stream that has most left to do. It decides when all is
// done if it ends last even with a core to itself, while the rest is done at so
// many bytes a second.
func (w *worker) longest(rate float64) (i int, decides bool) {
	for j, st := range w.running {
		if st.left() > w.running[i].left() {
			i = j
		}
	}
	left := w.running[i].left()
	rest := max(0, w.board.unhashed.Load()-left)
	return i, rate > 0 && float64(left)/w.board.backend.single >= float64(rest)/rate
}

// tooMany says whether one of the streams belongs to another worker: all but one
// that has the core to itself, and when no items are left any that the other has
// two less of. Before that every worker has what it can take.
func (w *worker) tooMany(other *worker) bool {
	if w.solo.Load() {
		return len(w.streams) > 1
	}
	return w.board.drained.Load() && other.held.Load()+2 <= int64(len(w.streams))
}

// dispensable is the stream to give away: any that does not have the core to
// itself, or else the longest, which gains most by having a core with few others.
func (w *worker) dispensable() (i int) {
	if w.solo.Load() {
		return slices.IndexFunc(w.streams, func(st *stream) bool { return st != w.running[0] })
	}
	for j, st := range w.streams {
		if st.rest != nil && (w.streams[i].rest == nil || st.left() > w.streams[i].left()) {
			i = j
		}
	}
	return i
}

// shortOnes brings to the front those running streams whose messages have not
// much in this chunk any more, and counts them.
func (w *worker) shortOnes() (short int) {
	for i, st := range w.running {
		if len(st.rest) < shortRun*blockSize {
			w.running[short], w.running[i] = w.running[i], w.running[short]
			short++
		}
	}
	return short
}
