package sign

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Made says whether the bundle was signed with this key.
func (k *Key) Made(ctx context.Context, b *oms.Bundle) bool {
	own, err := verify.NewKey(verify.EncodePublicKey(k.Public()))
	if err != nil {
		return false
	}
	_, err = own.Verify(ctx, b)
	return err == nil
}

// Made says whether the bundle was signed with this certificate and names the
// same chain.
func (c *Certificate) Made(_ context.Context, b *oms.Bundle) bool {
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
// as the instance's own trusted root has it. Where the provider's name in the
// certificate is another than in the token, as with federated providers, the
// answer is no: signing again is never wrong.
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
	identity, issuer := claimed(s.token)
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

// claimed is whom a token that checkToken accepted names, and who says so; both
// are empty where that cannot be told.
func claimed(token string) (identity, issuer string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", ""
	}
	if identity, err = oauthflow.SubjectFromUnverifiedToken(payload); err != nil {
		return "", ""
	}
	return identity, claims.Issuer
}
