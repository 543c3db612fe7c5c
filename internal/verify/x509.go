package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// maxCertificates is how many certificates one PEM file may hold; systems come with some 150 roots.
	maxCertificates = 1000

	// maxRSABits bounds the keys of certificates that come with a bundle: checking a signature by a key of 64 KB, which a
	// bundle could hold, takes seconds, and chain building checks many.
	maxRSABits = 8192
)

// ParseCertificates reads the certificates of a PEM file, in order; other blocks and text are skipped. There is at least one.
func ParseCertificates(b []byte) ([]*x509.Certificate, error) {
	if len(b) > MaxPEMSize {
		return nil, refuse(ErrConfig, "file has %d bytes, the largest that is read has %d", len(b), MaxPEMSize)
	}
	var certs []*x509.Certificate
	var other string
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, refuse(ErrConfig, "certificate %d is not well formed: %s", len(certs)+1, plain.Line(err.Error()))
		}
		if certs = append(certs, cert); len(certs) > maxCertificates {
			return nil, refuse(ErrConfig, "file holds more than %d certificates", maxCertificates)
		}
	}
	switch {
	case len(certs) > 0:
		return certs, nil
	case other != "":
		return nil, refuse(ErrConfig, "expected a PEM block \"CERTIFICATE\", found %s", plain.Quote(other))
	}
	return nil, refuse(ErrConfig, "expected a PEM block \"CERTIFICATE\", found none")
}

// parseChain reads the certificates of a bundle, the signer's first.
func parseChain(b *oms.Bundle) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for i, der := range b.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse(oms.ErrFormat, "certificate %d of the bundle is not well formed: %s", i+1, plain.Line(err.Error()))
		}
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, refuse(oms.ErrFormat, "certificate %d of the bundle has an RSA key of %d bits, at most %d are allowed", i+1, key.N.BitLen(), maxRSABits)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, refuse(oms.ErrFormat, "bundle holds no certificate")
	}
	return chain, nil
}

// SigningKey returns the key of a signing certificate, which the format wants to be ECDSA.
func SigningKey(cert *x509.Certificate) (*ecdsa.PublicKey, error) {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		if _, ok := Hash(key); ok {
			return key, nil
		}
	}
	return nil, refuse(oms.ErrFormat, "certificate %s has a key of type %s, supported are %s", Subject(cert), KeyType(cert.PublicKey), SupportedKeys)
}

// CheckUsage checks that a certificate is for signing (OMS v1.0): its key usage has digitalSignature, or its extended key
// usage codeSigning. The error wraps [ErrUntrusted].
func CheckUsage(cert *x509.Certificate) error {
	if cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		return nil
	}
	for _, u := range cert.ExtKeyUsage {
		if u == x509.ExtKeyUsageCodeSigning {
			return nil
		}
	}
	return refuse(ErrUntrusted, "certificate %s is not for signing: neither its key usage has digitalSignature nor its extended key usage codeSigning", Subject(cert))
}

// CheckValidity checks that a certificate is valid at a time. The error wraps [ErrExpired].
func CheckValidity(cert *x509.Certificate, at time.Time) error {
	switch {
	case at.Before(cert.NotBefore):
		return refuse(ErrExpired, "certificate %s is not valid before %s", Subject(cert), cert.NotBefore.UTC().Format(timeLayout))
	case at.After(cert.NotAfter):
		return refuse(ErrExpired, "certificate %s expired on %s", Subject(cert), cert.NotAfter.UTC().Format(timeLayout))
	}
	return nil
}

// Fingerprint returns "SHA256:" and the hex SHA-256 of a certificate's DER, which openssl prints too.
func Fingerprint(cert *x509.Certificate) string {
	return fingerprint(cert.Raw)
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + hex.EncodeToString(sum[:])
}

// Subject returns the name of a certificate's subject, safe to print.
func Subject(cert *x509.Certificate) string { return plain.Name(subjectName(cert)) }

func issuer(cert *x509.Certificate) string { return plain.Name(cert.Issuer.String()) }

// subjectName returns the subject as an RFC 4514 string, or else an alternative name: one of the two has to be there.
func subjectName(cert *x509.Certificate) string {
	switch {
	case len(cert.Subject.Names) > 0:
		return cert.Subject.String()
	case len(cert.EmailAddresses) > 0:
		return cert.EmailAddresses[0]
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	}
	return fmt.Sprintf("serial number %x", cert.SerialNumber)
}

// selfSigned reports whether a certificate was issued by itself. Equal names do not suffice: real intermediates have issued
// certificates under their own name.
func selfSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) &&
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// issuerOf returns the certificate that issued cert, or nil.
func issuerOf(cert *x509.Certificate, among []*x509.Certificate) *x509.Certificate {
	for _, candidate := range among {
		if bytes.Equal(candidate.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(candidate) == nil {
			return candidate
		}
	}
	return nil
}
