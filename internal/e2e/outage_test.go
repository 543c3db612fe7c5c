package e2e

import (
	"bytes"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// An outage is something that is the matter with a service, or with the way there.
type outage struct {
	name string
	// answer is what the service answers in place of the right thing.
	answer http.HandlerFunc
	// url is where the service is said to be, and nobody is.
	url string
	// certificate changes that of a service which speaks TLS; foreign has it issued by an authority that nobody trusts.
	certificate func(*x509.Certificate)
	foreign     bool
	// text and hint are what has to be said.
	text, hint string
}

// status answers with a status and a body.
func status(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// nowhere is a host that needs no name server to be unknown: a label has 63 characters at most.
var nowhere = strings.Repeat("x", 64) + ".example.com"

// outages are what may be the matter with any service. What says nothing by itself is answered before the service hears of the request.
var outages = []outage{
	{name: "refuses connections", url: "http://127.0.0.1:1", text: "connection refused", hint: "network"},
	{name: "has no address", url: "https://" + nowhere, text: "no such host", hint: "network"},
	{name: "breaks the connection", answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, text: "the connection broke", hint: "again"},
	{name: "says 400 in JSON", answer: status(400, "application/json", `{"code":3,"message":"this is\nnot what I want\u001b[2J"}`), text: "not what I want", hint: ""},
	{name: "says 500 in JSON", answer: status(500, "application/json", `{"code":13,"message":"disk full"}`), text: "disk full", hint: "again"},
	{name: "says 503 on a page", answer: status(503, "text/html", "<!DOCTYPE html><h1>Overloaded</h1>"), text: "503 Service Unavailable", hint: "again"},
	{name: "says 429", answer: status(429, "text/plain", ""), text: "429 Too Many Requests", hint: "again"},
	{name: "answers a page", answer: status(200, "text/html", "<!DOCTYPE html><h1>Sign in to this network</h1>"), text: "", hint: ""},
	{name: "leads elsewhere", answer: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	}, text: "307 Temporary Redirect", hint: ""},
	{name: "ends too soon", answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "{")
	}, text: "the connection broke", hint: "again"},
	{name: "never ends", answer: endless, text: "more than", hint: ""},
	{name: "has a certificate that ended", certificate: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }, text: "TLS certificate is valid from", hint: "clock of this machine"},
	{name: "has a certificate of tomorrow", certificate: func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(0, 0, 1) }, text: "TLS certificate is valid from", hint: "clock of this machine"},
	{name: "has another's certificate", certificate: func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example.com"} }, text: "TLS certificate is another host's", hint: "in the service's place"},
	{name: "has a stranger's certificate", certificate: func(*x509.Certificate) {}, foreign: true, text: "not from an authority", hint: "SSL_CERT_FILE"},
}

func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// A front stands before a service, and does in its place what is to be wrong with it.
type front struct {
	URL string

	behind http.Handler
	mu     sync.Mutex
	path   string
	answer http.HandlerFunc
	asked  int // for what is answered in its place
}

func newFront(t testing.TB, behind http.Handler) *front {
	t.Helper()
	f := &front{behind: behind}
	f.URL = "http://" + serveQuietly(t, f, nil)
	return f
}

// set has requests below a path be answered in another way from now on; nil, in the right one.
func (f *front) set(path string, answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.path, f.answer, f.asked = path, answer, 0
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer := f.answer
	if answer != nil && !strings.HasPrefix(r.URL.Path, f.path) {
		answer = nil
	}
	if answer != nil {
		f.asked++
	}
	f.mu.Unlock()
	if answer == nil {
		f.behind.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body) // or nobody would notice that who asks has gone
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer(w, r)
}

// serveQuietly serves as long as the test lasts, and says nothing of connections that break. It returns the address.
func serveQuietly(t testing.TB, handler http.Handler, config *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if config != nil {
		server.TLS = config
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.Listener.Addr().String()
}

// An encryption is the authorities of TLS in a session: one that its programs trust, and one that nobody does.
type encryption struct {
	trusted, foreign *verifytest.Authority
}

// serve serves a handler by TLS.
func (e encryption) serve(t testing.TB, handler http.Handler, o outage) string {
	t.Helper()
	by := e.trusted
	if o.foreign {
		by = e.foreign
	}
	key := verifytest.NewKey(t, elliptic.P256())
	leaf := by.Issue(t, "service", key, func(c *x509.Certificate) {
		c.ExtKeyUsage, c.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []net.IP{net.IPv4(127, 0, 0, 1)}
		o.certificate(c)
	})
	return "https://" + serveQuietly(t, handler, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}})
}
