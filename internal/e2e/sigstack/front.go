package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// front is the one address that a Rekor v2 has for its clients: what can be read, by C2SP's tlog-tiles, are files that the server has
// written into storage and does not serve itself, and everything else is handed on to it. It is there for as long as the server is,
// so that nobody answers in the place of one that is gone.
type front struct {
	address, server, storage string
	serving                  *http.Server
}

func (f *front) open() error {
	if f == nil {
		return nil
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		return err
	}
	files := http.StripPrefix("/api/v2", http.FileServer(http.Dir(f.storage)))
	mux := http.NewServeMux()
	mux.Handle("GET /api/v2/checkpoint", files)
	mux.Handle("GET /api/v2/tile/", files)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: f.server})
	forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) } // clients come and go
	mux.Handle("/", forward)
	f.serving = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { _ = f.serving.Serve(l) }() // until it is closed
	return nil
}

func (f *front) close() {
	if f != nil && f.serving != nil {
		f.serving.Close()
	}
}
