package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// maker is a Signer that knows its own signatures.
type maker interface {
	Signer
	Made(ctx context.Context, b *oms.Bundle) bool
}

// TestMade holds each signer to bundles of its own, of the others, and to its own with another payload.
func TestMade(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := verifytest.NewRoot(t, "root")
	private := make(map[*Key]*ecdsa.PrivateKey)
	newKey := func() *Key {
		ec := verifytest.NewKey(t, elliptic.P256())
		der, err := x509.MarshalPKCS8PrivateKey(ec)
		if err != nil {
			t.Fatal(err)
		}
		key, err := NewKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil)
		if err != nil {
			t.Fatal(err)
		}
		private[key] = ec
		return key
	}
	newCertificate := func(key *Key, chain ...[]byte) *Certificate {
		c, err := NewCertificate(key, verifytest.PEM(root.Issue(t, "signer", private[key])), chain)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	newIdentity := func(identity, issuer string) *Sigstore {
		claims := fmt.Sprintf(`{"iss":%q,"aud":"sigstore","sub":"1","email":%q,"email_verified":true,"exp":%d}`, issuer, identity, time.Now().Add(time.Hour).Unix())
		return newSigstore(t, SigstoreOptions{Token: given(token(claims)), TrustedRoot: instance.TrustedRoot(t, false)}).at(instance.Signer(t, identity, issuer))
	}
	key := newKey()
	makers := []maker{
		key, newKey(),
		newCertificate(key), newCertificate(key, verifytest.PEM(root.Certificate)), newCertificate(newKey()),
		newIdentity(alice, issuer), newIdentity("bob@example.com", issuer), newIdentity(alice, "https://other.test"),
	}
	for i, m := range makers {
		b, err := m.Sign(t.Context(), statement(t))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := oms.ParseBundle(b)
		if err != nil {
			t.Fatal(err)
		}
		for j, other := range makers {
			if got := other.Made(t.Context(), parsed); got != (i == j) {
				t.Errorf("signer %d says of what signer %d made: %v", j, i, got)
			}
		}
		parsed.Payload = []byte("{}")
		if m.Made(t.Context(), parsed) {
			t.Errorf("signer %d takes another payload for its own", i)
		}
	}
}
