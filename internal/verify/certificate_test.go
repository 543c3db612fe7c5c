package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

func certificateVerifier(t testing.TB, anchors ...*x509.Certificate) *verify.Certificate {
	t.Helper()
	v, err := verify.NewCertificate([][]byte{verifytest.PEM(anchors...)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signedBy makes a bundle with a key's signature and a chain.
func signedBy(t *testing.T, key *ecdsa.PrivateKey, chain ...*x509.Certificate) []byte {
	t.Helper()
	return omstest.CertificateBundle(t, key, verifytest.DER(chain...), payload(t))
}

func TestCertificate(t *testing.T) {
	root, other := verifytest.NewRoot(t, "root"), verifytest.NewRoot(t, "other")
	a := root.Intermediate(t, "a")
	b := a.Intermediate(t, "b")
	key := verifytest.NewKey(t, elliptic.P384())
	leaf := b.Issue(t, "signer", key)
	for name, c := range map[string]struct {
		chain   []*x509.Certificate
		anchors []*x509.Certificate
	}{
		"intermediates in the bundle":           {[]*x509.Certificate{leaf, b.Certificate, a.Certificate}, []*x509.Certificate{root.Certificate}},
		"in another order, with the root":       {[]*x509.Certificate{leaf, root.Certificate, a.Certificate, b.Certificate}, []*x509.Certificate{root.Certificate}},
		"intermediates among the anchors":       {[]*x509.Certificate{leaf}, []*x509.Certificate{a.Certificate, root.Certificate, b.Certificate}},
		"one here, one there, unrelated anchor": {[]*x509.Certificate{leaf, b.Certificate}, []*x509.Certificate{other.Certificate, a.Certificate, root.Certificate}},
	} {
		t.Run(name, func(t *testing.T) {
			m, signer, err := verify.Manifest(t.Context(), signedBy(t, key, c.chain...), certificateVerifier(t, c.anchors...))
			if err != nil {
				t.Fatal(err)
			}
			want := verify.Signer{Method: "certificate", Identity: "CN=signer", Issuer: "CN=b", Fingerprint: verify.Fingerprint(leaf), Key: keyID(key), LogIndex: -1}
			if m.ModelName != "model" || *signer != want {
				t.Errorf("manifest %+v, signer %+v, want %+v", m, signer, want)
			}
			if got, want := signer.String(), "certificate CN=signer, issued by CN=b, fingerprint "+verify.Fingerprint(leaf); got != want {
				t.Errorf("signer is %q, want %q", got, want)
			}
		})
	}
}

func TestCertificateUsage(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	key := verifytest.NewKey(t, elliptic.P256())
	for name, c := range map[string]struct {
		usage    x509.KeyUsage
		extended []x509.ExtKeyUsage
		edit     func(*x509.Certificate)
		ok       bool
	}{
		"digitalSignature":               {usage: x509.KeyUsageDigitalSignature, ok: true},
		"codeSigning":                    {extended: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, ok: true},
		"both":                           {usage: x509.KeyUsageDigitalSignature, extended: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, ok: true},
		"codeSigning, another key usage": {usage: x509.KeyUsageKeyAgreement, extended: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, ok: true},
		"an authority that may sign":     {usage: x509.KeyUsageDigitalSignature, edit: func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, ok: true},
		"none":                           {},
		"another key usage":              {usage: x509.KeyUsageKeyAgreement},
		"another extended usage":         {extended: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		"any extended usage":             {extended: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}},
		"an authority for certificates":  {usage: x509.KeyUsageCertSign, edit: func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := root.Issue(t, "signer", key, func(x *x509.Certificate) {
				x.KeyUsage, x.ExtKeyUsage = c.usage, c.extended
				if c.edit != nil {
					c.edit(x)
				}
			})
			bundle := signedBy(t, key, leaf)
			if !c.ok {
				mustRefuse(t, bundle, verify.ErrUntrusted, "CN=signer is not for signing", certificateVerifier(t, root.Certificate))
			} else if _, _, err := verify.Manifest(t.Context(), bundle, certificateVerifier(t, root.Certificate)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCertificateRefused(t *testing.T) {
	root, namesake := verifytest.NewRoot(t, "root"), verifytest.NewRoot(t, "root")
	between := root.Intermediate(t, "intermediate")
	key, other := verifytest.NewKey(t, elliptic.P256()), verifytest.NewKey(t, elliptic.P256())
	leaf := between.Issue(t, "signer", key)
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)
	}
	future := func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(0, 1, 0) }
	old := root.Intermediate(t, "old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	shallow := root.Intermediate(t, "shallow", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	deep := shallow.Intermediate(t, "deep")
	mere := root.Issue(t, "mere signer", other)
	rogue := &verifytest.Authority{Certificate: mere, Key: other}
	for name, c := range map[string]struct {
		bundle []byte
		want   error
		text   string
	}{
		"another authority": {signedBy(t, key, namesake.Issue(t, "signer", key)), verify.ErrUntrusted, "CN=signer names CN=root as its issuer, but no certificate of that name has"},
		"another authority, in the bundle": {signedBy(t, key, namesake.Issue(t, "signer", key), namesake.Certificate), verify.ErrUntrusted,
			"its root CN=root is not among the trusted certificates"},
		"self-signed": {signedBy(t, namesake.Key, namesake.Certificate), verify.ErrUntrusted, "its root CN=root is not among"},
		"intermediate missing": {signedBy(t, key, leaf), verify.ErrUntrusted,
			"the certificate of CN=intermediate that issued CN=signer is neither in the bundle nor among the trusted ones"},
		"issued by a signer":            {signedBy(t, key, rogue.Issue(t, "signer", key), mere), verify.ErrUntrusted, "CN=signer names CN=mere signer as its issuer"},
		"too deep":                      {signedBy(t, key, deep.Issue(t, "signer", key), deep.Certificate, shallow.Certificate), verify.ErrUntrusted, "too many intermediates"},
		"expired":                       {signedBy(t, key, root.Issue(t, "signer", key, expired)), verify.ErrExpired, "certificate CN=signer expired on 20"},
		"not yet valid":                 {signedBy(t, key, root.Issue(t, "signer", key, future)), verify.ErrExpired, "certificate CN=signer is not valid before 20"},
		"intermediate expired":          {signedBy(t, key, old.Issue(t, "signer", key), old.Certificate), verify.ErrExpired, "certificate CN=old expired on 20"},
		"expired, of another authority": {signedBy(t, key, namesake.Issue(t, "signer", key, expired)), verify.ErrUntrusted, "not trusted"},
		"another signer's leaf":         {signedBy(t, key, root.Issue(t, "victim", other)), verify.ErrSignature, "the certificate CN=victim"},
		"signer not first":              {signedBy(t, key, between.Certificate, leaf), verify.ErrUntrusted, "CN=intermediate is not for signing"},
		"RSA":                           {signedBy(t, key, rsaLeaf(t, root, 2048)), oms.ErrFormat, "type RSA"},
		"huge RSA key":                  {signedBy(t, key, leaf, hugeRSA(t, root)), oms.ErrFormat, "RSA key of"},
		"not a certificate":             {omstest.CertificateBundle(t, key, [][]byte{leaf.Raw, []byte("junk")}, payload(t)), oms.ErrFormat, "certificate 2 of the bundle"},
		"hostile name":                  {signedBy(t, key, namesake.Issue(t, "\x1b[2J\nroot", key)), verify.ErrUntrusted, `"CN=\x1b[2J\nroot"`},
		"payload": {tamper(t, signedBy(t, key, leaf, between.Certificate), func(o object) { o.at("dsseEnvelope").replace("payload", "model", "m0del") }),
			verify.ErrSignature, "does not match"},
		"signature": {tamper(t, signedBy(t, key, leaf, between.Certificate), func(o object) { o.at("dsseEnvelope", "signatures").flip("sig") }),
			verify.ErrSignature, "does not match"},
		"no certificates": {tamper(t, signedBy(t, key, leaf), func(o object) { o.at("verificationMaterial", "x509CertificateChain")["certificates"] = []any{} }),
			oms.ErrFormat, "no certificates"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, c.bundle, c.want, c.text, certificateVerifier(t, root.Certificate)) })
	}
}

// TestPinnedCertificate trusts a self-signed signing certificate itself, as OpenSSL does where that is among the anchors.
func TestPinnedCertificate(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	template := verifytest.NewRoot(t, "template").Issue(t, "self", key)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	self, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify.Manifest(t.Context(), signedBy(t, key, self), certificateVerifier(t, self)); err != nil {
		t.Error(err)
	}
	mustRefuse(t, signedBy(t, key, self), verify.ErrUntrusted, "its root CN=self is not among", certificateVerifier(t, verifytest.NewRoot(t, "root").Certificate))
}

// TestOldRoot trusts a root that signed itself with SHA-1, which is of no consequence: a root is trusted as it is.
func TestOldRoot(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	root := verifytest.NewRoot(t, "old")
	template := *root.Certificate
	template.SignatureAlgorithm = x509.ECDSAWithSHA1
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, root.Key.Public(), root.Key)
	if err != nil {
		t.Fatal(err)
	}
	old, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify.Manifest(t.Context(), signedBy(t, key, root.Issue(t, "signer", key)), certificateVerifier(t, old)); err != nil {
		t.Error(err)
	}
}

func TestNewCertificateRefused(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	between := root.Intermediate(t, "intermediate")
	for name, c := range map[string]struct {
		anchors [][]byte
		text    string
	}{
		"nothing":           {nil, "no certificate to trust was given"},
		"empty file":        {[][]byte{verifytest.PEM(root.Certificate), nil}, "found none"},
		"a key":             {[][]byte{block("PUBLIC KEY", nil)}, `found "PUBLIC KEY"`},
		"damaged":           {[][]byte{block("CERTIFICATE", []byte("0\x00"))}, "certificate 1 is not well formed"},
		"intermediate only": {[][]byte{verifytest.PEM(between.Certificate)}, "CN=intermediate was issued by CN=root, which is needed too"},
		// Such a one is in the corpus too.
		"intermediate of its root's name": {[][]byte{verifytest.PEM(root.Intermediate(t, "root").Certificate)}, "CN=root was issued by CN=root, which is needed too"},
		"too large":                       {[][]byte{make([]byte, verify.MaxPEMSize+1)}, "largest"},
		"too many":                        {[][]byte{bytes.Repeat(verifytest.PEM(root.Certificate), 1001)}, "more than 1000"},
	} {
		if v, err := verify.NewCertificate(c.anchors); v != nil || !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, verify.ErrConfig, c.text)
		}
	}
}

func rsaLeaf(t *testing.T, root *verifytest.Authority, bits int) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return issue(t, root, key.Public())
}

// hugeRSA issues a certificate for an RSA key that nobody has.
func hugeRSA(t *testing.T, root *verifytest.Authority) *x509.Certificate {
	t.Helper()
	n := new(big.Int).SetBit(big.NewInt(1), 16384, 1)
	return issue(t, root, &rsa.PublicKey{N: n, E: 65537})
}

func issue(t *testing.T, root *verifytest.Authority, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	template := root.Issue(t, "signer", root.Key)
	der, err := x509.CreateCertificate(rand.Reader, template, root.Certificate, public, root.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func FuzzNewCertificate(f *testing.F) {
	root := verifytest.NewRoot(f, "root")
	f.Add(verifytest.PEM(root.Certificate))
	f.Add(verifytest.PEM(root.Intermediate(f, "intermediate").Certificate, root.Certificate))
	f.Add(block("CERTIFICATE", []byte("0\x00")))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := verify.NewCertificate([][]byte{b})
		if err != nil {
			if v != nil || !errors.Is(err, verify.ErrConfig) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("refused with %v: %q", v, err)
			}
			return
		}
		if v.Method() != oms.MaterialCertificate {
			t.Error("wrong method")
		}
	})
}
