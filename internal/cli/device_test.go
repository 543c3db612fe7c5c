package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"
)

// TestOwnCertificate has certificates in every order that a token may list them in:
// of a key that is certified anew each year, and of authorities.
func TestOwnCertificate(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, authority := newKey(), newKey()
	made := map[string][]byte{"junk": []byte("junk")}
	for name, c := range map[string]struct {
		of       *ecdsa.PrivateKey
		from, to int // days from now
		usage    x509.KeyUsage
	}{
		"expired":      {key, -700, -335, x509.KeyUsageDigitalSignature},
		"older":        {key, -900, -535, x509.KeyUsageDigitalSignature},
		"now":          {key, -365, 1, x509.KeyUsageDigitalSignature},
		"renewed":      {key, -10, 355, x509.KeyUsageDigitalSignature},
		"future":       {key, 1, 366, x509.KeyUsageDigitalSignature},
		"encryption":   {key, -1, 999, x509.KeyUsageKeyEncipherment},
		"intermediate": {authority, -9999, 9999, x509.KeyUsageCertSign},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(len(made))), Subject: pkix.Name{CommonName: name}, KeyUsage: c.usage,
			NotBefore: now.AddDate(0, 0, c.from), NotAfter: now.AddDate(0, 0, c.to)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, c.of.Public(), authority)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = der
	}
	names := func(certificates [][]byte) []string {
		var out []string
		for _, der := range certificates {
			for name, other := range made {
				if slices.Equal(der, other) {
					out = append(out, name)
				}
			}
		}
		return out
	}
	for _, c := range []struct{ there, want []string }{
		{[]string{"now"}, []string{"now"}},
		{[]string{"expired", "now"}, []string{"now"}},
		{[]string{"expired", "now", "renewed", "future", "encryption", "intermediate"}, []string{"renewed", "intermediate"}},
		{[]string{"expired", "older", "intermediate"}, []string{"expired", "intermediate"}},
		{[]string{"encryption", "expired"}, []string{"expired"}},
		{[]string{"intermediate"}, []string{"intermediate"}},
		{[]string{"junk", "now"}, []string{"now", "junk"}},
	} {
		for range len(c.there) {
			c.there = append(c.there[1:], c.there[0])
			var found [][]byte
			for _, name := range c.there {
				found = append(found, made[name])
			}
			if got := names(ownCertificate(found, key.Public(), now)); !slices.Equal(got, c.want) {
				t.Errorf("of %q: %q, want %q", c.there, got, c.want)
			}
		}
	}
}
