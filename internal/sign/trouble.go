package sign

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

// ServiceError is the failure of one service of a Sigstore instance, or of a timestamp authority.
type ServiceError struct {
	Service string // as "Fulcio (certificate authority)"
	URL     string // without a password
	Err     error
	Hint    string // what to do
}

// Error says which service failed and why, in one printable line.
func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s at %s: %s", e.Service, plain.Line(e.URL), plain.Line(e.Err.Error()))
}

// Unwrap returns ErrService and what the service's client said.
func (e *ServiceError) Unwrap() []error { return []error{ErrService, e.Err} }

// Hint is what to do about an error of this package; "" where there is nothing to say.
func Hint(err error) string {
	var service *ServiceError
	switch {
	case errors.As(err, &service):
		return service.Hint
	case errors.Is(err, ErrConfig):
		return "is the trust configuration that of the instance, still in force, and the clock of this machine right?"
	case errors.Is(err, ErrUnverified):
		return "does the trusted root belong to the services that signed?"
	}
	return ""
}

// hintOdd is what to do about an answer that nobody expects.
const hintOdd = "sign again, and if that does not help look at the URL of the service in the signing config"

// failed makes a ServiceError. A server may put what it was sent into its answer, so the token is taken out.
func (e endpoint[C]) failed(err error, token string) error {
	if errors.Is(err, context.Canceled) {
		return err // which is the user's own doing
	}
	out := &ServiceError{Service: e.name, URL: e.url, Hint: hintOdd}
	if u, errURL := url.Parse(e.url); errURL == nil {
		out.URL = u.Redacted()
	}
	var status *sigstore.StatusError
	failure := wire.Explain(err)
	skew := e.clock.Hint(out.URL)
	switch {
	case errors.Is(err, errApart):
		out.Hint, skew = "the instance's operator has to set the clocks of its services", ""
	case errors.As(err, &status):
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // it repeats the URL
		}
		out.Hint = e.refused(status.Code)
	case failure != nil:
		err, out.Hint = failure, failure.Hint
	}
	if text := err.Error(); wire.Redact(text, token) != text {
		err = errors.New(wire.Redact(text, token))
	}
	if skew != "" && (status == nil || status.Code < 500) {
		out.Hint = skew
	}
	out.Err = err
	return out
}

// errApart: what two services say of a time cannot both be true.
var errApart = errors.New("the clock of one of the two is wrong")

// during refuses a time at which the certificate was not valid that was issued a moment ago: no verifier would believe the two.
func during(leaf *x509.Certificate, at time.Time) error {
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		const layout = "2006-01-02 15:04:05"
		return fmt.Errorf("it says that it is %s, and Fulcio has issued the certificate for %s to %s UTC: %w",
			at.UTC().Format(layout), leaf.NotBefore.UTC().Format(layout), leaf.NotAfter.UTC().Format(layout), errApart)
	}
	return nil
}

// refused is what to do about the status of an answer.
func (e endpoint[C]) refused(code int) string {
	switch {
	case code == http.StatusProxyAuthRequired:
		return "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY, which name the proxy"
	case code == http.StatusTooManyRequests || code >= 500:
		return "the service has trouble: sign again later"
	case code < 400 || code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return "is the URL in the signing config that of the service?"
	case strings.HasPrefix(e.name, "Fulcio"):
		return "sign again with a new token; the instance may not know its issuer, or want another audience (--client-id)"
	case code == http.StatusConflict:
		return "sign again, which makes another signature"
	case code == http.StatusRequestEntityTooLarge:
		return "the log takes no entry of that size: sign by larger shards (--shards), or with a key"
	}
	return "the service refuses what this program sends: is it of the version that the signing config says?"
}

// largeStatement is from how many bytes on a statement may be too much for a Rekor v1, which is sent the whole of it, unlike a
// v2, which is sent its digest. What it takes is up to whoever runs it, and to what stands before it: 1 MiB is a common limit.
const largeStatement = 1 << 20

// failed makes a ServiceError of a failure to log a statement of that many bytes, and says what became of the entry by
// ErrMaybeLogged and ErrMaybeTooLarge.
func (l transparencyLog) failed(err error, token string, size int) error {
	failure := l.endpoint.failed(err, token)
	if l.version == 1 && size >= largeStatement && !unsent(err) {
		failure = &outcome{failure, ErrMaybeTooLarge}
	}
	if unsent(err) || refused(err) {
		return failure
	}
	return &outcome{failure, ErrMaybeLogged}
}

// outcome is an error with what follows from it, which its text does not repeat.
type outcome struct {
	error
	follows error
}

// Unwrap returns both.
func (o *outcome) Unwrap() []error { return []error{o.error, o.follows} }

// unsent says that no connection came about.
func unsent(err error) bool {
	var failed *net.OpError
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &failed) && (failed.Op == "dial" || failed.Op == "proxyconnect") || errors.As(err, &untrusted)
}

// tooLarge is how Go's servers word that they do not read on, Rekor v1 in an answer of 500.
const tooLarge = "http: request body too large"

// refused says that the log answered that it does not take the entry. A conflict is none of those answers: then the log has it.
func refused(err error) bool {
	var answer *sigstore.StatusError
	return errors.As(err, &answer) &&
		(answer.Code >= 300 && answer.Code < 500 && answer.Code != http.StatusConflict || strings.Contains(answer.Body, tooLarge))
}

// overTheWire is a transport to one service, and the clock that it is watched by. No redirect is followed: a request that logs or
// certifies something goes where the signing config says.
func overTheWire(ctx context.Context, userAgent string) (*wire.Clock, http.RoundTripper) {
	clock := new(wire.Clock)
	return clock, final{clock.Watch(sigstore.Transport(ctx, userAgent), time.Now)}
}

// final makes every answer by which nothing was done an error, but the one by which a log says that it has an entry already.
type final struct{ http.RoundTripper }

func (f final) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := f.RoundTripper.RoundTrip(r)
	if err != nil || a.StatusCode < 300 || a.StatusCode == http.StatusConflict {
		return a, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body) // bounded by the transport
	if err != nil {
		return nil, err
	}
	return nil, sigstore.NewStatusError(a, body)
}

// confidential refuses to send an identity token where others could read along: anywhere but by https and on this machine.
func confidential(address string) error {
	u, err := url.Parse(address)
	if err == nil && wire.Confidential(u) {
		return nil
	}
	return fmt.Errorf("%w: the URL of its certificate authority, %s, is not https, and an identity token would be sent there", ErrConfig, plain.Quote(address))
}

// stampSized is a transport to a timestamp authority, of whose answers no more is read than a bundle takes of one. The libraries
// that parse timestamps call themselves for each level of nesting, which ends the program where an answer is of megabytes.
type stampSized struct{ http.RoundTripper }

func (s stampSized) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, oms.MaxTimestamp+1))
	if err == nil && len(body) > oms.MaxTimestamp {
		err = fmt.Errorf("its timestamp is too large: at most %d bytes are taken", oms.MaxTimestamp)
	}
	if err != nil {
		return nil, err
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, nil
}
