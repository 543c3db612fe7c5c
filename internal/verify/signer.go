package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Signer is who made a signature that was accepted. Its strings are as they were signed and may hold any character; String
// is safe to print.
type Signer struct {
	// Method is how the signature was made: "key", "certificate" or "sigstore".
	Method string
	// Identity is the key's fingerprint as by [KeyID], the signing certificate's subject, or the Sigstore identity: an
	// email address or a URI.
	Identity string
	// Issuer is the signing certificate's issuer, or the URL of the identity provider that vouched for a Sigstore identity.
	Issuer string
	// Fingerprint is the key's fingerprint again, or "SHA256:" and the hex SHA-256 of the signing certificate.
	Fingerprint string
	// Time is when the signature was made, as a trusted log or timestamp says; zero where nobody but the signer could say.
	Time time.Time
	// LogIndex is the signature's place in the transparency log, -1 if it is in none that was checked.
	LogIndex int64
	// Key is the fingerprint of the signer's public key; "" for a Sigstore identity, which has a new key for each signature.
	Key string
	// Workflow is what a Sigstore certificate says of the job that signed; the zero Workflow where it was none.
	Workflow Workflow
}

// Same says whether two signers are one as far as can be told: by their key, or by their name and who vouches for it. A name that
// differs by case only is the same.
func (s *Signer) Same(other *Signer) bool {
	if s.Key != "" && s.Key == other.Key {
		return true
	}
	return s.Method == other.Method && strings.EqualFold(s.Identity, other.Identity) && strings.EqualFold(s.Issuer, other.Issuer)
}

// Distinct sorts signers into those that are the same: it returns for each the index of the first that is the same, by way of
// others too, and how many different ones there are.
func Distinct(signers []*Signer) (first []int, n int) {
	first = make([]int, len(signers))
	for i, s := range signers {
		first[i] = i
		for j := range i {
			if s.Same(signers[j]) {
				merge(first[:i+1], first[i], first[j])
			}
		}
	}
	for i, f := range first {
		if f == i {
			n++
		}
	}
	return first, n
}

// merge makes two sets one, that is known by the lower of their numbers.
func merge(sets []int, a, b int) {
	for i, set := range sets {
		if set == a || set == b {
			sets[i] = min(a, b)
		}
	}
}

// String describes the signer in one printable line.
func (s *Signer) String() string {
	switch s.Method {
	case oms.MaterialKey.String():
		return "key " + plain.Name(s.Identity) + s.timestamped()
	case oms.MaterialCertificate.String():
		return fmt.Sprintf("certificate %s, issued by %s, fingerprint %s", plain.Name(s.Identity), plain.Name(s.Issuer), s.Fingerprint) + s.timestamped()
	}
	text := fmt.Sprintf("%s (%s)", plain.Name(s.Identity), plain.Name(s.Issuer))
	if !s.Time.IsZero() {
		text += s.Time.UTC().Format(", logged 2006-01-02 15:04 UTC")
	}
	if s.LogIndex >= 0 {
		text += fmt.Sprintf(", index %d", s.LogIndex)
	}
	return text
}

// timestamped says when a signature without a log was there, if that is known.
func (s *Signer) timestamped() string {
	if s.Time.IsZero() {
		return ""
	}
	return s.Time.UTC().Format(", timestamped 2006-01-02 15:04 UTC")
}
