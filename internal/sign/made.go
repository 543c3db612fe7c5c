package sign

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Made says whether the bundle was signed with this key, and has the timestamps
// that are asked for.
func (k *Key) Made(ctx context.Context, b *oms.Bundle) bool {
	if !k.stamped(b) {
		return false
	}
	own, err := verify.NewKey(verify.EncodePublicKey(k.Public()))
	if err != nil {
		return false
	}
	_, err = own.Verify(ctx, b)
	return err == nil
}

// stamped says whether a bundle has as many timestamps as there are authorities
// to ask.
func (k *Key) stamped(b *oms.Bundle) bool {
	good := 0
	for _, der := range b.Timestamps {
		if _, err := verify.CheckTimestamp(der, b.Signature); err == nil {
			good++
		}
	}
	return good >= len(k.TimestampURLs)
}

// Made says whether the bundle was signed with this certificate, names the same
// chain, and has the timestamps that are asked for.
func (c *Certificate) Made(_ context.Context, b *oms.Bundle) bool {
	if !c.key.stamped(b) {
		return false
	}
	if b.Material != oms.MaterialCertificate || len(b.Certificates) != len(c.chain) {
		return false
	}
	for i, cert := range c.chain {
		if !bytes.Equal(b.Certificates[i], cert.Raw) {
			return false
		}
	}
	hash, _ := verify.Hash(c.key.Public())
	h := hash.New()
	h.Write(oms.PAE(b.PayloadType, b.Payload))
	return ecdsa.VerifyASN1(c.key.Public(), h.Sum(nil), b.Signature)
}

// Made says whether the bundle was signed by the identity that the token names,
// as the instance's own trusted root has it; to know that, somebody may have to
// sign in. Where the certificate's names follow from the token by rules of the
// instance's own, the answer is no: signing again is never wrong.
func (s *Sigstore) Made(ctx context.Context, b *oms.Bundle) bool {
	if b.Material != oms.MaterialSigstore {
		return false
	}
	leaf, err := x509.ParseCertificate(b.Certificates[0])
	if err != nil {
		return false
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return false
	}
	token, err := s.identify(ctx)
	if err != nil {
		return false // and signing will say so
	}
	identity, issuer := token.Certificate()
	if identity == "" || summary.SubjectAlternativeName != identity || summary.Issuer != issuer {
		return false
	}
	verifier, err := verify.NewSigstore(verify.SigstoreOptions{Identity: identity, Issuer: issuer, Instance: s.instance})
	if err != nil {
		return false
	}
	_, err = verifier.Verify(ctx, b)
	return err == nil
}
