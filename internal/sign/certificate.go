package sign

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Certificate signs with a private key and puts a certificate chain into the bundle. Make it with NewCertificate.
type Certificate struct {
	key   *Key
	chain []*x509.Certificate // leaf first
	now   func() time.Time
}

// NewCertificate joins a private key with its certificate: the first in leafPEM. Further certificates of that file, and then
// those of chainPEM in the order given, are put into bundles behind it, so that verifiers find the way to their roots; what
// is given more than once is put there once. The leaf has to be for signing and valid now, as verifiers will ask.
func NewCertificate(key *Key, leafPEM []byte, chainPEM [][]byte) (*Certificate, error) {
	c := &Certificate{key: key, now: time.Now}
	for i, b := range slices.Concat([][]byte{leafPEM}, chainPEM) {
		certs, err := verify.ParseCertificates(b)
		switch {
		case err != nil && i == 0:
			return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
		case err != nil:
			return nil, fmt.Errorf("%w: certificate chain, file %d: %w", ErrCertificate, i, err)
		}
		for _, cert := range certs {
			if !slices.ContainsFunc(c.chain, cert.Equal) {
				c.chain = append(c.chain, cert)
			}
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// check holds the leaf to what verifiers ask of it.
func (c *Certificate) check() error {
	leaf := c.chain[0]
	public, err := verify.SigningKey(leaf)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if !public.Equal(c.key.Public()) {
		return fmt.Errorf("%w: certificate %s is for key %s, the private key is %s",
			ErrMismatch, verify.Subject(leaf), verify.KeyID(verify.KeyHint(public)), c.key.ID())
	}
	if err := verify.CheckUsage(leaf); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if err := verify.CheckValidity(leaf, c.now()); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}

// Describe names the certificate by its subject.
func (c *Certificate) Describe() string { return "certificate " + verify.Subject(c.chain[0]) }

// Sign returns a bundle that holds the certificates.
func (c *Certificate) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := verify.CheckValidity(c.chain[0], c.now()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err) // hashing a model takes time
	}
	signature, err := c.key.sign(ctx, payload)
	if err != nil {
		return nil, err
	}
	stamps, err := c.key.stamps(ctx, signature, c.chain[0])
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for _, cert := range c.chain {
		chain = append(chain, cert.Raw)
	}
	return oms.EncodeBundle(oms.Bundle{
		Material: oms.MaterialCertificate, Certificates: chain, Timestamps: encoded(stamps),
		PayloadType: oms.PayloadType, Payload: payload, Signature: signature,
	})
}
