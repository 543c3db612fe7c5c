package digest

import (
	"context"
	"fmt"
	"sync/atomic"
)

// A stream reads items one after the other and hands them on in chunks, for a
// worker to hash. It has its own goroutine, so that a slow read is waited for by
// nobody else, and a few buffers that go round: that bounds both the memory and
// how far reading gets ahead.
type stream struct {
	board *board
	free  chan []byte // buffers to read into
	full  chan chunk  // in order; closed after the last
	owner atomic.Pointer[worker]

	// The rest belongs to the worker that owns the stream.
	chunk   chunk
	segment int    // of the chunk
	rest    []byte // of the segment
	state   state  // of the segment's message
	late    bool   // the last read took too long to be waited for
	broken  error  // of the segment's message: its bytes went away
}

// chunk is a buffer with what was read into it, or a window of a mapped file,
// which is its only segment.
type chunk struct {
	buf      []byte
	mapping  *mapping // nil for a buffer
	segments []segment
}

// release lets go of the bytes, and of files that are looked at no more.
func (c *chunk) release() {
	if c.mapping != nil {
		c.mapping.release(c.segments[0].data)
	}
	for _, seg := range c.segments {
		if seg.source != nil {
			seg.source.close()
		}
	}
}

// segment is bytes of one item in a chunk, a whole number of blocks. The last
// one of an item ends in the padding of SHA-256.
type segment struct {
	data        []byte
	item        int
	first, last bool
	bytes       int64 // of the file
	after       int64 // bytes of the item to come after these
	total       int64 // bytes of the item
	// source is set in the last segment of an item that was mapped: its bytes
	// are taken from the file as they are hashed, and it may change until then.
	source *source
}

// tailRoom is what every buffer has beyond its size, for the padding of a
// message that fills it.
const tailRoom = 2 * blockSize

func newStream(b *board) *stream {
	st := &stream{board: b, free: make(chan []byte, b.buffers), full: make(chan chunk, b.buffers)}
	for range b.buffers {
		st.free <- nil // made when it is needed
	}
	return st
}

// ready says whether there is something to hash, taking the next chunk if one
// has come. ended says that nothing more will.
func (st *stream) ready() (ready, ended bool) {
	if st.rest != nil {
		return true, false
	}
	select {
	case c, ok := <-st.full:
		if !ok {
			return false, true
		}
		st.chunk, st.segment, st.late = c, 0, false
		st.begin()
		return true, false
	default:
		return false, false
	}
}

// begin turns to the current segment.
func (st *stream) begin() {
	seg := st.current()
	if seg.first {
		st.state, st.broken = initial, nil
	}
	st.rest = seg.data
}

// current is the segment that rest is of.
func (st *stream) current() *segment { return &st.chunk.segments[st.segment] }

// left is how many bytes of the current item are still to be hashed.
func (st *stream) left() int64 { return int64(len(st.rest)) + st.current().after }

// advance notes that all but rest of the segment has been hashed. At the end of
// a message it leaves the digest; at the end of a chunk it gives the buffer back.
func (st *stream) advance(rest []byte) {
	if st.rest = rest; len(rest) > 0 {
		return
	}
	seg := st.current()
	st.board.hashed(seg)
	if seg.last {
		st.board.results[seg.item] = st.result(seg)
	}
	if st.segment++; st.segment < len(st.chunk.segments) {
		st.begin()
		return
	}
	st.rest = nil
	st.chunk.release()
	st.free <- st.chunk.buf
	st.chunk = chunk{}
}

// result is what became of the item of a last segment.
func (st *stream) result(seg *segment) Result {
	if st.broken == nil && seg.source != nil {
		st.broken = seg.source.unchanged()
	}
	if st.broken != nil {
		return Result{Err: st.broken}
	}
	return Result{Digest: sum(&st.state), Bytes: seg.total}
}

// lose gives up what is left of a segment whose bytes went away. Its message has
// no digest any more.
func (st *stream) lose() {
	if st.broken == nil {
		seg := st.current()
		at := seg.total - seg.after - int64(len(st.rest))
		name := st.board.items[seg.item].Name
		st.broken = fmt.Errorf("%s: %w: byte %d or one soon after it went away", name, ErrChanged, at)
	}
	st.advance(nil)
}

// drain lets go of what nobody is going to hash.
func (st *stream) drain() {
	st.chunk.release()
	for c := range st.full {
		c.release()
	}
}

// read is the stream's goroutine. It reads the items that it is given first and
// then as many as it can get. It ends early when ctx does.
func (st *stream) read(ctx context.Context, items []int) {
	defer func() {
		close(st.full)
		st.owner.Load().poke()
	}()
	w := chunkWriter{ctx: ctx, stream: st}
	for ; len(items) > 0; items = st.board.take(items[:0]) {
		for _, i := range items {
			read, err := w.item(i)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				st.board.results[i] = Result{Bytes: read, Err: err}
				st.board.hasher.report(Progress{Items: 1})
			}
		}
		if w.flush() != nil {
			return
		}
	}
}

// chunkWriter packs what is read into chunks.
type chunkWriter struct {
	ctx    context.Context
	stream *stream
	chunk  chunk
	held   bool // there is a chunk
	used   int  // bytes of its buffer
}

// item reads one item, and returns how much of it was handed on or will be. Its
// last segment is handed on only when the file is seen to be what it was at the
// start, so that there is no digest otherwise. Where it was mapped, that is seen
// after hashing.
func (w *chunkWriter) item(i int) (read int64, err error) {
	d := w.stream.board
	src, err := openSource(d.items[i])
	if err != nil {
		d.unhashed.Add(-d.items[i].length())
		return 0, err
	}
	total := src.left()
	d.unhashed.Add(total - d.items[i].length())
	var mapped, handedOn bool
	defer func() {
		if !handedOn {
			src.close()
		}
		if err != nil {
			d.unhashed.Add(read - total)
		}
	}()
	if total > w.room() {
		// Read from the start of a buffer, in large pieces.
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	if d.window > 0 && total >= mapFrom {
		if read, err = w.windows(i, src); err != nil {
			return read, err
		}
		mapped = read > 0
	}
	for {
		if err := w.buffer(); err != nil {
			return read, err
		}
		n, err := src.next(w.chunk.buf[w.used : w.used+int(w.room())])
		if err != nil {
			return read, err
		}
		seg := segment{item: i, first: read == 0, last: src.left() == 0, bytes: int64(n), after: src.left(), total: total}
		seg.data = w.chunk.buf[w.used : w.used+n]
		if seg.last {
			if mapped {
				seg.source, handedOn = src, true
			} else if err := src.unchanged(); err != nil {
				return read, err
			}
			seg.data = pad(seg.data, total)
		}
		read += int64(n)
		w.used += len(seg.data)
		w.chunk.segments = append(w.chunk.segments, seg)
		if seg.last && total <= d.small {
			return read, nil // with others in one chunk
		}
		if err := w.flush(); err != nil || seg.last {
			return read, err
		}
	}
}

// windows hands on as much of an item as can be mapped, and returns how much that
// was. Its end is always left to be read: where there is little, that costs less,
// and it needs room for padding.
func (w *chunkWriter) windows(i int, src *source) (read int64, err error) {
	m := mapRange(src.file, src.pos, src.end)
	if m == nil {
		return 0, nil
	}
	defer m.done()
	total := src.left()
	for src.left() >= minWindow {
		if err := w.take(); err != nil {
			return read, err
		}
		// Later windows begin with a page if the item does.
		n := (w.stream.board.window - src.pos%pageSize) / blockSize * blockSize
		n = min(n, src.left()/blockSize*blockSize)
		data := m.window(src.pos, src.pos+n)
		if data == nil {
			return read, nil
		}
		src.pos += n
		w.chunk.mapping = m
		w.chunk.segments = []segment{{data: data, item: i, first: read == 0, bytes: n, after: src.left(), total: total}}
		read += n
		if err := w.flush(); err != nil {
			return read, err
		}
	}
	return read, nil
}

// room is how many bytes the buffer still takes, padding not counted.
func (w *chunkWriter) room() int64 {
	size := w.stream.board.bufferSize
	return int64(max(0, size-w.used))
}

// buffer sees that there is a buffer with some room.
func (w *chunkWriter) buffer() error {
	if w.held && w.room() == 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if err := w.take(); err != nil {
		return err
	}
	if w.chunk.buf == nil {
		w.chunk.buf = make([]byte, w.stream.board.bufferSize+tailRoom)
	}
	return nil
}

// take sees that there is a chunk. It waits for one of those that are hashed.
func (w *chunkWriter) take() error {
	if w.held {
		return w.ctx.Err()
	}
	select {
	case w.chunk.buf = <-w.stream.free:
		w.held = true
		return w.ctx.Err()
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// flush hands the chunk on. There is always room in the channel: it takes as
// many chunks as there are buffers.
func (w *chunkWriter) flush() error {
	if len(w.chunk.segments) > 0 {
		w.stream.full <- w.chunk
		w.stream.owner.Load().poke()
		w.chunk, w.used, w.held = chunk{}, 0, false
	}
	return w.ctx.Err()
}
