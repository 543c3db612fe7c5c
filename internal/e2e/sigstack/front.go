package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
)

// front serves a Rekor v2 at the one address that it has for its clients: what can be read, by C2SP's tlog-tiles, are files that the
// server has written into storage and does not serve itself, and everything else is handed on to it.
func front(storage, server string) http.Handler {
	files := http.StripPrefix("/api/v2", http.FileServer(http.Dir(storage)))
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server})
	// Without the server it is to clients as if nobody were there.
	forward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	mux := http.NewServeMux()
	mux.Handle("GET /api/v2/checkpoint", files)
	mux.Handle("GET /api/v2/tile/", files)
	mux.Handle("/", forward)
	return mux
}
