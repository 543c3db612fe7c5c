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
// the signature that is there: it is that one where the same authority has signed
// both. Anybody can put a timestamp of their own into a bundle. Where an authority does
// not answer, as many timestamps as are asked for are taken to be theirs: an unchanged
// model needs no network.
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
	if k.unasked = err; err != nil {
		return len(by) >= len(k.TimestampURLs)
	}
	return !slices.ContainsFunc(stamps, func(s stamp) bool {
		return !slices.ContainsFunc(by, func(c *x509.Certificate) bool { return sameAuthority(c, s.by) })
	})
}

// Unasked is the error of a timestamp authority that did not answer when [Key.Made]
// asked whether a timestamp that is there is its own; nil if there was none.
func (k *Key) Unasked() error { return k.unasked }

// Unasked is [Key.Unasked] of the certificate's key.
func (c *Certificate) Unasked() error { return c.key.unasked }

// sameAuthority says whether two certificates are one authority's: it may sign with
// several, and with another one after a while, that were issued by the same key.
func sameAuthority(a, b *x509.Certificate) bool {
	return a.Equal(b) || len(a.AuthorityKeyId) > 0 && bytes.Equal(a.RawIssuer, b.RawIssuer) && bytes.Equal(a.AuthorityKeyId, b.AuthorityKeyId)
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
