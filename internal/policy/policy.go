// Package policy decides who may sign a model: from the command line, or else
// from the user's git config, never from anything that came with the model.
//
// The keys are modelsign.<name> for every model and modelsign.<url>.<name> for
// repositories cloned from a URL; git's own URL matching chooses between them.
package policy

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// ErrNoTrust says that nothing tells whom to believe.
var ErrNoTrust = errors.New("no trusted signer is configured")

// ErrConfig says that what is configured cannot be used.
var ErrConfig = errors.New("trust is not configured properly")

// Trust names the signers to believe. Any one of them is enough.
type Trust struct {
	// PublicKeys are files with one PEM public key each.
	PublicKeys []string
	// CertificateChain are files with PEM certificates that anchor a chain.
	CertificateChain []string
	// Identity and Issuer name a Sigstore signer; both or neither.
	Identity, Issuer string
	// TrustedRoot or TrustConfig is a file that says which Sigstore instance to
	// believe; where both are empty it is the public one, or the staging one.
	TrustedRoot, TrustConfig string
	Staging                  bool
	// CacheDir is where metadata of Sigstore instances is kept.
	CacheDir string
}

// Empty says whether t trusts nobody.
func (t Trust) Empty() bool {
	return len(t.PublicKeys) == 0 && len(t.CertificateChain) == 0 && t.Identity == "" && t.Issuer == ""
}

// FromConfig reads the trust that config holds. The function get returns the
// values of modelsign.<name>, matched by URL, the last one the strongest; files
// must be absolute, because a relative path could name a file in the clone.
func FromConfig(get func(name string) []string) (Trust, error) {
	last := func(name string) string {
		values := get(name)
		if len(values) == 0 {
			return ""
		}
		return values[len(values)-1]
	}
	t := Trust{
		PublicKeys: nonEmpty(get("publickey")), CertificateChain: nonEmpty(get("certificatechain")),
		Identity: last("identity"), Issuer: last("identityprovider"),
		TrustedRoot: last("trustedroot"), TrustConfig: last("trustconfig"),
	}
	if v := last("usestaging"); v != "" {
		staging, err := parseBool(v)
		if err != nil {
			return Trust{}, fmt.Errorf("%w: modelsign.useStaging: %w", ErrConfig, err)
		}
		t.Staging = staging
	}
	for key, files := range map[string][]string{
		"publicKey": t.PublicKeys, "certificateChain": t.CertificateChain,
		"trustedRoot": {t.TrustedRoot}, "trustConfig": {t.TrustConfig},
	} {
		for _, f := range files {
			if f != "" && !filepath.IsAbs(f) {
				return Trust{}, fmt.Errorf("%w: modelsign.%s is %q, expected an absolute path or one that begins with ~/", ErrConfig, key, f)
			}
		}
	}
	return t, nil
}

func nonEmpty(values []string) []string {
	var out []string
	for _, v := range values {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// parseBool reads a boolean as git config spells it.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return false, fmt.Errorf("expected true or false, found %q", s)
	}
	return b, nil
}

// Verifiers are the verifiers of every signer that t names, or ErrNoTrust.
func (t Trust) Verifiers() ([]verify.Verifier, error) {
	if t.Empty() {
		return nil, ErrNoTrust
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
		out = append(out, v)
	}
	if len(t.CertificateChain) > 0 {
		v, err := t.certificate()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if t.Identity != "" || t.Issuer != "" {
		v, err := t.sigstore()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (t Trust) certificate() (verify.Verifier, error) {
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
	if t.Identity == "" || t.Issuer == "" {
		return nil, fmt.Errorf("%w: a Sigstore signer needs both --identity and --identity-provider, or modelsign.identity and modelsign.identityProvider", ErrConfig)
	}
	o := verify.SigstoreOptions{Identity: t.Identity, Issuer: t.Issuer, Staging: t.Staging, CacheDir: t.CacheDir}
	var err error
	if t.TrustedRoot != "" {
		if o.TrustedRoot, err = readFile(t.TrustedRoot, "trusted root"); err != nil {
			return nil, err
		}
	}
	if t.TrustConfig != "" {
		if o.TrustConfig, err = readFile(t.TrustConfig, "trust config"); err != nil {
			return nil, err
		}
	}
	v, err := verify.NewSigstore(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return v, nil
}

// maxFile bounds a file of keys, certificates or trusted roots, in bytes.
const maxFile = 16 << 20

// readFile reads a file that the user named.
func readFile(name, what string) ([]byte, error) {
	b, err := bounded.ReadFile(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the %s: %w", ErrConfig, what, err)
	}
	return b, nil
}

// HowTo tells how to say whom to believe, for the repositories of one URL
// where one is known.
func HowTo(url string) string {
	key := "modelsign."
	if url != "" {
		key += url + "."
	}
	return "with a key:      git config --global " + key + "publicKey ~/keys/maintainer.pub\n" +
		"with Sigstore:   git config --global " + key + "identity maintainer@example.com\n" +
		"                 git config --global " + key + "identityProvider https://accounts.google.com\n" +
		"only this once:  git model-sign verify --public-key FILE, or --identity ID --identity-provider URL"
}
