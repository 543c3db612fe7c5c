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
	chunk  chunk
	rest   []byte // of the chunk
	state  state  // of the chunk's message
	late   bool   // the last read took too long to be waited for
	broken error  // of the chunk's message: its bytes went away
}

// chunk is bytes of one item, a whole number of blocks: in a buffer into which
// they were read, or in a window of a mapped file. The last one of an item ends in
// the padding of SHA-256.
type chunk struct {
	buf         []byte
	mapping     *mapping // nil for a buffer
	data        []byte   // nil if there is no chunk
	item        int
	first, last bool
	bytes       int64 // of the file
	after       int64 // bytes of the item to come after these
	total       int64 // bytes of the item
	// source is set in the last chunk of an item that was mapped: its bytes are
	// taken from the file as they are hashed, and it may change until then.
	source *source
}

// release lets go of the bytes, and of a file that is looked at no more.
func (c *chunk) release() {
	if c.mapping != nil {
		c.mapping.release(c.data)
	}
	if c.source != nil {
		c.source.close()
	}
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
		if c.first {
			st.state, st.broken = initial, nil
		}
		st.chunk, st.rest, st.late = c, c.data, false
		return true, false
	default:
		return false, false
	}
}

// left is how many bytes of the current item are still to be hashed.
func (st *stream) left() int64 { return int64(len(st.rest)) + st.chunk.after }

// advance notes that all but rest of the chunk has been hashed. At its end it gives
// the buffer back, and at the end of a message it leaves the digest.
func (st *stream) advance(rest []byte) {
	if st.rest = rest; len(rest) > 0 {
		return
	}
	st.board.hashed(&st.chunk)
	if st.chunk.last {
		st.board.results[st.chunk.item] = st.result()
	}
	st.rest = nil
	st.chunk.release()
	st.free <- st.chunk.buf
	st.chunk = chunk{}
}

// result is what became of the item of a last chunk.
func (st *stream) result() Result {
	if st.broken == nil && st.chunk.source != nil {
		st.broken = st.chunk.source.unchanged()
	}
	if st.broken != nil {
		return Result{Err: st.broken}
	}
	return Result{Digest: appendSum(nil, &st.state), Bytes: st.chunk.total}
}

// lose gives up what is left of a chunk whose bytes went away. Its message has
// no digest any more.
func (st *stream) lose() {
	if st.broken == nil {
		at := st.chunk.total - st.left()
		name := st.board.items[st.chunk.item].Name
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

// read is the stream's goroutine. It reads the item that it is given first and
// then as many as it can get. It ends early when ctx does.
func (st *stream) read(ctx context.Context, i int, ok bool) {
	defer func() {
		close(st.full)
		st.owner.Load().poke()
	}()
	w := chunkWriter{ctx: ctx, stream: st}
	for ; ok; i, ok = st.board.take() {
		read, err := w.item(i)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			st.board.results[i] = Result{Bytes: read, Err: err}
			st.board.hasher.report(Progress{Items: 1})
		}
	}
}

// chunkWriter makes chunks of what is read.
type chunkWriter struct {
	ctx    context.Context
	stream *stream
	buf    []byte // of the next chunk
	held   bool   // it is there, or can be made
}

// item reads one item, and returns how much of it was handed on or will be. Its
// last chunk is handed on only when the file is seen to be what it was at the
// start, so that there is no digest otherwise. Where it was mapped, that is seen
// after hashing.
func (w *chunkWriter) item(i int) (read int64, err error) {
	d := w.stream.board
	src, err := openSource(&d.items[i])
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
	if d.window > 0 && total >= mapFrom {
		if read, err = w.windows(i, src); err != nil {
			return read, err
		}
		mapped = read > 0
	}
	for {
		if err := w.take(); err != nil {
			return read, err
		}
		if w.buf == nil {
			w.buf = make([]byte, d.bufferSize+tailRoom)
		}
		n, err := src.next(w.buf[:d.bufferSize])
		if err != nil {
			return read, err
		}
		c := chunk{buf: w.buf, data: w.buf[:n], item: i, first: read == 0, last: src.left() == 0, bytes: int64(n), after: src.left(), total: total}
		if c.last {
			if mapped {
				c.source, handedOn = src, true
			} else if err := src.unchanged(); err != nil {
				return read, err
			}
			c.data = pad(c.data, total)
		}
		read += int64(n)
		if err := w.hand(c); err != nil || c.last {
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
		c := chunk{buf: w.buf, mapping: m, data: data, item: i, first: read == 0, bytes: n, after: src.left(), total: total}
		read += n
		if err := w.hand(c); err != nil {
			return read, err
		}
	}
	return read, nil
}

// take sees that there is a buffer. It waits for one of those that are hashed.
func (w *chunkWriter) take() error {
	if w.held {
		return w.ctx.Err()
	}
	select {
	case w.buf = <-w.stream.free:
		w.held = true
		return w.ctx.Err()
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// hand hands a chunk on. There is always room in the channel: it takes as many
// chunks as there are buffers.
func (w *chunkWriter) hand(c chunk) error {
	w.stream.full <- c
	w.stream.owner.Load().poke()
	w.buf, w.held = nil, false
	return w.ctx.Err()
}
