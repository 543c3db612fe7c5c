// Package hubserver is an imitation of the Hugging Face Hub on the loopback interface, for tests: the Hub's own client downloads
// from it, git clones from it and pushes to it, and what a Hub may do wrong can be switched on (Fault).
//
// It serves real git repositories, by branch, tag, refs/pr/N or commit. A file whose blob is an LFS pointer is served as its
// content, which lies in the store of a package lfsserver's Server behind it. Like the real one it pages its listings,
// answers for repositories that were renamed, are private or are gated, sends who asks for a small file on to another address of
// its own, and who asks for a large file to a second origin (the "CDN", here another port) with a signed query. It says nothing
// of Xet, so that clients take plain HTTP.
//
// What the Hub answers was learnt from what its client, huggingface_hub, asks and looks at; questions that no client of these
// tests asks are not answered. It is no server for real use: there is one user with one token, and whoever may read may push.
// Of the standard library and package lfsserver alone, so that it shares no mistake with the programs under test.
package hubserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/lfsserver"
)

// Options say how a hub is to behave. The zero value is one without users, whose every repository is public.
type Options struct {
	Token    string // the one token that is known, without which there are public repositories only
	User     string // whose it is; "visitor" where empty
	PageSize int    // entries of a page of a listing; 0 means 3, so that any listing has pages
	NoCDN    bool   // large files come from the hub itself
}

// A Server is running from Start until Close.
type Server struct {
	options  Options
	lfs      *lfsserver.Server
	git      *httputil.ReverseProxy // to lfs
	hub, cdn *http.Server
	base     string // http://127.0.0.1:port of the hub
	cdnBase  string

	mu      sync.Mutex
	repos   map[string]*repository // by name, such as org/model or datasets/org/data
	renamed map[string]string      // old name to new
	grants  map[string]grant       // what the CDN serves, by signature
	faults  []*Fault
	log     []*Request
}

// Start serves on two free ports of 127.0.0.1 what it keeps in the folder dir, which it makes if need be.
func Start(dir string, o Options) (*Server, error) {
	if o.PageSize == 0 {
		o.PageSize = 3
	}
	if o.User == "" {
		o.User = "visitor"
	}
	lfs, err := lfsserver.Start(dir, lfsserver.Options{})
	if err != nil {
		return nil, fmt.Errorf("starting the hub: %w", err)
	}
	behind, err := url.Parse(lfs.URL(""))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the hub: %w", err), lfs.Close())
	}
	behind.Path = ""
	s := &Server{
		options: o,
		lfs:     lfs,
		git:     httputil.NewSingleHostReverseProxy(behind),
		repos:   make(map[string]*repository),
		renamed: make(map[string]string),
		grants:  make(map[string]grant),
	}
	s.hub, s.base, err = listen(s.logged("hub", s.serveHub))
	if err == nil {
		s.cdn, s.cdnBase, err = listen(s.logged("cdn", s.serveCDN))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the hub: %w", err), s.Close())
	}
	return s, nil
}

// listen serves on a free port of 127.0.0.1, which it returns as an address.
func listen(h http.Handler) (*http.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	// A client that speaks too slowly is a broken test; answers may take as long as their faults have them.
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(l)
	return server, "http://" + l.Addr().String(), nil
}

// Close stops the server at once, cutting off requests that are under way. What it stored stays on disk.
func (s *Server) Close() error {
	err := s.lfs.Close()
	for _, server := range []*http.Server{s.hub, s.cdn} {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
	}
	return err
}

// Endpoint is the address of the hub, as HF_ENDPOINT has it.
func (s *Server) Endpoint() string { return s.base }

// CDN is the address of the second origin, to which nobody is to send a token.
func (s *Server) CDN() string { return s.cdnBase }

// RepositoryDir is the bare repository behind a name, such as org/model or datasets/org/data.
func (s *Server) RepositoryDir(name string) string { return s.lfs.RepositoryDir(name) }

// ObjectPath is where the content of an LFS object lies.
func (s *Server) ObjectPath(oid string) string { return s.lfs.ObjectPath(oid) }

// Create makes an empty repository, to be pushed to or filled by Publish. Its name is org/model, datasets/org/data or
// spaces/org/app.
func (s *Server) Create(ctx context.Context, name string) error {
	if _, err := parseName(name); err != nil {
		return err
	}
	s.mu.Lock()
	_, there := s.repos[name]
	s.mu.Unlock()
	if there {
		return nil
	}
	if err := os.MkdirAll(s.lfs.RepositoryDir(name), 0o777); err != nil {
		return fmt.Errorf("creating the repository %s: %w", name, err)
	}
	if _, err := s.lfs.CreateRepository(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[name] = newRepository(name, s.lfs.RepositoryDir(name), Public)
	return nil
}

// Access is who may read a repository.
type Access int

const (
	Public  Access = iota
	Private        // who has no token is told that there is no such repository
	Gated          // anybody sees the listing, and the content who has a token
	Denied         // gated, and the token's owner has not been let in
)

// SetAccess says who may read a repository from now on.
func (s *Server) SetAccess(name string, a Access) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.repos[name]
	if !ok {
		return fmt.Errorf("no repository %q", name)
	}
	r.access = a
	return nil
}

// Rename gives a repository another name. Requests for the old one are sent on with status 307.
func (s *Server) Rename(from, to string) error {
	if _, err := parseName(to); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.repos[from]
	if !ok {
		return fmt.Errorf("no repository %q", from)
	}
	dir := s.lfs.RepositoryDir(to)
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return fmt.Errorf("renaming %s to %s: %w", from, to, err)
	}
	if err := os.Rename(r.dir, dir); err != nil {
		return fmt.Errorf("renaming %s to %s: %w", from, to, err)
	}
	delete(s.repos, from)
	delete(s.renamed, to)
	s.repos[to] = newRepository(to, dir, r.access)
	s.renamed[from] = to
	return nil
}
