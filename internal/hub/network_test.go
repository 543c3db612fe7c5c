package hub_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// network is a set of servers in memory, by scheme, host and port, and what they
// were asked. Nothing of it waits for a real clock: it lives in a synctest bubble.
// What is https here is not encrypted.
type network struct {
	hosts map[string]http.Handler

	mu    sync.Mutex
	pipes map[string]chan net.Conn
	asked []request
	waits []time.Duration
	stop  []func()
	open  sync.WaitGroup // requests
}

// request is one that a server got.
type request struct {
	to, uri string
	header  http.Header
}

// online runs a test with a network, the servers of which are given by origin.
func online(t *testing.T, hosts map[string]http.Handler, test func(*testing.T, *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network{hosts: hosts, pipes: map[string]chan net.Conn{}}
		defer n.close()
		test(t, n)
	})
}

func (n *network) close() {
	for _, stop := range n.stop {
		stop()
	}
	n.open.Wait()
}

// client is one that has only this network.
func (n *network) client(e hub.Environment) *hub.Client {
	t := &http.Transport{
		DialContext:    func(_ context.Context, _, a string) (net.Conn, error) { return n.dial("http://" + a) },
		DialTLSContext: func(_ context.Context, _, a string) (net.Conn, error) { return n.dial("https://" + a) },
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop = append([]func(){t.CloseIdleConnections}, n.stop...)
	return hub.NewClient(e, hub.ClientOptions{UserAgent: "test/1", Transport: t, Waiting: func(d time.Duration, _ error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.waits = append(n.waits, d)
	}})
}

func (n *network) dial(address string) (net.Conn, error) {
	to := strings.TrimSuffix(strings.TrimSuffix(address, ":443"), ":80")
	handler := n.hosts[to]
	if handler == nil {
		n.mu.Lock()
		n.asked = append(n.asked, request{to: to})
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pipes[to] == nil {
		l := listener{make(chan net.Conn), make(chan struct{})}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.open.Add(1)
			defer n.open.Done()
			n.mu.Lock()
			n.asked = append(n.asked, request{to, r.RequestURI, r.Header})
			n.mu.Unlock()
			handler.ServeHTTP(w, r)
		})}
		go func() { _ = s.Serve(l) }()
		n.pipes[to] = l.conns
		n.stop = append(n.stop, func() { s.Close() })
	}
	client, server := net.Pipe()
	n.pipes[to] <- server
	return client, nil
}

// requests are those that were made so far.
func (n *network) requests() []request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.asked)
}

// uris are the addresses that were asked for.
func (n *network) uris() []string {
	var uris []string
	for _, r := range n.requests() {
		uris = append(uris, r.to+r.uri)
	}
	return uris
}

// tokensAt are the hosts that got to see an Authorization.
func (n *network) tokensAt() []string {
	var hosts []string
	for _, r := range n.requests() {
		if r.header.Get("Authorization") != "" && !slices.Contains(hosts, r.to) {
			hosts = append(hosts, r.to)
		}
	}
	return hosts
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error {
	close(l.done)
	return nil
}

func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

const (
	theHub = hub.DefaultEndpoint
	cdn    = "https://cdn.example.com"
	secret = "hf_hunter2"
)

// reply answers every request alike: a status, headers in pairs, a body.
func reply(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		if body != "" && w.Header().Get("Transfer-Encoding") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// inTurn lets handlers answer one request each, the last all that follow.
func inTurn(handlers ...http.Handler) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[0]
		if len(handlers) > 1 {
			handlers = handlers[1:]
		}
		mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// at answers by path and query.
func at(routes map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := routes[r.RequestURI]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusUnauthorized)
	})
}

// silent does not answer until the client is gone.
var silent = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })

func token(t *testing.T) hub.Token {
	t.Helper()
	token, err := hub.NewToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
