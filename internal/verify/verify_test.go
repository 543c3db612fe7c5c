package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

func payload(t testing.TB) []byte {
	t.Helper()
	return omstest.Statement(t, omstest.Manifest(t, "model", map[string]string{"a.bin": "a", "b/c.bin": "c"}))
}

// keyID is the fingerprint of a key, as verdicts give it.
func keyID(key *ecdsa.PrivateKey) string { return verify.KeyID(verify.KeyHint(&key.PublicKey)) }

// keyVerifier trusts the public part of a key.
func keyVerifier(t testing.TB, key *ecdsa.PrivateKey) *verify.Key {
	t.Helper()
	v, err := verify.NewKey(verify.EncodePublicKey(&key.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// object is a JSON object, for tests that change one thing in a bundle.
type object map[string]any

func (o object) at(names ...string) object {
	for _, name := range names {
		switch v := o[name].(type) {
		case map[string]any:
			o = v
		case []any:
			o = v[0].(map[string]any)
		}
	}
	return o
}

// tamper changes a bundle.
func tamper(t testing.TB, bundle []byte, change func(object)) []byte {
	t.Helper()
	var o object
	if err := json.Unmarshal(bundle, &o); err != nil {
		t.Fatal(err)
	}
	change(o)
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flip changes one bit of a member in base64.
func (o object) flip(name string) {
	b, err := base64.StdEncoding.DecodeString(o[name].(string))
	if err != nil {
		panic(err)
	}
	b[len(b)/2] ^= 1
	o[name] = base64.StdEncoding.EncodeToString(b)
}

// replace changes a text within a member in base64.
func (o object) replace(name, old, new string) {
	b, err := base64.StdEncoding.DecodeString(o[name].(string))
	if err != nil || !strings.Contains(string(b), old) {
		panic("nothing to replace")
	}
	o[name] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(b), old, new, 1)))
}

// mustRefuse checks that nothing of a bundle is returned, and why: by the reason, and by a text in one printable line.
func mustRefuse(t *testing.T, bundle []byte, want error, text string, vs ...verify.Verifier) {
	t.Helper()
	m, signer, err := verify.Manifest(t.Context(), bundle, vs...)
	if m != nil || signer != nil {
		t.Errorf("manifest %v and signer %v are given", m, signer)
	}
	if !errors.Is(err, want) || err != nil && (!strings.Contains(err.Error(), text) || strings.ContainsAny(err.Error(), "\n\x1b")) {
		t.Errorf("error is %q, want %v with %q", err, want, text)
	}
}

func TestMethod(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	root := verifytest.NewRoot(t, "root")
	instance := verifytest.NewInstance(t)
	byKey := keyVerifier(t, key)
	byCertificate, err := verify.NewCertificate([][]byte{verifytest.PEM(root.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	byIdentity := identityVerifier(t, alice, issuer, instance.TrustedRoot(t, false))
	bundles := map[string][]byte{
		"a key":               omstest.KeyBundle(t, key, payload(t)),
		"a certificate":       omstest.CertificateBundle(t, key, verifytest.DER(root.Issue(t, "signer", key)), payload(t)),
		"a Sigstore identity": instance.Bundle(t, alice, issuer, payload(t)),
	}
	verifiers := map[string]verify.Verifier{"a key": byKey, "a certificate": byCertificate, "a Sigstore identity": byIdentity}
	for made, bundle := range bundles {
		if _, _, err := verify.Manifest(t.Context(), bundle, byKey, byCertificate, byIdentity); err != nil {
			t.Errorf("made with %s, all trusted: %v", made, err)
		}
		mustRefuse(t, bundle, verify.ErrMethod, "signature was made with "+made+", and no")
		for asked, v := range verifiers {
			if asked == made {
				continue
			}
			mustRefuse(t, bundle, verify.ErrMethod, "signature was made with "+made+", "+asked+" was asked for", v)
			parsed, err := oms.ParseBundle(bundle)
			if err != nil {
				t.Fatal(err)
			}
			if signer, err := v.Verify(t.Context(), parsed); signer != nil || !errors.Is(err, verify.ErrMethod) {
				t.Errorf("made with %s, %s asked for: %v", made, asked, err)
			}
		}
	}
	mustRefuse(t, bundles["a key"], verify.ErrMethod, "a certificate or a Sigstore identity was asked for", byCertificate, byIdentity, byIdentity)
}

func TestSeveralKeys(t *testing.T) {
	signed := verifytest.NewKey(t, elliptic.P256())
	bundle := omstest.KeyBundle(t, signed, payload(t))
	keyA, keyB := verifytest.NewKey(t, elliptic.P256()), verifytest.NewKey(t, elliptic.P384())
	a, b := keyVerifier(t, keyA), keyVerifier(t, keyB)
	_, signer, err := verify.Manifest(t.Context(), bundle, a, b, keyVerifier(t, signed))
	if err != nil || signer.Identity != keyID(signed) {
		t.Errorf("with the right key among others: %v, %v", signer, err)
	}
	mustRefuse(t, bundle, verify.ErrUntrusted, "expected "+keyID(keyA)+"; signed by", a, b)
	mustRefuse(t, bundle, verify.ErrUntrusted, "expected "+keyID(keyB), a, b)
	_, _, err = verify.Manifest(t.Context(), bundle, a, a)
	if strings.Contains(err.Error(), ";") {
		t.Errorf("the same is said twice: %v", err)
	}
}

// TestPayloadIsReadLast has a payload that is no statement, signed well and badly.
func TestPayloadIsReadLast(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	for _, text := range []string{"{}", "not JSON", "\x1b[2J"} {
		bundle := omstest.KeyBundle(t, key, []byte(text))
		mustRefuse(t, bundle, oms.ErrFormat, "", keyVerifier(t, key))
		bad := tamper(t, bundle, func(o object) { o.at("dsseEnvelope", "signatures").flip("sig") })
		mustRefuse(t, bad, verify.ErrSignature, "", keyVerifier(t, key))
	}
}

// TestPayloadType signs a well-formed statement under another name, as the same key may for another purpose.
func TestPayloadType(t *testing.T) {
	key, root := verifytest.NewKey(t, elliptic.P256()), verifytest.NewRoot(t, "root")
	leaf := root.Issue(t, "signer", key)
	for _, v := range []verify.Verifier{keyVerifier(t, key), certificateVerifier(t, root.Certificate)} {
		for payloadType, want := range map[string]error{oms.PayloadType: nil, "text/plain": oms.ErrFormat} {
			b := &oms.Bundle{Material: v.Method(), Certificates: [][]byte{leaf.Raw}, Payload: payload(t), PayloadType: payloadType}
			b.Signature = verifytest.Sign(t, key, oms.PAE(b.PayloadType, b.Payload))
			if signer, err := v.Verify(t.Context(), b); (signer == nil) != (want != nil) || !errors.Is(err, want) {
				t.Errorf("%s, %s: error is %v, want %v", v.Method(), payloadType, err, want)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	bundle := verifytest.NewInstance(t).Bundle(t, alice, issuer, payload(t))
	if _, _, err := verify.Manifest(ctx, bundle, identityVerifier(t, alice, issuer, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

// FuzzVerifyBundle holds verifiers for every method to arbitrary bytes. What is accepted must be a payload that was signed.
// It begins with the corpus, as keys made here would be others in each of the fuzzer's processes.
func FuzzVerifyBundle(f *testing.F) {
	dir, trusted := corpusVerifiers(f)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*[gn]"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no signatures in the corpus: %v", err)
	}
	signed := make(map[string]bool)
	for _, file := range files {
		b := read(f, filepath.Dir(file), filepath.Base(file))
		f.Add(b)
		if parsed, err := oms.ParseBundle(b); err == nil {
			signed[string(parsed.Payload)] = true
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, signer, err := verify.Manifest(t.Context(), b, trusted...)
		if err != nil {
			if m != nil || signer != nil || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("refused with %v and %v: %q", m, signer, err)
			}
			return
		}
		parsed, err := oms.ParseBundle(b)
		if err != nil || !signed[string(parsed.Payload)] {
			t.Errorf("accepted, but never signed: %s", parsed.Payload)
		}
	})
}
