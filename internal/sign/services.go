package sign

import (
	"context"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

// The services are asked once: asking again after an answer got lost could log a signature, or a certificate, twice.
const (
	retries        = 0
	serviceTimeout = 30 * time.Second
	logTimeout     = 90 * time.Second // a log answers when the entry is in the tree, which takes it up to a minute
)

// timestamper is a timestamp authority.
type timestamper interface {
	GetTimestamp(ctx context.Context, signature []byte) ([]byte, error)
}

// endpoint is one service, by whatever client.
type endpoint[C any] struct {
	name, url string
	client    C
	clock     *wire.Clock // compared with the service's; nil where there is none
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

// connect chooses among the services that a signing config lists. It sends nothing yet.
func connect(ctx context.Context, c *root.SigningConfig, userAgent string) (*services, error) {
	now := time.Now().UTC().Round(0) // as errors name it
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
	if err := confidential(ca.URL); err != nil {
		return nil, err
	}
	clock, transport := overTheWire(ctx, userAgent)
	s := &services{authority: endpoint[sign.CertificateProvider]{"Fulcio (certificate authority)", ca.URL, sign.NewFulcio(&sign.FulcioOptions{
		BaseURL: ca.URL, Timeout: serviceTimeout, Retries: retries, Transport: transport,
	}), clock}}
	for _, t := range stamps {
		clock, transport := overTheWire(ctx, userAgent)
		s.timestamps = append(s.timestamps, endpoint[timestamper]{"timestamp authority", t.URL, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
			URL: t.URL, Timeout: serviceTimeout, Retries: retries, Transport: stampSized{transport},
		}), clock})
	}
	for _, l := range logs {
		if l.MajorAPIVersion > 1 && len(stamps) == 0 {
			return nil, configError("no timestamp authority, which its log at %s (Rekor v%d) makes necessary", l.URL, l.MajorAPIVersion)
		}
		clock, transport := overTheWire(ctx, userAgent)
		log := newRekor(l.URL, l.MajorAPIVersion, transport, logTimeout)
		s.logs = append(s.logs, transparencyLog{endpoint[sign.Transparency]{"Rekor (transparency log)", l.URL, log, clock}, l.MajorAPIVersion})
	}
	return s, nil
}

func configError(format string, args ...any) error {
	return fmt.Errorf("%w: signing config names %s", ErrConfig, plain.Line(fmt.Sprintf(format, args...)))
}
