// Package wire says what went wrong between this program and a service, in words for people: what happened, and what they can do about it.
// It also finds out how far this machine's clock is from a service's, since a wrong clock looks like anything else.
//
// It sends nothing. What it returns holds no URL, no password of a proxy and nothing that looks like an identity token, wherever
// that came from.
package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Failure is an exchange with a service that came to nothing.
type Failure struct {
	// Hint says what to do.
	Hint string

	text string
	err  error
}

// Error says in one printable line what happened, without the service's URL.
func (f *Failure) Error() string { return f.text }

// Unwrap returns the cause, whose own text may hold what must not be shown.
func (f *Failure) Unwrap() error { return f.err }

// GoString keeps the cause from %#v.
func (f *Failure) GoString() string { return f.text }

const (
	hintNetwork = "is there a network, and does it need a proxy (HTTPS_PROXY)?"
	hintAgain   = "the service or the way to it has trouble: sign again later"
	hintProxy   = "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY, which name the proxy"
)

// Explain says what an error of an HTTP client means; nil where it is none that this package knows, or the user's own doing.
func Explain(err error) *Failure {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	f := &Failure{err: err}
	for _, look := range []func(*Failure) bool{explainProxy, explainTLS, explainNetwork, explainAnswer} {
		if look(f) {
			f.text = plain.Line(Redact(f.text))
			return f
		}
	}
	return nil
}

// explainProxy knows what a proxy, or its address, does to a request. The address may hold a password, which is not repeated.
func explainProxy(f *Failure) bool {
	var op *net.OpError
	switch {
	case errors.As(f.err, &op) && op.Op == "proxyconnect":
		f.text = "the proxy cannot be reached: " + innermost(op.Err).Error()
	case strings.HasSuffix(f.err.Error(), "Proxy Authentication Required"):
		f.text = "the proxy wants a name and a password"
	default:
		return false
	}
	f.Hint = hintProxy
	return true
}

// explainTLS knows why a server's certificate is not believed.
func explainTLS(f *Failure) bool {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var verification *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(f.err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		f.text = fmt.Sprintf("its TLS certificate is valid from %s to %s, and here it is %s",
			stamp(invalid.Cert.NotBefore), stamp(invalid.Cert.NotAfter), stamp(time.Now()))
		f.Hint = "set the clock of this machine if it is wrong; if it is right, the service's operator has to renew the certificate"
	case errors.As(f.err, &unknown), errors.As(f.err, &invalid), errors.As(f.err, &verification) && !errors.As(f.err, &host):
		f.text = "its TLS certificate is not from an authority that this machine trusts"
		f.Hint = "somebody may read along; where the network has an authority of its own, SSL_CERT_FILE names the file of those to trust"
	case errors.As(f.err, &host):
		f.text = "its TLS certificate is another host's: " + host.Error()
		f.Hint = "something else answers in the service's place: a proxy, a sign-in page of the network, or a wrong URL"
	case errors.As(f.err, &header), errors.Is(f.err, http.ErrSchemeMismatch):
		f.text = "it does not speak TLS at that address"
		f.Hint = "look at the service's URL, and whether a proxy is in between"
	default:
		return false
	}
	return true
}

// explainNetwork knows of requests that got no answer, or half of one.
func explainNetwork(f *Failure) bool {
	var dns *net.DNSError
	var network net.Error
	var op *net.OpError
	isTimeout := errors.As(f.err, &network) && network.Timeout() || errors.Is(f.err, context.DeadlineExceeded)
	switch {
	case errors.As(f.err, &dns):
		f.text, f.Hint = "looking up "+plain.Name(dns.Name)+": "+dns.Err, hintNetwork
	case isTimeout:
		f.text, f.Hint = "no whole answer came in time", hintAgain
	case errors.Is(f.err, io.ErrUnexpectedEOF), errors.Is(f.err, io.EOF), errors.Is(f.err, syscall.ECONNRESET), errors.Is(f.err, syscall.EPIPE):
		f.text, f.Hint = "the connection broke before the whole answer was there", hintAgain
	case errors.As(f.err, &op):
		f.text, f.Hint = op.Error(), hintNetwork
	default:
		return false
	}
	return true
}

// explainAnswer knows answers of another form.
func explainAnswer(f *Failure) bool {
	var syntax *json.SyntaxError
	var form *json.UnmarshalTypeError
	if !errors.As(f.err, &syntax) && !errors.As(f.err, &form) {
		return false
	}
	f.text = "its answer is not JSON of the expected form"
	f.Hint = "is the URL that of the service? A proxy, or a sign-in page of the network, may have answered in its place"
	return true
}

// innermost leaves out who passed an error on.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Confidential says whether what is sent to a URL can be read by nobody on the way: by https, or on this machine.
func Confidential(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// token is what every JSON Web Token looks like: it begins with {" in base64. A server may repeat one, or its beginning.
var token = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,2}`)

// Redact takes out of a text whatever looks like an identity token or a part of one, and the secrets that are given.
func Redact(text string, secrets ...string) string {
	text = token.ReplaceAllString(text, "(identity token)")
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.NewReplacer(secret, "(secret)", url.QueryEscape(secret), "(secret)").Replace(text)
		}
		for n := len(secret) - 1; n >= minSecret && strings.Contains(text, "…"); n-- {
			text = strings.ReplaceAll(text, secret[:n]+"…", "(secret)…") // where package plain has cut it
		}
	}
	return text
}

// minSecret is how long a secret is at least, in bytes. What is shorter cannot be told from parts of words.
const minSecret = 6
