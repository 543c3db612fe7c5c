package hubserver

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind is something that a hub does wrong.
type Kind string

// What goes wrong with the bytes of a file. HEAD requests are answered as ever.
const (
	Corrupt  Kind = "corrupt"  // as many bytes as there are, the middle one altered
	Truncate Kind = "truncate" // the first half, as if that were all
	Drop     Kind = "drop"     // the connection breaks before the byte that the argument numbers, counted from the file's start
	Slow     Kind = "slow"     // in ten parts, with the argument's pause (100ms) before each
	Gzip     Kind = "gzip"     // compressed, though nobody asked for that
	NoRange  Kind = "norange"  // the whole file whatever range is asked for
)

// What goes wrong with any request.
const (
	Status   Kind = "status"   // the argument's status, such as "503", "429 1" with a Retry-After, "429 in 1" with a date one second from now
	Redirect Kind = "redirect" // to the argument's address, else to the same path of the CDN, which answers as the hub does
	Gone     Kind = "gone"     // no such file, though it is listed
)

// What a listing lies about. It does so as long as the fault is there.
const (
	SHA256 Kind = "sha256" // of a file, in LFS or not: the argument, else a wrong one
	Size   Kind = "size"   // of a file: the argument, else one byte more
	Blob   Kind = "blob"   // git's name of it: the argument, else a wrong one
	Hide   Kind = "hide"   // the file is not listed
	Extra  Kind = "extra"  // a file that no commit has, with the argument as content; it can be fetched too
	Repeat Kind = "repeat" // the link to the next page leads to the same page
)

var (
	kinds = []Kind{Corrupt, Truncate, Drop, Slow, Gzip, NoRange, Status, Redirect, Gone, SHA256, Size, Blob, Hide, Extra, Repeat}
	lies  = []Kind{SHA256, Size, Blob, Hide, Extra}
)

// A Fault is something that a hub does wrong when it is asked about a target.
type Fault struct {
	Kind     Kind
	Target   string // a file's path; or @info, @tree, @paths-info, @whoami (of the API), @git, @cdn (whatever it sends); or * for all of these
	Argument string
	Times    int // how many answers it spoils; 0 means all. A lie has no number

	left   int
	number int64         // of Drop and Size: the argument, or -1; of Status: the status
	pause  time.Duration // of Slow
}

// AddFault switches a fault on.
func (s *Server) AddFault(f Fault) error {
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("unknown fault %q: want one of %q", f.Kind, kinds)
	}
	if f.Times != 0 && slices.Contains(lies, f.Kind) {
		return fmt.Errorf("fault %s: a lie has no number of times", f.Kind)
	}
	f.left, f.number, f.pause = f.Times, -1, 100*time.Millisecond
	number, _, _ := strings.Cut(f.Argument, " ")
	var err error
	switch {
	case f.Kind == Drop, f.Kind == Status, f.Kind == Size && f.Argument != "":
		f.number, err = strconv.ParseInt(number, 10, 64)
	case f.Kind == Slow && f.Argument != "":
		f.pause, err = time.ParseDuration(f.Argument)
	}
	if err == nil && f.Kind == Status && (f.number < 400 || f.number > 599) {
		err = fmt.Errorf("%d is no status of an error", f.number)
	}
	if err != nil {
		return fmt.Errorf("fault %s: %w", f.Kind, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults switches every fault off.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// take finds the fault of a kind that the next answer about a subject has, and counts it.
func (s *Server) take(kind Kind, subject string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Kind != kind || f.Target != subject && f.Target != "*" {
			continue
		}
		if f.Times > 0 {
			if f.left--; f.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return *f, true
	}
	return Fault{}, false
}

// refuse answers in place of what was asked for, if a fault wants that.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, subject string) bool {
	if f, ok := s.take(Status, subject); ok {
		if _, after, ok := strings.Cut(f.Argument, " "); ok {
			w.Header().Set("Retry-After", retryAfter(after))
		}
		writeError(w, int(f.number), "", http.StatusText(int(f.number)))
		return true
	}
	if f, ok := s.take(Redirect, subject); ok {
		to := f.Argument
		if to == "" {
			to = s.cdnBase + r.URL.RequestURI()
		}
		redirect(w, http.StatusFound, to)
		return true
	}
	return false
}

// retryAfter is the header's value: as it is given, or a date where that is "in SECONDS".
func retryAfter(s string) string {
	in, ok := strings.CutPrefix(s, "in ")
	seconds, err := strconv.Atoi(in)
	if !ok || err != nil {
		return s
	}
	return time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
}

// lie returns the entries as the API is to show them.
func (s *Server) lie(entries []entry) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := slices.Clone(entries)
	for _, f := range s.faults {
		if f.Kind == Extra {
			told = append(told, f.entry())
		}
		told = slices.DeleteFunc(told, func(e entry) bool { return f.Kind == Hide && f.Target == e.path })
		for i := range told {
			if told[i].path == f.Target {
				f.distort(&told[i])
			}
		}
	}
	return told
}

func (f *Fault) distort(e *entry) {
	switch f.Kind {
	case SHA256:
		if e.oid == "" {
			e.oid, e.pointerSize = strings.Repeat("0", 64), e.size
		}
		e.oid = f.digest(e.oid)
	case Size:
		e.size++
		if f.number >= 0 {
			e.size = f.number
		}
	case Blob:
		e.id = f.digest(e.id)
	}
}

// digest is the argument, else another digest than the one given.
func (f *Fault) digest(right string) string {
	if f.Argument != "" {
		return f.Argument
	}
	return right[1:] + right[:1]
}

// extra returns the fault that makes up the file of this path.
func (s *Server) extra(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Kind == Extra && f.Target == path {
			return f
		}
	}
	return nil
}

// content is that of the file which the fault Extra makes up.
func (f *Fault) content() string {
	if f.Argument == "" {
		return "import os\n"
	}
	return f.Argument
}

func (f *Fault) entry() entry {
	content := f.content()
	id := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return entry{path: f.Target, id: hex.EncodeToString(id[:]), size: int64(len(content))}
}
