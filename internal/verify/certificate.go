package verify

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Certificate accepts signatures that were made with a certificate for which certificate authorities of the caller's choice
// vouch. Make it with NewCertificate.
//
// Chains are built as OpenSSL does by default, and with it the reference signer: a chain must end in a self-signed
// certificate among the anchors. An intermediate among the anchors helps to build a chain, and is not trusted by itself.
type Certificate struct {
	// Timestamps are the authorities by whose word a certificate is held to the time when it was used; nil for none.
	Timestamps *TimestampAuthorities

	anchors []*x509.Certificate
	roots   *x509.CertPool // the self-signed anchors
	others  *x509.CertPool // the other anchors
	now     func() time.Time
}

// NewCertificate reads the trust anchors: PEM files with one or more certificates each, at least one of them self-signed.
// The system's own roots are never used, since they vouch for web sites.
func NewCertificate(anchorsPEM [][]byte) (*Certificate, error) {
	c := &Certificate{roots: x509.NewCertPool(), others: x509.NewCertPool(), now: time.Now}
	for _, b := range anchorsPEM {
		certs, err := ParseCertificates(b)
		if err != nil {
			return nil, err
		}
		c.anchors = append(c.anchors, certs...)
	}
	if len(c.anchors) == 0 {
		return nil, refuse(ErrConfig, "no certificate to trust was given")
	}
	rooted := false
	for _, a := range c.anchors {
		if selfSigned(a) {
			c.roots.AddCert(a)
			rooted = true
		} else {
			c.others.AddCert(a)
		}
	}
	if !rooted {
		return nil, refuse(ErrConfig, "no self-signed (root) certificate is among those to trust: %s was issued by %s, which is needed too",
			Subject(c.anchors[0]), issuer(c.anchors[0]))
	}
	return c, nil
}

// Method returns [oms.MaterialCertificate].
func (c *Certificate) Method() oms.Material { return oms.MaterialCertificate }

// Verify checks that a certificate for signing, issued by way of a trusted root, signed the bundle's payload. All of the chain
// has to be valid at the time that counts: the earliest that a believed timestamp of the signature tells, or else now.
// Certificates in the bundle are intermediates at most; its first one is the signer's.
func (c *Certificate) Verify(ctx context.Context, b *oms.Bundle) (*Signer, error) {
	if err := checkMethod(c, b); err != nil {
		return nil, err
	}
	chain, err := parseChain(b)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	public, err := SigningKey(leaf)
	if err != nil {
		return nil, err
	}
	at, doubt, err := c.Timestamps.earliest(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := c.checkChain(leaf, chain[1:], cmp.Or(at, c.now())); err != nil {
		return nil, timeless(err, at, doubt)
	}
	if err := CheckUsage(leaf); err != nil {
		return nil, err
	}
	// Signers before 1.0 hashed with SHA-256 here, whatever the curve.
	if !signed(public, b, crypto.SHA256) {
		return nil, refuse(ErrSignature, "signature does not match the payload and the certificate %s: one of them was changed", Subject(leaf))
	}
	if err := checkPayloadType(b); err != nil {
		return nil, err
	}
	return &Signer{Method: c.Method().String(), Identity: subjectName(leaf), Issuer: leaf.Issuer.String(),
		Fingerprint: Fingerprint(leaf), Key: KeyID(KeyHint(public)), Time: at, LogIndex: -1}, nil
}

// timeless adds to the error about a certificate that is not valid at a time how it was come by that time.
func timeless(err error, at time.Time, doubt error) error {
	switch {
	case !errors.Is(err, ErrExpired):
		return err
	case !at.IsZero():
		return refuse(ErrExpired, "%w, and the signature was timestamped on %s", err, at.UTC().Format(timeLayout))
	case doubt != nil:
		return refuse(ErrExpired, "%w, and %w", err, doubt)
	}
	return err
}

// checkChain checks that leaf leads to a trusted root, everything on the way being valid at a time.
func (c *Certificate) checkChain(leaf *x509.Certificate, bundled []*x509.Certificate, at time.Time) error {
	intermediates := c.others.Clone()
	for _, b := range bundled {
		intermediates.AddCert(b)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: intermediates, CurrentTime: at,
		// CheckUsage has the format's rule, which differs from Go's: any chain will do here.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err == nil {
		return nil
	}
	path, broken := c.follow(leaf, bundled)
	if broken != "" {
		return refuse(ErrUntrusted, "certificate %s is not trusted: %s", Subject(leaf), broken)
	}
	for _, cert := range path {
		if err := CheckValidity(cert, at); err != nil {
			return err
		}
	}
	return refuse(ErrUntrusted, "certificate %s is not trusted: %s", Subject(leaf), plain.Line(err.Error()))
}

// follow goes from leaf to a trusted root, by signatures alone, to explain why a chain was refused: by the certificate on the
// way that has expired, or by where the way ends.
func (c *Certificate) follow(leaf *x509.Certificate, bundled []*x509.Certificate) (path []*x509.Certificate, broken string) {
	cert := leaf
	for range len(bundled) + len(c.anchors) + 1 {
		path = append(path, cert)
		if selfSigned(cert) {
			if !slices.ContainsFunc(c.anchors, cert.Equal) {
				broken = "its root " + Subject(cert) + " is not among the trusted certificates"
			}
			break
		}
		parent := issuerOf(cert, c.anchors)
		if parent == nil {
			parent = issuerOf(cert, bundled)
		}
		named := func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, cert.RawIssuer) }
		if parent == nil && (slices.ContainsFunc(c.anchors, named) || slices.ContainsFunc(bundled, named)) {
			broken = Subject(cert) + " names " + issuer(cert) + " as its issuer, but no certificate of that name has, or may have, issued it"
			break
		}
		if parent == nil {
			broken = "the certificate of " + issuer(cert) + " that issued " + Subject(cert) + " is neither in the bundle nor among the trusted ones"
			break
		}
		cert = parent
	}
	return path, broken
}
