// Package verifytest makes what tests of signatures need beside keys: certificate authorities, and a Sigstore instance that
// lives in the test's memory. Only tests import it.
package verifytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Authority is a certificate authority.
type Authority struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// NewRoot makes a root, valid since yesterday and for a year.
func NewRoot(t testing.TB, name string) *Authority {
	t.Helper()
	key := NewKey(t, elliptic.P256())
	template := authority(name)
	return &Authority{create(t, template, template, key, key), key}
}

// Intermediate makes an authority that a issued. The edits change it before it is issued.
func (a *Authority) Intermediate(t testing.TB, name string, edits ...func(*x509.Certificate)) *Authority {
	t.Helper()
	key := NewKey(t, elliptic.P256())
	template := authority(name)
	for _, edit := range edits {
		edit(template)
	}
	return &Authority{create(t, template, a.Certificate, key, a.Key), key}
}

// Issue makes a signing certificate for a key: key usage digitalSignature, valid since yesterday and for a year. The edits
// change it before it is issued.
func (a *Authority) Issue(t testing.TB, name string, key *ecdsa.PrivateKey, edits ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := template(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	for _, edit := range edits {
		edit(template)
	}
	return create(t, template, a.Certificate, key, a.Key)
}

// NewKey makes a key.
func NewKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PEM encodes certificates one after the other.
func PEM(certs ...*x509.Certificate) (b []byte) {
	for _, cert := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return b
}

// DER returns the bytes of certificates, as bundles hold them.
func DER(certs ...*x509.Certificate) (chain [][]byte) {
	for _, cert := range certs {
		chain = append(chain, cert.Raw)
	}
	return chain
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(1, 0, 0),
	}
}

func authority(name string) *x509.Certificate {
	c := template(name)
	c.KeyUsage, c.BasicConstraintsValid, c.IsCA = x509.KeyUsageCertSign, true, true
	return c
}

func create(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	cert, err := newCertificate(template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newCertificate(template, parent *x509.Certificate, key *ecdsa.PublicKey, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Sign signs a message with SHA-256.
func Sign(t testing.TB, key *ecdsa.PrivateKey, message []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
