package sign

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Made says whether the bundle was signed with this key, and has the timestamps
// that are asked for.
func (k *Key) Made(ctx context.Context, b *oms.Bundle) bool {
	own, err := verify.NewKey(verify.EncodePublicKey(k.Public()))
	if err != nil {
		return false
	}
	_, err = own.Verify(ctx, b)
	return err == nil && k.stamped(ctx, b)
}

// stamped says whether a bundle has a timestamp by each of the authorities to ask.
// Which one is at a URL only its answers say, so each is asked for a timestamp of
// the signature that is there: it is that one where both are signed with the same
// certificate. Anybody can put a timestamp of their own into a bundle.
func (k *Key) stamped(ctx context.Context, b *oms.Bundle) bool {
	if len(k.TimestampURLs) == 0 {
		return true
	}
	var by []*x509.Certificate
	for _, der := range b.Timestamps {
		if signer, _, err := verify.CheckTimestamp(der, b.Signature); err == nil {
			by = append(by, signer)
		}
	}
	if len(by) == 0 {
		return false
	}
	stamps, err := k.stamps(ctx, b.Signature, nil)
	return err == nil && !slices.ContainsFunc(stamps, func(s stamp) bool { return !slices.ContainsFunc(by, s.by.Equal) })
}

// Made says whether the bundle was signed with this certificate, names the same
// chain, and has the timestamps that are asked for.
func (c *Certificate) Made(ctx context.Context, b *oms.Bundle) bool {
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
	return ecdsa.VerifyASN1(c.key.Public(), h.Sum(nil), b.Signature) && c.key.stamped(ctx, b)
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
