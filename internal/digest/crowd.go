package digest

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// A crowd is the small items of a board. To hand on what is read of them, from a
// goroutine to another, would cost as much as to hash it. So a reader of the crowd
// reads a batch of items into a buffer and then hashes them itself, all lanes at a
// time, when it gets a core for that. A core begins with two readers and gets more
// while reading is slow, for some to hash while others wait for a disk.
//
// The crowd is for cores that have nothing else to do: a worker lets readers begin
// when it waits in vain for a stream to have something, or has no streams any more.
type crowd struct {
	board *board

	mu      sync.Mutex
	queue   []int // indices of items
	readers int   // that have begun
	most    int   // readers there may be
	running sync.WaitGroup
}

const (
	// smallItem is the most bytes of a small item, and batchSize those of a batch,
	// which has so many items at most.
	smallItem  = largeBuffer / 2
	batchSize  = largeBuffer
	batchItems = 64
	// firstReaders are those that a core begins with, coreReaders the most that it
	// comes to have, and maxCrowd the most of all cores, which bounds what their
	// buffers take to 9 MiB.
	firstReaders = 2
	coreReaders  = 16
	maxCrowd     = 128
)

// small says whether an item belongs to the crowd: it is known to fit in a batch.
func (it *Item) small() bool {
	return it.length() <= smallItem && (it.Length >= 0 || it.Size >= 0)
}

// join has readers begin that hash on the core of a worker.
func (c *crowd) join(w *worker) {
	for range firstReaders {
		c.begin(w)
	}
}

// begin has one more reader begin, if there is something for it to do.
func (c *crowd) begin(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readers < c.most && len(c.queue) > 0 {
		c.readers++
		r := &reader{crowd: c, worker: w}
		c.running.Go(r.run)
	}
}

// take appends the next items that a reader shall read, but never so many that
// others go without.
func (c *crowd) take(to []int) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	fair := 1 + len(c.queue)/(2*c.most)
	var bytes int64
	for len(c.queue) > 0 && len(to) < min(fair, batchItems) {
		i := c.queue[0]
		if bytes += c.board.items[i].length(); bytes > batchSize {
			break
		}
		to, c.queue = append(to, i), c.queue[1:]
	}
	return to
}

// abandon leaves what is queued: the context has ended. A timer that fires just then
// may begin no reader once the last has gone, as nobody waits for it any more.
func (c *crowd) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
}

// reader is one of the readers of a crowd.
type reader struct {
	crowd  *crowd
	worker *worker

	batch    []int
	buf      []byte
	read     []int // those items of the batch whose bytes are there
	states   [batchItems]state
	messages []message
}

func (r *reader) run() {
	c := r.crowd
	slow := time.AfterFunc(time.Hour, func() { c.begin(r.worker) })
	defer slow.Stop()
	for r.batch = c.take(r.batch[:0]); len(r.batch) > 0; r.batch = c.take(r.batch[:0]) {
		slow.Reset(patienceTime)
		if !r.fill() {
			c.abandon()
			return
		}
		slow.Stop()
		r.worker.core <- struct{}{}
		c.board.backend.finish(&r.worker.lanes, r.messages)
		<-r.worker.core
		r.report()
	}
}

// fill reads the batch. It returns false when the context ends.
func (r *reader) fill() bool {
	d := r.crowd.board
	r.read, r.messages = r.read[:0], r.messages[:0]
	buf := r.buffer()
	for _, i := range r.batch {
		if d.ctx.Err() != nil {
			return false
		}
		n, err := d.items[i].readWhole(buf)
		if err != nil {
			d.results[i].Err = err
			continue
		}
		data := pad(buf[:n], int64(n))
		buf = buf[len(data):]
		r.states[len(r.read)] = initial
		r.messages = append(r.messages, message{&r.states[len(r.read)], data})
		r.read = append(r.read, i)
	}
	return true
}

// buffer is room for a batch. It is made when it is needed: where nobody waits for
// a disk a few readers do it all.
func (r *reader) buffer() []byte {
	if r.buf == nil {
		r.buf = make([]byte, batchSize+batchItems*tailRoom)
	}
	return r.buf
}

// report leaves the digests of a batch.
func (r *reader) report() {
	d := r.crowd.board
	digests := make([]byte, 0, sha256.Size*len(r.read))
	p := Progress{Items: len(r.batch)}
	for j, i := range r.read {
		digests = appendSum(digests, &r.states[j])
		n := d.items[i].length()
		d.results[i] = Result{Digest: digests[sha256.Size*j : sha256.Size*(j+1) : sha256.Size*(j+1)], Bytes: n}
		p.Bytes += n
	}
	for _, i := range r.batch {
		d.unhashed.Add(-d.items[i].length())
	}
	d.hasher.report(p)
}

// finish compresses all that is left of messages.
func (b *backend) finish(l *lanes, messages []message) {
	for len(messages) > 0 {
		k := b.kernelFor(len(messages))
		run := messages[:min(len(messages), k.fast+k.slow)]
		if k.slow > 0 {
			// What has taken a fast lane is done but for a few blocks.
			if short := shortOnes(run); short > 0 {
				k = b.evenKernelFor(short)
				run = run[:k.fast]
			}
		}
		n := maxCall
		for i, m := range run {
			blocks := len(m.data) / blockSize
			if i < k.fast {
				blocks /= k.ratio
			}
			n = min(n, blocks)
		}
		k.run(l, run, n)
		messages = slices.DeleteFunc(messages, func(m message) bool { return len(m.data) == 0 })
	}
}

// shortOnes brings those messages to the front that have not much left, and
// counts them.
func shortOnes(messages []message) (short int) {
	for i, m := range messages {
		if len(m.data) < shortRun*blockSize {
			messages[short], messages[i] = m, messages[short]
			short++
		}
	}
	return short
}
