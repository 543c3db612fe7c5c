package sign_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// signingKey makes a key as sign.NewKey gives it, and as the standard library has it.
func signingKey(t *testing.T, curve elliptic.Curve) (*sign.Key, *ecdsa.PrivateKey) {
	t.Helper()
	private := verifytest.NewKey(t, curve)
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.NewKey(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil)
	if err != nil {
		t.Fatal(err)
	}
	return key, private
}

func TestCertificate(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	between := root.Intermediate(t, "intermediate")
	trusted, err := verify.NewCertificate([][]byte{verifytest.PEM(root.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, private := signingKey(t, curve)
		leaf := between.Issue(t, "signer", private)
		for name, c := range map[string]struct {
			leaf  []byte
			chain [][]byte
			want  []*x509.Certificate
		}{
			"chain in a file":       {verifytest.PEM(leaf), [][]byte{verifytest.PEM(between.Certificate)}, []*x509.Certificate{leaf, between.Certificate}},
			"all in one file":       {verifytest.PEM(leaf, between.Certificate, root.Certificate), nil, []*x509.Certificate{leaf, between.Certificate, root.Certificate}},
			"two files":             {verifytest.PEM(leaf), [][]byte{verifytest.PEM(root.Certificate), verifytest.PEM(between.Certificate)}, []*x509.Certificate{leaf, root.Certificate, between.Certificate}},
			"leaf in the chain too": {verifytest.PEM(leaf), [][]byte{verifytest.PEM(leaf, between.Certificate)}, []*x509.Certificate{leaf, between.Certificate}},
		} {
			t.Run(curve.Params().Name+" "+name, func(t *testing.T) {
				s, err := sign.NewCertificate(key, c.leaf, c.chain)
				if err != nil {
					t.Fatal(err)
				}
				b, err := oms.ParseBundle(mustVerify(t, s, trusted))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := b.Certificates, verifytest.DER(c.want...); !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("bundle holds %d certificates, want %d in their order", len(got), len(want))
				}
			})
		}
	}
}

func TestCertificateRefused(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	key, private := signingKey(t, elliptic.P256())
	_, other := signingKey(t, elliptic.P256())
	good := verifytest.PEM(root.Issue(t, "signer", private))
	issue := func(edits ...func(*x509.Certificate)) []byte {
		return verifytest.PEM(root.Issue(t, "signer", private, edits...))
	}
	for name, c := range map[string]struct {
		leaf  []byte
		chain [][]byte
		want  []error
		text  string
	}{
		"no certificate":       {nil, nil, []error{sign.ErrCertificate}, "found none"},
		"a key":                {keyFile(t, "pkcs8-prime256v1"), nil, []error{sign.ErrCertificate}, `found "PRIVATE KEY"`},
		"damaged":              {pemBlock("CERTIFICATE", "0\x00"), nil, []error{sign.ErrCertificate}, "not well formed"},
		"no chain in the file": {good, [][]byte{nil}, []error{sign.ErrCertificate}, "certificate chain, file 1"},
		"another key's":        {verifytest.PEM(root.Issue(t, "signer", other)), nil, []error{sign.ErrMismatch}, key.ID()},
		"chain before leaf":    {verifytest.PEM(root.Certificate), [][]byte{good}, []error{sign.ErrMismatch}, "CN=root"},
		"RSA":                  {verifytest.PEM(rsaLeaf(t, root)), nil, []error{sign.ErrCertificate}, "RSA"},
		"no usage": {issue(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), nil,
			[]error{sign.ErrCertificate, verify.ErrUntrusted}, "digitalSignature"},
		"another extended usage": {issue(func(c *x509.Certificate) {
			c.KeyUsage, c.ExtKeyUsage = 0, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), nil, []error{sign.ErrCertificate, verify.ErrUntrusted}, "codeSigning"},
		"expired": {issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil,
			[]error{sign.ErrCertificate, verify.ErrExpired}, "expired on 20"},
		"not yet valid": {issue(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), nil,
			[]error{sign.ErrCertificate, verify.ErrExpired}, "not valid before 20"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sign.NewCertificate(key, c.leaf, c.chain)
			for _, want := range c.want {
				if !errors.Is(err, want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("error is %v, want %v with %q", err, want, c.text)
				}
			}
		})
	}
	if _, err := sign.NewCertificate(key, issue(func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = 0, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	}), nil); err != nil {
		t.Errorf("extended key usage codeSigning alone: %v", err)
	}
}

func rsaLeaf(t *testing.T, root *verifytest.Authority) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := root.Issue(t, "signer", root.Key)
	der, err := x509.CreateCertificate(rand.Reader, template, root.Certificate, key.Public(), root.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestDescribeIsPrintable has a subject that would clear the screen.
func TestDescribeIsPrintable(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	key, private := signingKey(t, elliptic.P256())
	s, err := sign.NewCertificate(key, verifytest.PEM(root.Issue(t, "a\x1b[2J\nb", private)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Describe(), `certificate "CN=a\x1b[2J\nb"`; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
}
