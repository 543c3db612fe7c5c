package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// timeLayout is how errors give times: to the minute, in UTC.
const timeLayout = "2006-01-02 15:04 UTC"

// byteArray is how sigstore-go prints hashes, among words.
var byteArray = regexp.MustCompile(`\[\d+( \d+){15,}\]`)

// reason condenses an error of sigstore-go to a line.
func reason(err error) string {
	text := strings.TrimSuffix(err.Error(), "; error: %!w(<nil>)") // where there is no timestamp at all
	return plain.Line(byteArray.ReplaceAllString(text, "[…]"))
}

// diagnose finds the reason for which sigstore-go refused a bundle. It takes the same steps one by one, in the order in which
// a person would ask, and stops at the first that fails; it never turns a refusal into anything else.
func (s *Sigstore) diagnose(entity *bundle.Bundle, b *oms.Bundle, trusted *root.TrustedRoot, v *verify.Verifier, refused error) error {
	certs, err := parseChain(b)
	if err != nil {
		return err
	}
	cert := certs[0]
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok && !signed(key, b, crypto.SHA256) {
		return refuse(ErrSignature, "signature does not match the payload and the certificate of %s: one of them was changed", Subject(cert))
	}
	chains, err := verify.VerifyLeafCertificate(cert.NotBefore, cert, trusted)
	if err != nil {
		return refuse(ErrUntrusted, "certificate of %s was issued by %s, which is no authority of %s", Subject(cert), issuer(cert), s.instance)
	}
	logged, err := v.VerifyTransparencyLogInclusion(entity)
	if err != nil && strings.Contains(err.Error(), "integrated time outside certificate validity") {
		return refuse(ErrExpired, "signature was logged at a time when its certificate was not valid, which was from %s to %s",
			cert.NotBefore.UTC().Format(timeLayout), cert.NotAfter.UTC().Format(timeLayout))
	}
	if err != nil {
		return refuse(ErrLog, "signature is not proven to be in the transparency log: %s", reason(err))
	}
	times, err := v.VerifyObserverTimestamps(entity, logged)
	if err != nil {
		return refuse(ErrLog, "no trusted timestamp says when the signature was made: %s", reason(err))
	}
	for _, t := range times {
		if CheckValidity(cert, t.Timestamp) != nil {
			return refuse(ErrExpired, "signature was made on %s, its certificate was valid from %s to %s",
				t.Timestamp.UTC().Format(timeLayout), cert.NotBefore.UTC().Format(timeLayout), cert.NotAfter.UTC().Format(timeLayout))
		}
	}
	if len(trusted.CTLogs()) > 0 {
		if err := verify.VerifySignedCertificateTimestamp(chains, 1, trusted); err != nil {
			return refuse(ErrLog, "certificate is not proven to be in a certificate transparency log: %s", reason(err))
		}
	}
	if err := checkWhole(entity, b); err != nil {
		return err
	}
	var mismatch *verify.ErrNoMatchingCertificateIdentity
	if errors.As(refused, &mismatch) {
		return s.otherIdentity(cert)
	}
	return refuse(ErrUntrusted, "signature is not accepted: %s", reason(refused))
}

// otherIdentity says who did sign. It may be said, as everything but the identity has been verified.
func (s *Sigstore) otherIdentity(cert *x509.Certificate) error {
	expected := make([]string, len(s.identities))
	for i, identity := range s.identities {
		expected[i] = identity.String()
	}
	found, err := certificate.SummarizeCertificate(cert)
	if err != nil {
		return refuse(ErrIdentity, "certificate names no identity, expected %s", strings.Join(expected, " or "))
	}
	return refuse(ErrIdentity, "signed by %s, expected %s",
		Identity{ID: found.SubjectAlternativeName, Issuer: found.Issuer}, strings.Join(expected, " or "))
}
