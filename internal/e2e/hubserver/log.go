package hubserver

import (
	"fmt"
	"net/http"
)

// A Request is what was asked of a hub, and how it answered.
type Request struct {
	Method string
	Host   string // hub or cdn
	URI    string // the path, escaped, with the query
	Auth   string // none, token (the one that is known) or other
	Range  string // the header; - where there is none
	Status int    // 0 until the answer has begun
	Sent   int64  // bytes of the body
}

// String is the request in one line, for people and for patterns:
//
//	GET cdn /repos/org/model/75f1...?Expires=... auth=none range=bytes=512- status=206 sent=512
func (r Request) String() string {
	return fmt.Sprintf("%s %s %s auth=%s range=%s status=%d sent=%d", r.Method, r.Host, r.URI, r.Auth, r.Range, r.Status, r.Sent)
}

// Log returns every request since the start, or since ClearLog, in the order in which they came. The transfers of git-lfs
// itself are not among them.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := make([]Request, len(s.log))
	for i, r := range s.log {
		log[i] = *r
	}
	return log
}

// ClearLog forgets what was asked so far.
func (s *Server) ClearLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// logged notes every request that a handler answers.
func (s *Server) logged(host string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known, _ := s.authorization(r)
		entry := &Request{Method: r.Method, Host: host, URI: r.URL.RequestURI(), Auth: "other", Range: r.Header.Get("Range")}
		switch {
		case known:
			entry.Auth = "token"
		case r.Header.Get("Authorization") == "":
			entry.Auth = "none"
		}
		if entry.Range == "" {
			entry.Range = "-"
		}
		s.mu.Lock()
		s.log = append(s.log, entry)
		s.mu.Unlock()
		next(&recorder{w, s, entry}, r)
	})
}

// A recorder notes how a request is answered, before the client can see it.
type recorder struct {
	http.ResponseWriter
	server *Server
	entry  *Request
}

func (r *recorder) note(status, sent int) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if r.entry.Status == 0 {
		r.entry.Status = status
	}
	if r.entry.Method != http.MethodHead {
		r.entry.Sent += int64(sent)
	}
}

func (r *recorder) WriteHeader(status int) {
	r.note(status, 0)
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.note(http.StatusOK, len(p))
	return r.ResponseWriter.Write(p)
}

// Unwrap lets an http.ResponseController flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
