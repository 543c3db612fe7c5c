package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// keys are those of the instance, and the files in its folder that the servers read them from.
type keys struct {
	dir                string
	authority          *x509.Certificate   // Fulcio's: fulcio.key, fulcio.pem
	timestamps         []*x509.Certificate // the timestamp authority's, its own first: tsa.key, tsa.pem
	certificates       *ecdsa.PublicKey    // the CT log's: ct.key, ct.pub
	certificatesDER    []byte              // its private key
	log, otherLog      ed25519.PublicKey   // the two Rekors': rekor.key, other.key
	log1               *ecdsa.PublicKey    // Rekor v1's: rekor1.key
	validFrom, validTo time.Time
}

func makeKeys(dir string) (*keys, error) {
	now := time.Now()
	k := &keys{dir: dir, validFrom: now.Add(-time.Hour).Truncate(time.Second), validTo: now.Add(24 * time.Hour)}
	if err := k.makeAuthority(); err != nil {
		return nil, err
	}
	if err := k.makeTimestamps(); err != nil {
		return nil, err
	}
	if err := k.makeLogs(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *keys) makeAuthority() error {
	private, err := k.newKey("fulcio.key")
	if err != nil {
		return err
	}
	root := k.template("Test certificate authority", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	k.authority, err = issue(root, root, private.Public(), private)
	if err != nil {
		return err
	}
	return k.write("fulcio.pem", "CERTIFICATE", k.authority.Raw)
}

// makeTimestamps certifies a key for timestamps and nothing else (RFC 3161, section 2.3).
func (k *keys) makeTimestamps() error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root := k.template("Test timestamp root", x509.KeyUsageCertSign)
	rootCertificate, err := issue(root, root, rootKey.Public(), rootKey)
	if err != nil {
		return err
	}
	private, err := k.newKey("tsa.key")
	if err != nil {
		return err
	}
	leaf := k.template("Test timestamp authority", x509.KeyUsageDigitalSignature)
	leaf.IsCA, leaf.BasicConstraintsValid = false, false
	leaf.ExtraExtensions = []pkix.Extension{{
		Id: []int{2, 5, 29, 37}, Critical: true, // extended key usage: SEQUENCE { id-kp-timeStamping }
		Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08},
	}}
	certificate, err := issue(leaf, rootCertificate, private.Public(), rootKey)
	if err != nil {
		return err
	}
	k.timestamps = []*x509.Certificate{certificate, rootCertificate}
	return k.write("tsa.pem", "CERTIFICATE", certificate.Raw, rootCertificate.Raw)
}

func (k *keys) makeLogs() error {
	private, err := k.newKey("ct.key")
	if err != nil {
		return err
	}
	k.certificates = &private.PublicKey
	if k.certificatesDER, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(k.certificates)
	if err != nil {
		return err
	}
	if err := k.write("ct.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	if k.log, err = k.newLogKey("rekor.key"); err != nil {
		return err
	}
	if k.otherLog, err = k.newLogKey("other.key"); err != nil {
		return err
	}
	private1, err := k.newKey("rekor1.key")
	if err != nil {
		return err
	}
	k.log1 = &private1.PublicKey
	return nil
}

func (k *keys) newKey(name string) (*ecdsa.PrivateKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return private, k.writePrivate(name, private)
}

func (k *keys) newLogKey(name string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return public, k.writePrivate(name, private)
}

func (k *keys) writePrivate(name string, private crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return k.write(name, "PRIVATE KEY", der)
}

// rawEd25519 is the key's 32 bytes, if it is an Ed25519 key.
func rawEd25519(key crypto.PublicKey) ([]byte, bool) {
	raw, ok := key.(ed25519.PublicKey)
	return raw, ok
}

func (k *keys) path(name string) string { return filepath.Join(k.dir, name) }

// write writes PEM blocks of a type.
func (k *keys) write(name, blockType string, ders ...[]byte) error {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})...)
	}
	return os.WriteFile(k.path(name), out, 0o600)
}

// template is the beginning of an authority's certificate.
func (k *keys) template(name string, usage x509.KeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{Organization: []string{"example.com"}, CommonName: name},
		NotBefore: k.validFrom, NotAfter: k.validTo, KeyUsage: usage, IsCA: true, BasicConstraintsValid: true,
	}
}

func issue(template, parent *x509.Certificate, public crypto.PublicKey, private crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, private)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
