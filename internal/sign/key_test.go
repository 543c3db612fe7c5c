package sign_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

var (
	_ sign.Signer = (*sign.Key)(nil)
	_ sign.Signer = (*sign.Certificate)(nil)
	_ sign.Signer = (*sign.Sigstore)(nil)
)

// passphrase is that of the encrypted keys in testdata.
const passphrase = "correct horse"

// The fingerprints of the keys in testdata, as Python's cryptography and hashlib give them.
const (
	idP256 = "SHA256:a1e167f9cf28f1d03206edc3a86eae5255825c9daabe2ea0fce64a291572f69f"
	idP384 = "SHA256:a4d8f39892a7a3632deda72a5596c3679f80261c04c681e1f50b8806bfff22eb"
	idP521 = "SHA256:f0a28a5769a43a57260805508f99eaabba61e9338e830c4ba7da8362517d6481"
)

func keyFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask returns a passphrase function that counts how often it is called.
func ask(answer string, calls *int) func() ([]byte, error) {
	return func() ([]byte, error) {
		*calls++
		return []byte(answer), nil
	}
}

func payload(t testing.TB) []byte {
	t.Helper()
	return omstest.Statement(t, omstest.Manifest(t, "model", map[string]string{"a.bin": "a", "b/c.bin": "c"}))
}

// mustVerify checks that a verifier accepts a signer's bundle, and that both name the signer alike.
func mustVerify(t *testing.T, s sign.Signer, v verify.Verifier) []byte {
	t.Helper()
	bundle, err := s.Sign(t.Context(), payload(t))
	if err != nil {
		t.Fatal(err)
	}
	m, signer, err := verify.Manifest(t.Context(), bundle, v)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Resources) != 2 || m.ModelName != "model" {
		t.Errorf("manifest is %+v", m)
	}
	if signer.Method != v.Method().String() {
		t.Errorf("signed by method %s, verified by %s", signer.Method, v.Method())
	}
	if !strings.HasPrefix(signer.String(), s.Describe()) {
		t.Errorf("signed by %q, verified as %q", s.Describe(), signer)
	}
	return bundle
}

func TestNewKey(t *testing.T) {
	for name, want := range map[string]string{
		"sec1-prime256v1": idP256, "sec1-secp384r1": idP384, "sec1-secp521r1": idP521,
		"pkcs8-prime256v1": idP256, "pkcs8-secp384r1": idP384, "pkcs8-secp521r1": idP521,
		"encrypted-prime256v1": idP256, "encrypted-secp384r1": idP384, "encrypted-secp521r1": idP521,
		"encrypted-sha512": idP256, "encrypted-sha1": idP256, "encrypted-des3": idP256, "encrypted-scrypt": idP256,
		"encrypted-genpkey": "",
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			key, err := sign.NewKey(keyFile(t, name), ask(passphrase, &calls))
			if err != nil {
				t.Fatal(err)
			}
			if want != "" && key.ID() != want {
				t.Errorf("key is %s, want %s", key.ID(), want)
			}
			if encrypted := strings.HasPrefix(name, "encrypted"); (calls == 1) != encrypted || calls > 1 {
				t.Errorf("passphrase was asked for %d times", calls)
			}
			v, err := verify.NewKey(verify.EncodePublicKey(key.Public()))
			if err != nil {
				t.Fatal(err)
			}
			mustVerify(t, key, v)
		})
	}
}

func TestNewKeyAmongOtherBlocks(t *testing.T) {
	plain := keyFile(t, "pkcs8-prime256v1")
	text := join([]byte("Private-Key: (256 bit)\n"), keyFile(t, "bad-public"), plain, []byte("\nafter\n"))
	for name, b := range map[string][]byte{"text and a public key": text, "CRLF": bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n"))} {
		key, err := sign.NewKey(b, nil)
		if err != nil || key.ID() != idP256 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewKeyRefused(t *testing.T) {
	for name, c := range map[string]struct {
		pem  []byte
		want error
		text string
	}{
		"empty":             {nil, sign.ErrKey, "found none"},
		"DER":               {[]byte("0\x82\x01"), sign.ErrKey, "found none"},
		"certificate":       {pemBlock("CERTIFICATE", "x"), sign.ErrKey, `found "CERTIFICATE"`},
		"escape in a label": {pemBlock("A\x1b[2J", "x"), sign.ErrKey, ""},
		"public":            {keyFile(t, "bad-public"), sign.ErrPublicKey, "private key"},
		"legacy encryption": {keyFile(t, "bad-legacy"), sign.ErrLegacyPEM, "openssl pkcs8 -topk8"},
		"RSA":               {keyFile(t, "bad-rsa"), sign.ErrKeyType, "RSA"},
		"RSA, PKCS #1":      {keyFile(t, "bad-rsa1"), sign.ErrKeyType, "RSA PRIVATE KEY"},
		"Ed25519":           {keyFile(t, "bad-ed25519"), sign.ErrKeyType, "Ed25519"},
		"secp256k1":         {keyFile(t, "bad-secp256k1"), sign.ErrKeyType, "secp256k1"},
		"secp256k1, PKCS8":  {keyFile(t, "bad-secp256k1-pkcs8"), sign.ErrKeyType, "secp256k1"},
		"P-224":             {keyFile(t, "bad-p224"), sign.ErrKeyType, "P-224"},
		"nameless curve":    {keyFile(t, "bad-explicit"), sign.ErrKeyType, "without a name"},
		"PBES1":             {keyFile(t, "bad-pbes1"), sign.ErrKey, "expected PBES2"},
		"Camellia":          {keyFile(t, "bad-camellia"), sign.ErrKey, "expected AES"},
		"damaged SEC 1":     {pemBlock("EC PRIVATE KEY", "0\x00"), sign.ErrKey, "not well formed"},
		"damaged PKCS #8":   {pemBlock("PRIVATE KEY", "0\x00"), sign.ErrKey, "not well formed"},
		"damaged encrypted": {pemBlock("ENCRYPTED PRIVATE KEY", "0\x00"), sign.ErrKey, "not well formed"},
		"two keys":          {join(keyFile(t, "pkcs8-prime256v1"), keyFile(t, "pkcs8-secp384r1")), sign.ErrKey, "more than one"},
		"too large":         {make([]byte, verify.MaxPEMSize+1), sign.ErrKey, "largest"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			_, err := sign.NewKey(c.pem, ask(passphrase, &calls))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want %v with %q", err, c.want, c.text)
			}
			if calls > 0 {
				t.Error("the passphrase was asked for in vain")
			}
		})
	}
}

func TestPassphrase(t *testing.T) {
	for _, name := range []string{"encrypted-prime256v1", "encrypted-des3", "encrypted-scrypt"} {
		calls := 0
		for _, wrong := range []string{"", "wrong", passphrase + "\n"} {
			if _, err := sign.NewKey(keyFile(t, name), ask(wrong, &calls)); !errors.Is(err, sign.ErrPassphrase) {
				t.Errorf("%s with %q: %v, want %v", name, wrong, err, sign.ErrPassphrase)
			}
		}
	}
	encrypted := keyFile(t, "encrypted-prime256v1")
	if _, err := sign.NewKey(encrypted, nil); !errors.Is(err, sign.ErrPassphrase) {
		t.Errorf("without a function: %v, want %v", err, sign.ErrPassphrase)
	}
	interrupted := errors.New("interrupted")
	if _, err := sign.NewKey(encrypted, func() ([]byte, error) { return nil, interrupted }); !errors.Is(err, interrupted) {
		t.Errorf("with a function that fails: %v, want %v", err, interrupted)
	}
	secret := []byte(passphrase)
	if _, err := sign.NewKey(encrypted, func() ([]byte, error) { return secret, nil }); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(secret, make([]byte, len(passphrase))) {
		t.Errorf("the passphrase is still in memory: %q", secret)
	}
}

func TestGenerateKey(t *testing.T) {
	for _, c := range []struct{ curve, passphrase, block string }{
		{"", passphrase, "ENCRYPTED PRIVATE KEY"},
		{"P-256", "", "PRIVATE KEY"},
		{"p384", "", "PRIVATE KEY"},
		{"secp521r1", "", "PRIVATE KEY"},
	} {
		private, public, err := sign.GenerateKey(c.curve, []byte(c.passphrase))
		if err != nil {
			t.Fatal(err)
		}
		if block, rest := pem.Decode(private); block == nil || block.Type != c.block || len(rest) > 0 {
			t.Errorf("private key is\n%s\nwant one block %q", private, c.block)
		}
		calls := 0
		key, err := sign.NewKey(private, ask(c.passphrase, &calls))
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.NewKey(public)
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, key, v)
	}
	if _, _, err := sign.GenerateKey("P-224", nil); !errors.Is(err, sign.ErrCurve) {
		t.Errorf("P-224: %v, want %v", err, sign.ErrCurve)
	}
}

// TestOpenSSLReadsGeneratedKey shows that the encryption is the standard's and not just our own.
func TestOpenSSLReadsGeneratedKey(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no openssl on PATH")
		}
		t.Skip("no openssl on PATH")
	}
	private, public, err := sign.GenerateKey("P-384", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), openssl, "pkey", "-passin", "pass:"+passphrase, "-pubout")
	c.Stdin = bytes.NewReader(private)
	out, err := c.Output()
	if err != nil || !bytes.Equal(out, public) {
		t.Errorf("openssl: %v\n%s\nwant\n%s", err, out, public)
	}
}

func TestSignStopsWhenCancelled(t *testing.T) {
	key, err := sign.NewKey(keyFile(t, "pkcs8-prime256v1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := key.Sign(ctx, payload(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

func FuzzNewKey(f *testing.F) {
	files, err := filepath.Glob("../../testdata/keys/*.pem")
	if err != nil || len(files) == 0 {
		f.Fatal("no keys in testdata")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := sign.NewKey(b, nil)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error is not one printable line: %q", err)
			}
			return
		}
		bundle, err := key.Sign(t.Context(), []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.NewKey(verify.EncodePublicKey(key.Public()))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := oms.ParseBundle(bundle)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), parsed); err != nil {
			t.Error(err)
		}
	})
}

func pemBlock(label, content string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: []byte(content)})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
