package sign

import (
	"context"
	"errors"
	"fmt"
	"net/url"
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

// ServiceError is the failure of one service of a Sigstore instance.
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
	logs       []endpoint[sign.Transparency]
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
		s.logs = append(s.logs, endpoint[sign.Transparency]{"Rekor (transparency log)", l.URL, sign.NewRekor(&sign.RekorOptions{
			BaseURL: l.URL, Timeout: logTimeout, Retries: retries, Version: l.MajorAPIVersion,
		})})
	}
	return s, nil
}

func configError(format string, args ...any) error {
	return fmt.Errorf("%w: signing config names %s", ErrConfig, plain.Line(fmt.Sprintf(format, args...)))
}
