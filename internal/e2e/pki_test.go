package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// writeKeyPair writes a new private key as PKCS #8 and its public key, both PEM.
func writeKeyPair(private, public, curve string) error {
	c, ok := curves[curve]
	if !ok {
		return fmt.Errorf("unknown curve %q", curve)
	}
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		return err
	}
	if err := writePrivateKey(private, key); err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(public, "PUBLIC KEY", der)
}

func writePrivateKey(file string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// An authority is a certificate with its key.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writePKI makes two certificate authorities in dir. Each file NAME.pem is a certificate, with its key in NAME-key.pem:
//
//	root, intermediate, leaf     a chain; the leaf may sign
//	expired                      like leaf, but its time is over
//	future                       like leaf, but its time has not come
//	tls                          like leaf, but for a TLS server: it may neither sign documents nor code
//	other-root, other-leaf       a chain of a stranger
func writePKI(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	p := &pki{dir: dir}
	const day = 24 * time.Hour
	now := time.Now()
	root := p.issue("root", nil, now.Add(-30*day), now.Add(30*day), asAuthority)
	intermediate := p.issue("intermediate", root, now.Add(-30*day), now.Add(30*day), asAuthority)
	p.issue("leaf", intermediate, now.Add(-30*day), now.Add(30*day), asSigner)
	p.issue("expired", intermediate, now.Add(-20*day), now.Add(-10*day), asSigner)
	p.issue("future", intermediate, now.Add(10*day), now.Add(20*day), asSigner)
	p.issue("tls", intermediate, now.Add(-30*day), now.Add(30*day), asServer)
	other := p.issue("other-root", nil, now.Add(-30*day), now.Add(30*day), asAuthority)
	p.issue("other-leaf", other, now.Add(-30*day), now.Add(30*day), asSigner)
	return p.err
}

func asAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func asSigner(c *x509.Certificate) {
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}

func asServer(c *x509.Certificate) {
	c.KeyUsage = x509.KeyUsageKeyEncipherment
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// pki issues certificates until something goes wrong, and then remembers what.
type pki struct {
	dir    string
	serial int64
	err    error
}

// issue makes the certificate and key called name, signed by issuer, or by itself where that is nil.
func (p *pki) issue(name string, issuer *authority, from, to time.Time, purpose func(*x509.Certificate)) *authority {
	if p.err != nil {
		return nil
	}
	a, err := p.make(name, issuer, from, to, purpose)
	if err != nil {
		p.err = fmt.Errorf("issuing %s: %w", name, err)
	}
	return a
}

func (p *pki) make(name string, issuer *authority, from, to time.Time, purpose func(*x509.Certificate)) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(p.serial),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Models Example"}},
		NotBefore:    from,
		NotAfter:     to,
	}
	purpose(template)
	if issuer == nil {
		issuer = &authority{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(p.dir, name+".pem"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return &authority{certificate, key}, writePrivateKey(filepath.Join(p.dir, name+"-key.pem"), key)
}
