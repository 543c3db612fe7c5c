// Package lfsserver is a git host on the loopback interface for tests and for the demonstration: it serves bare repositories
// over git's smart HTTP protocol, and their large files over the Git LFS batch API with the basic transfer.
//
// Git is the real one (git http-backend, run as a CGI program); only the LFS half is written here, after the documents
// under docs/api of the git-lfs project. What a host may do wrong can be switched on object by object (Fault), and every
// request for an object is counted (Stats), so that a test can say that something was downloaded once, or not at all.
//
// It listens on 127.0.0.1 only, keeps everything under one folder that its caller owns, and is no server for real use: one
// store holds the objects of all its repositories, and whoever may read may also push.
package lfsserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxPush bounds the body of one git push. The pack of a repository whose weights go through LFS is small.
const maxPush = 1 << 30

// Options say how a server is to behave. The zero value is an open server without delays.
type Options struct {
	User, Password string        // both non-empty: every request of git and git-lfs must carry them (HTTP basic authentication)
	Delay          time.Duration // pause before each part of an object with the fault Slow; 0 means 50 ms
}

// A Server is running from Start until Close.
type Server struct {
	dir     string
	options Options
	token   string // what an object request must present where authentication is on; sent to the client by the batch response
	backend string // path of git, which runs http-backend
	http    *http.Server
	base    string

	mu     sync.Mutex
	faults map[string]Fault
	stats  Stats
}

// Start serves the folder dir, which it makes if need be, on a free port of 127.0.0.1.
func Start(dir string, o Options) (*Server, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("starting the git and LFS server: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "objects"), 0o777); err != nil {
		return nil, fmt.Errorf("starting the git and LFS server: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the git and LFS server: %w", err)
	}
	if o.Delay == 0 {
		o.Delay = 50 * time.Millisecond
	}
	token := make([]byte, 16)
	rand.Read(token)
	s := &Server{
		dir:     dir,
		options: o,
		token:   "Bearer " + hex.EncodeToString(token),
		backend: git,
		base:    "http://" + l.Addr().String(),
		faults:  make(map[string]Fault),
		stats:   newStats(),
	}
	s.http = &http.Server{Handler: s.routes()}
	go s.http.Serve(l)
	return s, nil
}

// Close stops the server at once, cutting off requests that are under way. What it stored stays on disk.
func (s *Server) Close() error {
	return s.http.Close()
}

// URL is the address of the repository that CreateRepository made under this name. It holds no credentials.
func (s *Server) URL(name string) string {
	return s.base + "/" + url.PathEscape(name) + ".git"
}

// RepositoryDir is where the bare repository of this name lies on disk.
func (s *Server) RepositoryDir(name string) string {
	return filepath.Join(s.dir, name+".git")
}

// CreateRepository makes an empty bare repository whose branch will be main, and gives its address.
func (s *Server) CreateRepository(ctx context.Context, name string) (string, error) {
	dir := s.RepositoryDir(name)
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", dir},
		{"-C", dir, "config", "http.receivepack", "true"},
	} {
		if out, err := exec.CommandContext(ctx, s.backend, args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("creating the repository %s: git %s: %w: %s", name, args[0], err, out)
		}
	}
	return s.URL(name), nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{repo}/info/lfs/objects/batch", s.authenticated(s.serveBatch))
	mux.HandleFunc("/{repo}/info/lfs/", s.authenticated(func(w http.ResponseWriter, r *http.Request) {
		// The file locking API among them: 404 is how a server says that it has none, and git-lfs then stays silent.
		writeError(w, http.StatusNotFound, "not offered by this server")
	}))
	mux.HandleFunc("GET /-/objects/{oid}", s.withToken(s.serveObject))
	mux.HandleFunc("PUT /-/objects/{oid}", s.withToken(s.storeObject))
	mux.HandleFunc("POST /-/verify", s.withToken(s.verifyObject))
	mux.HandleFunc("/", s.authenticated(s.serveGit))
	return mux
}

func (s *Server) authenticated(next http.HandlerFunc) http.HandlerFunc {
	if s.options.User == "" {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != s.options.User || password != s.options.Password {
			w.Header().Set("LFS-Authenticate", `Basic realm="git"`)
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			writeError(w, http.StatusUnauthorized, "credentials needed")
			return
		}
		next(w, r)
	}
}

func (s *Server) withToken(next http.HandlerFunc) http.HandlerFunc {
	if s.options.User == "" {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != s.token {
			writeError(w, http.StatusForbidden, "not authorized by a batch response")
			return
		}
		next(w, r)
	}
}

// serveGit hands the request to git http-backend.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 {
		// A push of more than http.postBuffer comes in chunks, and CGI knows no such body: lay it down first.
		body, size, err := spool(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer body.Close()
		r.Body, r.ContentLength, r.TransferEncoding = body, size, nil
	}
	handler := cgi.Handler{
		Path: s.backend,
		Args: []string{"http-backend"},
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.dir,
			"GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER=" + s.options.User,
			// The folder is the caller's own, whoever owns it on disk; nobody's configuration is read.
			"GIT_CONFIG_NOSYSTEM=1",
			"GIT_CONFIG_GLOBAL=" + os.DevNull,
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
		InheritEnv: []string{"PATH", "TMPDIR"},
		Stderr:     io.Discard,
	}
	handler.ServeHTTP(w, r)
}

// spool copies a request's body to a temporary file that is gone once it is closed.
func spool(body io.Reader) (io.ReadCloser, int64, error) {
	f, err := os.CreateTemp("", "git-push-")
	if err != nil {
		return nil, 0, err
	}
	temporary := temporaryFile{f}
	size, err := io.Copy(f, io.LimitReader(body, maxPush+1))
	if err == nil && size > maxPush {
		err = fmt.Errorf("a push of more than %d bytes is not taken", maxPush)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, temporary.Close())
	}
	return temporary, size, nil
}

type temporaryFile struct{ *os.File }

func (f temporaryFile) Close() error {
	return errors.Join(f.File.Close(), os.Remove(f.Name()))
}

// isOID reports whether a name can be an object's: anything else never becomes part of a path.
func isOID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
