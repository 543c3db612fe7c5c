package hubserver

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// A grant is what the holder of a signed address may fetch from the CDN.
type grant struct {
	path string // the file's path in its repository
	oid  string
}

// serveFile answers for a file: with its content, or with where that is.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, q question, repo *repository, commit string, entries []entry) {
	e, ok := find(entries, q.path)
	extra := s.extra(q.path)
	_, gone := s.take(Gone, q.path)
	switch {
	case extra != nil:
		e = extra.entry()
	case !ok || e.folder || gone:
		writeError(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	id := e.id
	if e.oid != "" {
		id = e.oid
	}
	h := w.Header()
	h.Set("ETag", strconv.Quote(id))
	h.Set("X-Linked-Etag", strconv.Quote(id))
	h.Set("X-Linked-Size", strconv.FormatInt(e.size, 10))
	h.Set("Accept-Ranges", "bytes")
	switch {
	case extra != nil: // at once: an address with .. in it leads elsewhere when it is followed
		s.serveContent(w, r, e.path, strings.NewReader(extra.content()), e.size)
	case e.oid != "" && !s.options.NoCDN:
		redirect(w, http.StatusFound, s.sign(grant{e.path, e.oid}, repo.name))
	case e.oid != "":
		s.serveObject(w, r, e.path, e.oid)
	case q.about == "resolve":
		// Small files are at another address of the Hub, which it gives without its host.
		parts, err := parseName(repo.name)
		if err != nil {
			writeError(w, http.StatusInternalServerError, "", err.Error())
			return
		}
		at := url.URL{Path: "/api/resolve-cache/" + parts[0] + "/" + parts[1] + "/" + commit + "/" + e.path}
		redirect(w, http.StatusTemporaryRedirect, at.EscapedPath())
	default:
		blob, err := repo.blob(r.Context(), e.id)
		if err != nil {
			writeError(w, http.StatusInternalServerError, "", err.Error())
			return
		}
		s.serveContent(w, r, e.path, bytes.NewReader(blob), e.size)
	}
}

func redirect(w http.ResponseWriter, status int, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s. Redirecting to %s", http.StatusText(status), location)
}

// sign returns an address of the CDN at which a grant's object can be fetched.
func (s *Server) sign(g grant, name string) string {
	signature := rand.Text()
	s.mu.Lock()
	s.grants[signature] = g
	s.mu.Unlock()
	query := url.Values{"Expires": {"4102444800"}, "Key-Pair-Id": {"SESSION"}, "Signature": {signature}}
	return s.cdnBase + "/repos/" + name + "/" + g.oid + "?" + query.Encode()
}

func (s *Server) serveGrant(w http.ResponseWriter, r *http.Request, signature string) {
	s.mu.Lock()
	g, ok := s.grants[signature]
	s.mu.Unlock()
	if !ok || !strings.HasSuffix(r.URL.Path, "/"+g.oid) {
		http.Error(w, "AccessDenied", http.StatusForbidden)
		return
	}
	if s.refuse(w, r, "@cdn") {
		return
	}
	w.Header().Set("ETag", strconv.Quote(g.oid))
	s.serveObject(w, r, g.path, g.oid)
}

// serveObject sends an LFS object as the content of the file called path.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, path, oid string) {
	f, err := os.Open(s.lfs.ObjectPath(oid))
	if err != nil {
		http.Error(w, "NoSuchKey", http.StatusNotFound)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.serveContent(w, r, path, f, info.Size())
}

// serveContent sends bytes, or the range of them that is asked for, with the faults of the file called path.
func (s *Server) serveContent(w http.ResponseWriter, r *http.Request, path string, content io.ReadSeeker, size int64) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodHead {
		http.ServeContent(w, r, "", time.Time{}, content)
		return
	}
	if f, ok := s.take(Slow, path); ok {
		w = &slowWriter{w, r, f.pause, max(size/10, 1)}
	}
	if _, ok := s.take(Corrupt, path); ok {
		content = &spoilt{ReadSeeker: content, size: size, alter: size / 2, end: -1}
	}
	if _, ok := s.take(Truncate, path); ok {
		content = &spoilt{ReadSeeker: content, size: size / 2, alter: -1, end: -1}
	}
	if f, ok := s.take(Drop, path); ok {
		content = &spoilt{ReadSeeker: content, size: size, alter: -1, end: f.number}
	}
	if _, ok := s.take(NoRange, path); ok {
		r.Header.Del("Range")
	}
	if _, ok := s.take(Gzip, path); ok {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.Copy(z, content) // a client that hangs up is no error of ours
		z.Close()
		return
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

// A spoilt content is not what it should be.
type spoilt struct {
	io.ReadSeeker
	at    int64
	size  int64 // which it seems to have
	alter int64 // the byte that is another; -1 for none
	end   int64 // before which reading fails; -1 for none
}

var errSpoilt = errors.New("a fault of this content")

func (s *spoilt) Read(p []byte) (int, error) {
	end := s.size
	if s.end >= 0 && s.end < s.size {
		if s.at >= s.end {
			return 0, errSpoilt
		}
		end = s.end
	}
	if s.at >= end {
		return 0, io.EOF
	}
	n, err := s.ReadSeeker.Read(p[:min(int64(len(p)), end-s.at)])
	if s.alter >= s.at && s.alter < s.at+int64(n) {
		p[s.alter-s.at] ^= 0xff
	}
	s.at += int64(n)
	return n, err
}

func (s *spoilt) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset, whence = s.size+offset, io.SeekStart
	}
	at, err := s.ReadSeeker.Seek(offset, whence)
	s.at = at
	return at, err
}

// A slowWriter pauses before each part.
type slowWriter struct {
	http.ResponseWriter
	request *http.Request
	pause   time.Duration
	part    int64
}

func (w *slowWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		select {
		case <-time.After(w.pause):
		case <-w.request.Context().Done():
			return written, w.request.Context().Err()
		}
		var n int
		n, err = w.ResponseWriter.Write(p[:min(int64(len(p)), w.part)])
		written, p = written+n, p[n:]
		if err == nil {
			err = http.NewResponseController(w.ResponseWriter).Flush()
		}
	}
	return written, err
}
