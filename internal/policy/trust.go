package policy

import (
	"fmt"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Trust names the signers to believe. Any one of them is enough.
type Trust struct {
	// PublicKeys are files with one PEM public key each.
	PublicKeys []string
	// CertificateChain are files with PEM certificates that anchor a chain.
	CertificateChain []string
	// TimestampChain are files with the PEM certificates of one timestamp
	// authority each, who is believed about when a signature was made.
	TimestampChain []string
	// Identities are Sigstore signers.
	Identities []verify.Identity
	// TrustedRoot or TrustConfig is a file that says which Sigstore instance to
	// believe, its timestamp authorities among the rest; where both are empty it is the public one, or the staging one.
	TrustedRoot, TrustConfig string
	Staging                  bool
	// CacheDir is where metadata of Sigstore instances is kept.
	CacheDir string
}

// Empty says whether t trusts nobody.
func (t Trust) Empty() bool {
	return len(t.PublicKeys) == 0 && len(t.CertificateChain) == 0 && len(t.Identities) == 0
}

// size is how many different signers t names, and whether that is all there can be:
// a certificate authority or an expression stands for any number.
func (t Trust) size() (n int, bounded bool) {
	bounded = len(t.CertificateChain) == 0
	seen := map[string]bool{}
	for _, file := range t.PublicKeys {
		seen[file] = true
	}
	for _, i := range t.Identities {
		seen[strings.ToLower(i.ID+" "+i.Issuer)] = true
		bounded = bounded && i.ID != "" && i.Issuer != ""
	}
	return len(seen), bounded
}

// Verifiers are the verifiers of every signer that t names, or ErrNoTrust.
func (t Trust) Verifiers() ([]verify.Verifier, error) {
	if t.Empty() {
		return nil, ErrNoTrust
	}
	timestamps, err := t.timestamps()
	if err != nil {
		return nil, err
	}
	var out []verify.Verifier
	for _, file := range t.PublicKeys {
		pem, err := readFile(file, "public key")
		if err != nil {
			return nil, err
		}
		v, err := verify.NewKey(pem)
		if err != nil {
			return nil, fmt.Errorf("%w: public key %q: %w", ErrConfig, file, err)
		}
		v.Timestamps = timestamps
		out = append(out, v)
	}
	if len(t.CertificateChain) > 0 {
		v, err := t.certificate()
		if err != nil {
			return nil, err
		}
		v.Timestamps = timestamps
		out = append(out, v)
	}
	if len(t.Identities) > 0 {
		v, err := t.sigstore()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// timestamps are the authorities to believe, beside those of a Sigstore instance
// that is named by a file.
func (t Trust) timestamps() (*verify.TimestampAuthorities, error) {
	if len(t.PublicKeys) == 0 && len(t.CertificateChain) == 0 {
		return nil, nil // a Sigstore instance has its own
	}
	var instance *sigstore.Instance
	if t.TrustedRoot != "" || t.TrustConfig != "" {
		o, err := t.Sigstore()
		if err != nil {
			return nil, err
		}
		if instance, err = sigstore.Open(sigstore.Options{TrustedRoot: o.TrustedRoot, TrustConfig: o.TrustConfig}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	var chains [][]byte
	for _, file := range t.TimestampChain {
		pem, err := readFile(file, "timestamp authority's certificates")
		if err != nil {
			return nil, err
		}
		if _, err := verify.NewTimestampAuthorities([][]byte{pem}, nil); err != nil {
			return nil, fmt.Errorf("%w: timestamp authority's certificates %q: %w", ErrConfig, file, err)
		}
		chains = append(chains, pem)
	}
	return verify.NewTimestampAuthorities(chains, instance)
}

func (t Trust) certificate() (*verify.Certificate, error) {
	var anchors [][]byte
	for _, file := range t.CertificateChain {
		pem, err := readFile(file, "certificate chain")
		if err != nil {
			return nil, err
		}
		anchors = append(anchors, pem)
	}
	v, err := verify.NewCertificate(anchors)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate chain %q: %w", ErrConfig, t.CertificateChain, err)
	}
	return v, nil
}

func (t Trust) sigstore() (verify.Verifier, error) {
	for _, i := range t.Identities {
		if i.ID == "" && i.Regexp == "" || i.Issuer == "" && i.IssuerRegexp == "" {
			return nil, fmt.Errorf("%w: a Sigstore signer needs both --identity and --identity-provider, or modelsign.identity and modelsign.identityProvider", ErrConfig)
		}
	}
	o, err := t.Sigstore()
	if err != nil {
		return nil, err
	}
	o.Identities = t.Identities
	v, err := verify.NewSigstore(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return v, nil
}

// Sigstore names the Sigstore instance to believe, and no signer.
func (t Trust) Sigstore() (verify.SigstoreOptions, error) {
	o := verify.SigstoreOptions{Staging: t.Staging, CacheDir: t.CacheDir}
	var err error
	if t.TrustedRoot != "" {
		if o.TrustedRoot, err = readFile(t.TrustedRoot, "trusted root"); err != nil {
			return o, err
		}
	}
	if t.TrustConfig != "" {
		o.TrustConfig, err = readFile(t.TrustConfig, "trust config")
	}
	return o, err
}

// readFile reads a file that the user named.
func readFile(name, what string) ([]byte, error) {
	b, err := bounded.ReadInput(name)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the %s: %w", ErrConfig, what, err)
	}
	return b, nil
}
