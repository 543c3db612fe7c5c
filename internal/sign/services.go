package sign

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
)

// The services are asked once: asking again after an answer got lost could log a signature, or a certificate, twice.
const (
	retries        = 0
	serviceTimeout = 30 * time.Second
	logTimeout     = 90 * time.Second // a log answers when the entry is in the tree, which takes it up to a minute
)

// ServiceError is the failure of one service of a Sigstore instance, or of a timestamp authority.
type ServiceError struct {
	Service string // as "Fulcio (certificate authority)"
	URL     string
	Err     error
}

// Error says which service failed and why, in one printable line.
func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s at %s: %s", e.Service, plain.Line(e.URL), plain.Line(e.Err.Error()))
}

// Unwrap returns ErrService and what the service's client said.
func (e *ServiceError) Unwrap() []error { return []error{ErrService, e.Err} }

// timestamper is a timestamp authority.
type timestamper interface {
	GetTimestamp(ctx context.Context, signature []byte) ([]byte, error)
}

// endpoint is one service, by whatever client.
type endpoint[C any] struct {
	name, url string
	client    C
}

// failed makes a ServiceError. A server may put what it was sent into its answer, so the token is taken out.
func (e endpoint[C]) failed(err error, token string) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // it repeats the URL
	}
	if text := err.Error(); strings.Contains(text, token) {
		err = errors.New(strings.ReplaceAll(text, token, "(identity token)"))
	}
	return &ServiceError{Service: e.name, URL: e.url, Err: err}
}

// services are those that sign at a Sigstore instance.
type services struct {
	authority  endpoint[sign.CertificateProvider]
	timestamps []endpoint[timestamper]
	logs       []transparencyLog
}

// transparencyLog is a Rekor, by the major version of its interface.
type transparencyLog struct {
	endpoint[sign.Transparency]
	version uint32
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
	return errors.As(err, &failed) && failed.Op == "dial"
}

// refusal is how the client of Rekor v2 words an answer of 4xx, for which it has no error of its own. A conflict is none: then
// the log has the entry.
var refusal = regexp.MustCompile(`unexpected response: 4(?:0[0-8]|[1-9][0-9]) `)

// tooLarge is how Go's servers word that they do not read on, Rekor v1 in an answer of 500.
const tooLarge = "http: request body too large"

// refused says that the log answered that it does not take the entry.
func refused(err error) bool {
	var answer interface{ IsClientError() bool } // as the clients have it that are made from Rekor v1's description
	return errors.As(err, &answer) && answer.IsClientError() || refusal.MatchString(err.Error()) || strings.Contains(err.Error(), tooLarge)
}

// connect chooses among the services that a signing config lists. It sends nothing yet.
func connect(ctx context.Context, c *root.SigningConfig, userAgent string) (*services, error) {
	now := time.Now()
	transport := sigstore.Transport(ctx, userAgent)
	ca, err := root.SelectService(c.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		return nil, configError("no certificate authority (Fulcio): %s", err)
	}
	if len(c.RekorLogURLs()) == 0 {
		return nil, configError("no transparency log (Rekor)")
	}
	logs, err := root.SelectServices(c.RekorLogURLs(), c.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
	if err != nil {
		return nil, configError("no transparency log (Rekor): %s", err)
	}
	var stamps []root.Service
	if len(c.TimestampAuthorityURLs()) > 0 {
		stamps, err = root.SelectServices(c.TimestampAuthorityURLs(), c.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return nil, configError("no timestamp authority: %s", err)
		}
	}
	s := &services{authority: endpoint[sign.CertificateProvider]{"Fulcio (certificate authority)", ca.URL, sign.NewFulcio(&sign.FulcioOptions{
		BaseURL: ca.URL, Timeout: serviceTimeout, Retries: retries, Transport: transport,
	})}}
	for _, t := range stamps {
		s.timestamps = append(s.timestamps, endpoint[timestamper]{"timestamp authority", t.URL, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
			URL: t.URL, Timeout: serviceTimeout, Retries: retries, Transport: transport,
		})})
	}
	for _, l := range logs {
		if l.MajorAPIVersion > 1 && len(stamps) == 0 {
			return nil, configError("no timestamp authority, which its log at %s (Rekor v%d) makes necessary", l.URL, l.MajorAPIVersion)
		}
		s.logs = append(s.logs, transparencyLog{endpoint[sign.Transparency]{"Rekor (transparency log)", l.URL, sign.NewRekor(&sign.RekorOptions{
			BaseURL: l.URL, Timeout: logTimeout, Retries: retries, Version: l.MajorAPIVersion,
		})}, l.MajorAPIVersion})
	}
	return s, nil
}

func configError(format string, args ...any) error {
	return fmt.Errorf("%w: signing config names %s", ErrConfig, plain.Line(fmt.Sprintf(format, args...)))
}
