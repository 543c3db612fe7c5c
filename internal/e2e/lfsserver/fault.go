package lfsserver

import (
	"io"
	"maps"
	"net/http"
	"time"
)

// A Fault is something that a host does wrong when it is asked for an object.
type Fault int

const (
	None      Fault = iota
	Missing         // the batch response says that there is no such object
	Corrupt         // as many bytes as promised, one of them altered
	Truncated       // the connection ends half-way
	Slow            // in ten parts, with a pause (Options.Delay) before each
)

// SetFault switches a fault on for one object, or off with None.
func (s *Server) SetFault(oid string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[oid] = f
}

func (s *Server) fault(oid string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[oid]
}

// Stats counts what has been asked of a server. The maps have an object's name as key.
type Stats struct {
	Batches     int            // batch requests
	Batched     map[string]int // how often batch requests named the object
	Downloads   map[string]int // requests for the object's bytes
	Uploads     map[string]int // requests that brought the object's bytes
	BytesServed int64          // bytes of objects sent
}

func newStats() Stats {
	return Stats{Batched: make(map[string]int), Downloads: make(map[string]int), Uploads: make(map[string]int)}
}

// Stats returns a copy of the counts since the start, or since ResetStats.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Batched, st.Downloads, st.Uploads = maps.Clone(st.Batched), maps.Clone(st.Downloads), maps.Clone(st.Uploads)
	return st
}

// ResetStats sets every count to zero.
func (s *Server) ResetStats() {
	s.count(func(st *Stats) { *st = newStats() })
}

func (s *Server) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// send writes size bytes of an object, with its fault, and returns how many it wrote.
func (s *Server) send(w http.ResponseWriter, r io.Reader, size int64, f Fault) (int64, error) {
	switch f {
	case Corrupt:
		return io.Copy(w, &alteredReader{r: r, at: size / 2})
	case Truncated:
		// The handler returns with less than it promised: net/http then cuts the connection.
		return io.Copy(w, io.LimitReader(r, size/2))
	case Slow:
		return s.sendSlowly(w, r, size)
	default:
		return io.Copy(w, r)
	}
}

func (s *Server) sendSlowly(w http.ResponseWriter, r io.Reader, size int64) (sent int64, err error) {
	part := size/10 + 1
	for sent < size {
		time.Sleep(s.options.Delay)
		n, err := io.CopyN(w, r, min(part, size-sent))
		sent += n
		if err != nil {
			return sent, err
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	return sent, nil
}

// An alteredReader flips the bits of the byte at one offset.
type alteredReader struct {
	r  io.Reader
	at int64 // counts down to the byte
}

func (a *alteredReader) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.at >= 0 && a.at < int64(n) {
		p[a.at] ^= 0xff
	}
	a.at -= int64(n)
	return n, err
}
