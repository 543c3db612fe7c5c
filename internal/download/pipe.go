package download

import "sync/atomic"

const (
	pipeBuffers = 4
	bufferSize  = 256 << 10
)

// pipe hashes bytes beside whoever reads and writes them, so that the one does
// not wait for the other. Its buffers serve one file after the other. The zero
// value is ready.
type pipe struct {
	buffers [][]byte
	free    chan []byte
	full    chan []byte
	done    chan struct{}
	checker *checker
	wrong   atomic.Bool
	err     error // of the hashing goroutine until done
}

// start begins to hash for c. The pipe must be idle.
func (p *pipe) start(c *checker) {
	if p.buffers == nil {
		for range pipeBuffers {
			p.buffers = append(p.buffers, make([]byte, bufferSize))
		}
	}
	p.free, p.full = make(chan []byte, pipeBuffers), make(chan []byte, pipeBuffers)
	for _, b := range p.buffers {
		p.free <- b
	}
	p.done, p.checker, p.err = make(chan struct{}), c, nil
	p.wrong.Store(false)
	go func() {
		defer close(p.done)
		for b := range p.full {
			if p.err == nil {
				if p.err = c.write(b); p.err != nil {
					p.wrong.Store(true)
				}
			}
			p.free <- b[:cap(b)]
		}
	}()
}

// buffer waits for a buffer that the hashing is done with.
func (p *pipe) buffer() []byte { return <-p.free }

// hash takes back a buffer, as much of it as is to be hashed. It must not be
// written to any more.
func (p *pipe) hash(b []byte) { p.full <- b }

// failed says that the content is known to be wrong.
func (p *pipe) failed() bool { return p.wrong.Load() }

// end waits for the hashing and makes the pipe idle. The error is that of the
// content up to here.
func (p *pipe) end() error {
	if p.full != nil {
		close(p.full)
		<-p.done
		p.full = nil
	}
	return p.err
}

// finish is end where all of the content has been hashed.
func (p *pipe) finish() error {
	if err := p.end(); err != nil {
		return err
	}
	return p.checker.finish()
}
