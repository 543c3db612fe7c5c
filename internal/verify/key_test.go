package verify_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

func TestKey(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			key := verifytest.NewKey(t, curve)
			trusted := keyVerifier(t, key)
			bundle := omstest.KeyBundle(t, key, payload(t))
			m, signer, err := verify.Manifest(t.Context(), bundle, trusted)
			if err != nil {
				t.Fatal(err)
			}
			id := keyID(key)
			want := verify.Signer{Method: "key", Identity: id, Fingerprint: id, Key: id, LogIndex: -1}
			if m.ModelName != "model" || *signer != want || signer.String() != "key "+id {
				t.Errorf("manifest %+v, signer %+v, want %+v", m, signer, want)
			}
			testKeyTampering(t, bundle, trusted, id, verify.EncodePublicKey(&key.PublicKey))
		})
	}
}

func testKeyTampering(t *testing.T, bundle []byte, trusted *verify.Key, id string, publicPEM []byte) {
	other := verifytest.NewKey(t, elliptic.P256())
	public := func(o object) object { return o.at("verificationMaterial", "publicKey") }
	for name, c := range map[string]struct {
		change func(object)
		want   error
		text   string
	}{
		"payload":          {func(o object) { o.at("dsseEnvelope").replace("payload", "model", "m0del") }, verify.ErrSignature, "does not match"},
		"signature":        {func(o object) { o.at("dsseEnvelope", "signatures").flip("sig") }, verify.ErrSignature, "does not match"},
		"signature cut":    {func(o object) { o.at("dsseEnvelope", "signatures")["sig"] = "MAA=" }, verify.ErrSignature, "does not match"},
		"payload type":     {func(o object) { o.at("dsseEnvelope")["payloadType"] = "text/plain" }, oms.ErrFormat, "payloadType"},
		"another hint":     {func(o object) { public(o)["hint"] = verify.KeyHint(&other.PublicKey) }, verify.ErrUntrusted, "signed by key SHA256:" + verify.KeyHint(&other.PublicKey) + ", expected " + id},
		"hint in capitals": {func(o object) { public(o)["hint"] = strings.ToUpper(public(o)["hint"].(string)) }, verify.ErrUntrusted, "expected " + id},
		"hostile hint":     {func(o object) { public(o)["hint"] = "\x1b[2J\n" }, verify.ErrUntrusted, `signed by key "\x1b[2J\n", expected`},
		"no hint and another signature": {func(o object) {
			public(o)["hint"] = ""
			o.at("dsseEnvelope", "signatures").flip("sig")
		}, verify.ErrSignature, "does not match"},
		"another older key": {func(o object) {
			o.at("verificationMaterial")["publicKey"] = object{"rawBytes": base64.StdEncoding.EncodeToString(verify.EncodePublicKey(&other.PublicKey))}
		}, verify.ErrUntrusted, "expected " + id},
		"a certificate too": {func(o object) { o.at("verificationMaterial")["certificate"] = object{"rawBytes": "MAA="} }, oms.ErrFormat, "expected one of them"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, tamper(t, bundle, c.change), c.want, c.text, trusted) })
	}
	for name, change := range map[string]func(object){
		"no hint": func(o object) { public(o)["hint"] = "" },
		"older form": func(o object) {
			o.at("verificationMaterial")["publicKey"] = object{"rawBytes": base64.StdEncoding.EncodeToString(publicPEM)}
		},
		"unknown older form": func(o object) { o.at("verificationMaterial")["publicKey"] = object{"rawBytes": "MAA="} },
	} {
		if _, _, err := verify.Manifest(t.Context(), tamper(t, bundle, change), trusted); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOlderEncoding signs what signers before 1.0 signed by mistake.
func TestOlderEncoding(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	for name, c := range map[string]struct {
		signed []byte
		ok     bool
	}{
		"older": {oms.LegacyPAE(oms.PayloadType, payload(t)), true},
		"bare":  {payload(t), false},
	} {
		bundle, err := oms.EncodeBundle(oms.Bundle{
			Material: oms.MaterialKey, KeyHint: verify.KeyHint(&key.PublicKey), Payload: payload(t), Signature: verifytest.Sign(t, key, c.signed),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := verify.Manifest(t.Context(), bundle, keyVerifier(t, key)); (err == nil) != c.ok {
			t.Errorf("%s encoding: %v", name, err)
		}
	}
}

func TestNewKeyRefused(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "keys")
	rsa := block("PUBLIC KEY", rsaPublicKey(t))
	for name, c := range map[string]struct {
		pem  []byte
		text string
	}{
		"empty":       {nil, "found none"},
		"private key": {read(t, dir, "pkcs8-prime256v1.pem"), `found "PRIVATE KEY"`},
		"certificate": {verifytest.PEM(verifytest.NewRoot(t, "root").Certificate), `found "CERTIFICATE"`},
		"RSA":         {rsa, "type RSA, supported are ECDSA"},
		"P-224":       {block("PUBLIC KEY", p224(t)), "type ECDSA on P-224"},
		"damaged":     {block("PUBLIC KEY", []byte("0\x00")), "not well formed"},
		"too large":   {make([]byte, verify.MaxPEMSize+1), "largest"},
	} {
		if v, err := verify.NewKey(c.pem); v != nil || !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, verify.ErrConfig, c.text)
		}
	}
}

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func rsaPublicKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return spki(t, key.Public())
}

func p224(t *testing.T) []byte { return spki(t, verifytest.NewKey(t, elliptic.P224()).Public()) }

func spki(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
