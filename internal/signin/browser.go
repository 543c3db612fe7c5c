package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// callback is the path at which the browser comes back; Sigstore's issuers know it for every port.
const callback = "/auth/callback"

// maxHeader is the largest header that is read, in bytes: a code has some hundred.
const maxHeader = 64 << 10

// page is what the browser shows in the end. It holds nothing that came from outside.
const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>git model-sign</title></head>
<body><p>%s</p></body></html>
`

// an answer is what the browser came back with. It waits to be told what became of it.
type answer struct {
	code    string
	err     error
	outcome chan error
}

// byBrowser opens a browser, and waits at a port of this machine for it to come back (RFC 8252, section 7.3).
func (f *flow) byBrowser(ctx context.Context, open func(string) error) (string, error) {
	listeners, port, err := listen()
	if err != nil {
		return "", f.failed(fmt.Errorf("waiting for the browser at a port of this machine: %w", err))
	}
	a := f.begin("http://localhost:" + port + callback)
	answers := make(chan answer, 1)
	var strangers atomic.Int32
	server := &http.Server{
		Handler: f.answers(a.state, "localhost:"+port, answers, &strangers), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeader,
	}
	for _, l := range listeners {
		go server.Serve(l)
	}
	defer server.Close()
	f.People.Browse(a.url, open(a.url) == nil)
	timeout := time.NewTimer(f.wait)
	defer timeout.Stop()
	select {
	case got := <-answers:
		token, err := "", got.err
		if err != nil {
			err = f.failed(err)
		} else {
			token, err = f.finish(ctx, a, got.code)
		}
		got.outcome <- err
		// The page is on its way to the browser still.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(end)
		return token, err
	case <-timeout.C:
		if strangers.Load() > 0 {
			return "", f.failed(fmt.Errorf("%w, since the state in it is another, and no other came for %s", ErrState, f.wait))
		}
		return "", f.failed(fmt.Errorf("%w for %s", ErrTimeout, f.wait))
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// listen opens a port that nobody but this machine reaches, on both of its loopback addresses if it has two, since either may be localhost.
func listen() (listeners []net.Listener, port string, err error) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		six, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			return nil, "", err
		}
		return []net.Listener{six}, portOf(six), nil
	}
	listeners, port = []net.Listener{four}, portOf(four)
	if six, err := net.Listen("tcp6", "[::1]:"+port); err == nil {
		listeners = append(listeners, six)
	}
	return listeners, port, nil
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// answers takes the first answer that comes back to this sign-in, and tells the browser what becomes of it. Any program on this
// machine, and any page in its browser, can send something here: what does not know the state is counted and changes nothing.
func (f *flow) answers(state, host string, out chan<- answer, strangers *atomic.Int32) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callback, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Host != host || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
			strangers.Add(1)
			show(w, http.StatusBadRequest, "You are not signed in. This is not for the sign-in that the terminal waits for.")
			return
		}
		got := answer{code: query.Get("code"), outcome: make(chan error, 1)}
		switch {
		case (f.named || query.Has("iss")) && query.Get("iss") != f.issuer: // RFC 9207, section 2.4
			got.err = fmt.Errorf("%w: it comes from %s", ErrState, plain.Quote(query.Get("iss")))
		case query.Get("error") != "":
			got.err = &oauth2.RetrieveError{ErrorCode: query.Get("error"), ErrorDescription: query.Get("error_description")}
		case got.code == "":
			got.err = errors.New("the browser came back without a code")
		}
		status, text := http.StatusBadRequest, "You are not signed in. The terminal says why."
		select {
		case out <- got:
			select {
			case err := <-got.outcome:
				if err == nil {
					status, text = http.StatusOK, "You are signed in. Close this page and go back to the terminal."
				}
			case <-r.Context().Done(): // nobody waits for the page, or the program gave up
			}
		default: // only the first counts
			text = "This has been answered already. The terminal says how it went."
		}
		show(w, status, text)
	})
	return mux
}

// show ends the sign-in in the browser. The code is in the address, which no other page is to learn.
func show(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	fmt.Fprintf(w, page, text)
}

// byPasting has somebody sign in with any browser and copy the code over.
func (f *flow) byPasting(ctx context.Context) (string, error) {
	a := f.begin(outOfBand)
	ctx, cancel := context.WithTimeoutCause(ctx, f.wait, ErrTimeout)
	defer cancel()
	code, err := f.People.Paste(ctx, a.url)
	switch {
	case errors.Is(context.Cause(ctx), ErrTimeout):
		return "", f.failed(fmt.Errorf("%w for %s", ErrTimeout, f.wait))
	case err != nil:
		return "", f.failed(err)
	case code == "":
		return "", f.failed(fmt.Errorf("%w: no code was given", ErrRefused))
	}
	return f.finish(ctx, a, code)
}
