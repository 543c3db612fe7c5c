package verify_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

const (
	alice  = "alice@example.com"
	issuer = "https://issuer.test"
)

func identityVerifier(t testing.TB, identity, issuer string, trustedRoot []byte) *verify.Sigstore {
	t.Helper()
	v, err := verify.NewSigstore(verify.SigstoreOptions{Identity: identity, Issuer: issuer, TrustedRoot: trustedRoot, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSigstore(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	trusted := identityVerifier(t, alice, issuer, root)
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	m, signer, err := verify.Manifest(t.Context(), bundle, trusted)
	if err != nil {
		t.Fatal(err)
	}
	if m.ModelName != "model" || signer.Identity != alice || signer.Issuer != issuer || signer.LogIndex != 0 || signer.Time.IsZero() {
		t.Errorf("manifest %+v, signer %+v", m, signer)
	}

	material := func(o object) object { return o.at("verificationMaterial") }
	entry := func(o object) object { return o.at("verificationMaterial", "tlogEntries") }
	envelope := func(o object) object { return o.at("dsseEnvelope") }
	another := instance.Signer(t, alice, issuer).Certificate.Raw
	for name, c := range map[string]struct {
		change func(object)
		want   error
		text   string
	}{
		"payload":     {func(o object) { envelope(o).replace("payload", "model", "m0del") }, verify.ErrSignature, "does not match"},
		"signature":   {func(o object) { envelope(o).at("signatures").flip("sig") }, verify.ErrSignature, "does not match"},
		"certificate": {func(o object) { material(o).at("certificate").flip("rawBytes") }, nil, ""},
		"certificate swapped": {func(o object) {
			material(o).at("certificate")["rawBytes"] = base64.StdEncoding.EncodeToString(another)
		}, verify.ErrSignature, "does not match"},
		"no log entry":      {func(o object) { delete(material(o), "tlogEntries") }, oms.ErrFormat, "tlogEntries"},
		"log entry's body":  {func(o object) { entry(o).flip("canonicalizedBody") }, nil, ""},
		"log entry's time":  {func(o object) { entry(o)["integratedTime"] = "1700000000" }, verify.ErrLog, ""},
		"log entry's index": {func(o object) { entry(o)["logIndex"] = "77" }, verify.ErrLog, ""},
		"another log":       {func(o object) { entry(o).at("logId").flip("keyId") }, verify.ErrLog, "not enough verified log entries"},
		"no proof":          {func(o object) { delete(entry(o), "inclusionProof") }, oms.ErrFormat, "inclusion proof"},
		"checkpoint": {func(o object) {
			cp := entry(o).at("inclusionProof", "checkpoint")
			cp["envelope"] = strings.Replace(cp["envelope"].(string), "\n", "x\n", 1)
		}, verify.ErrLog, ""},
		"proof": {func(o object) {
			o.at("verificationMaterial", "tlogEntries", "inclusionProof")["hashes"] = []string{base64.StdEncoding.EncodeToString(make([]byte, 32))}
		}, verify.ErrLog, ""},
		"promise": {func(o object) { entry(o).at("inclusionPromise").flip("signedEntryTimestamp") }, verify.ErrLog, "not enough verified log entries"},
		"no time": {func(o object) { delete(entry(o), "inclusionPromise") }, verify.ErrLog, "log entry integrated timestamps: 0 < 1"},
		"entry twice": {func(o object) {
			m := material(o)
			m["tlogEntries"] = append(m["tlogEntries"].([]any), m["tlogEntries"].([]any)[0])
		}, verify.ErrLog, "duplicate"},
		"too many entries": {func(o object) {
			m := material(o)
			for range 40 {
				m["tlogEntries"] = append(m["tlogEntries"].([]any), m["tlogEntries"].([]any)[0])
			}
		}, oms.ErrFormat, ""},
		"other spelling": {func(o object) { e := envelope(o); e["payload_type"] = e["payloadType"] }, oms.ErrFormat, ""},
		"unknown member": {func(o object) { o["extra"] = 1 }, oms.ErrFormat, "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := tamper(t, bundle, c.change)
			if c.want == nil {
				if _, _, err := verify.Manifest(t.Context(), bad, trusted); err == nil {
					t.Error("accepted")
				}
				return // what a changed bit breaks first differs
			}
			mustRefuse(t, bad, c.want, c.text, trusted)
		})
	}
}

// TestTwoReadings has a bundle in which this project's parser saw something else than sigstore-go's will.
func TestTwoReadings(t *testing.T) {
	instance := verifytest.NewInstance(t)
	trusted := identityVerifier(t, alice, issuer, instance.TrustedRoot(t, false))
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	for name, change := range map[string]func(*oms.Bundle){
		"payload":      func(b *oms.Bundle) { b.Payload = []byte("{}") },
		"payload type": func(b *oms.Bundle) { b.PayloadType = "text/plain" },
		"signature":    func(b *oms.Bundle) { b.Signature = []byte("x") },
		"certificate":  func(b *oms.Bundle) { b.Certificates = [][]byte{[]byte("x")} },
		"certificates": func(b *oms.Bundle) { b.Certificates = nil },
		"timestamps":   func(b *oms.Bundle) { b.Timestamps = [][]byte{[]byte("x")} },
		"log entries":  func(b *oms.Bundle) { b.TlogEntries++ },
	} {
		b, err := oms.ParseBundle(bundle)
		if err != nil {
			t.Fatal(err)
		}
		change(b)
		if signer, err := trusted.Verify(t.Context(), b); signer != nil || !errors.Is(err, oms.ErrFormat) {
			t.Errorf("%s: %v, want %v", name, err, oms.ErrFormat)
		}
	}
}

// TestTimestamp has signatures whose only trusted time is an authority's timestamp, as those in Rekor v2 have.
func TestTimestamp(t *testing.T) {
	instance := verifytest.NewInstance(t)
	trusted := identityVerifier(t, alice, issuer, instance.TrustedRoot(t, false))
	s := instance.Signer(t, alice, issuer)
	untimed := tamper(t, s.Bundle(t, payload(t)), func(o object) { delete(o.at("verificationMaterial", "tlogEntries"), "inclusionPromise") })
	parsed, err := oms.ParseBundle(untimed)
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(s *verifytest.Signer, signature []byte) []byte {
		b, err := s.GetTimestamp(t.Context(), signature)
		if err != nil {
			t.Fatal(err)
		}
		return tamper(t, untimed, func(o object) {
			o.at("verificationMaterial")["timestampVerificationData"] = object{
				"rfc3161Timestamps": []object{{"signedTimestamp": base64.StdEncoding.EncodeToString(b)}},
			}
		})
	}
	_, signer, err := verify.Manifest(t.Context(), stamp(s, parsed.Signature), trusted)
	if err != nil || time.Since(signer.Time).Abs() > time.Minute || signer.LogIndex != 0 {
		t.Errorf("with a timestamp: %v, %+v", err, signer)
	}
	// Nobody has signed that number: the proof is of the one in the proof.
	elsewhere := tamper(t, stamp(s, parsed.Signature), func(o object) { o.at("verificationMaterial", "tlogEntries")["logIndex"] = "77" })
	if _, signer, err := verify.Manifest(t.Context(), elsewhere, trusted); err != nil || signer.LogIndex != -1 {
		t.Errorf("with another index beside the proof: %v, %+v, want none told", err, signer)
	}
	mustRefuse(t, untimed, verify.ErrLog, "no trusted timestamp", trusted)
	mustRefuse(t, stamp(s, []byte("another signature")), verify.ErrLog, "no trusted timestamp", trusted)
	mustRefuse(t, stamp(s.At(verifytest.NewInstance(t)), parsed.Signature), verify.ErrLog, "no trusted timestamp", trusted)
}

// TestTimestampsInForm: a timestamp that is broken, of something else or there twice is refused even where the time is known without it.
func TestTimestampsInForm(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	trusted, mallory := identityVerifier(t, alice, issuer, root), identityVerifier(t, "mallory@example.com", issuer, root)
	for _, rekor := range []verifytest.Rekor{verifytest.RekorV1, verifytest.RekorV2} {
		s := instance.Signer(t, alice, issuer)
		s.Rekor = rekor
		bundle := s.Bundle(t, payload(t))
		of := func(stamps ...[]byte) []byte {
			return tamper(t, bundle, func(o object) {
				var list []object
				for _, b := range stamps {
					list = append(list, object{"signedTimestamp": b})
				}
				o.at("verificationMaterial")["timestampVerificationData"] = object{"rfc3161Timestamps": list}
			})
		}
		parsed, err := oms.ParseBundle(bundle)
		if err != nil {
			t.Fatal(err)
		}
		stamp, err := s.GetTimestamp(t.Context(), parsed.Signature)
		if err != nil {
			t.Fatal(err)
		}
		another, err := s.GetTimestamp(t.Context(), []byte("another signature"))
		if err != nil {
			t.Fatal(err)
		}
		stranger := verifytest.NewTimestampAuthority(t, "stranger").Stamp(t, parsed.Signature) // which brings its certificate along
		if _, _, err := verify.Manifest(t.Context(), of(stranger, stamp), trusted); err != nil {
			t.Errorf("with another authority's beside: %v", err)
		}
		mustRefuse(t, of(stamp, stamp), verify.ErrLog, "it is there twice", mallory) // before it is told who signed
		mustRefuse(t, of(stamp, stamp), verify.ErrLog, "timestamp 2 of the signature is not right: it is there twice", trusted)
		mustRefuse(t, of(stamp, []byte("x")), verify.ErrLog, "timestamp 2 of the signature is not right: it is not well formed", trusted)
		mustRefuse(t, of(stamp, another), verify.ErrLog, "timestamp 2 of the signature is not right: it is of another signature", trusted)
		broken := bytes.Clone(stranger)
		broken[len(broken)-1] ^= 1
		mustRefuse(t, of(broken, stamp), verify.ErrLog, "timestamp 1 of the signature is not right: it can not be verified", trusted)
		mustRefuse(t, of(append(stamp[:len(stamp):len(stamp)], 0), stamp), verify.ErrLog, "timestamp 1 of the signature is not right: it is not well formed", trusted)
		mustRefuse(t, of(stamp, stamp[:len(stamp)-1]), verify.ErrLog, "timestamp 2 of the signature is not right: it is not well formed", trusted)
	}
}

func TestSigstoreTrust(t *testing.T) {
	instance, other := verifytest.NewInstance(t), verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	for name, c := range map[string]struct {
		v    verify.Verifier
		want error
		text string
	}{
		"another identity": {identityVerifier(t, "mallory@example.com", issuer, root), verify.ErrIdentity,
			"signed by alice@example.com (https://issuer.test), expected mallory@example.com (https://issuer.test)"},
		"a part of the identity": {identityVerifier(t, "alice@example.co", issuer, root), verify.ErrIdentity, "expected alice@example.co ("},
		"a pattern":              {identityVerifier(t, ".*", issuer, root), verify.ErrIdentity, "expected .*"},
		"another issuer":         {identityVerifier(t, alice, "https://accounts.google.com", root), verify.ErrIdentity, "expected alice@example.com (https://accounts.google.com)"},
		"another instance":       {identityVerifier(t, alice, issuer, other.TrustedRoot(t, false)), verify.ErrUntrusted, "no authority of"},
		"not in a CT log":        {identityVerifier(t, alice, issuer, instance.TrustedRoot(t, true)), verify.ErrLog, "certificate transparency log"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, bundle, c.want, c.text, c.v) })
	}
	t.Run("several identities", func(t *testing.T) {
		mallory := identityVerifier(t, "mallory@example.com", issuer, root)
		if _, _, err := verify.Manifest(t.Context(), bundle, mallory, identityVerifier(t, alice, issuer, root)); err != nil {
			t.Error(err)
		}
		mustRefuse(t, bundle, verify.ErrIdentity, "mallory@example.com (https://issuer.test); signed by", mallory, identityVerifier(t, "bob@example.com", issuer, root))
	})
	t.Run("logged too late", func(t *testing.T) {
		s := instance.Signer(t, alice, issuer)
		s.Delay = 30 * time.Minute
		mustRefuse(t, s.Bundle(t, payload(t)), verify.ErrExpired, "certificate was not valid", identityVerifier(t, alice, issuer, root))
	})
	t.Run("hostile identity", func(t *testing.T) {
		hostile := instance.Bundle(t, "a@example.com\x1b[2J", issuer, payload(t))
		mustRefuse(t, hostile, verify.ErrIdentity, `\x1b[2J`, identityVerifier(t, alice, issuer, root))
	})
}

// TestIdentities has several signers to trust, and expressions, which must match the whole of an identity.
func TestIdentities(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	like := func(expression string) verify.Identity { return verify.Identity{Regexp: expression, Issuer: issuer} }
	for name, c := range map[string]struct {
		trusted []verify.Identity
		refused string
	}{
		"one of several":              {[]verify.Identity{{ID: "bob@example.com", Issuer: issuer}, {ID: alice, Issuer: issuer}}, ""},
		"none of several":             {[]verify.Identity{{ID: "bob@example.com", Issuer: issuer}, like("c.*")}, "expected bob@example.com (https://issuer.test) or /c.*/ (https://issuer.test)"},
		"each with its issuer":        {[]verify.Identity{{ID: "bob@example.com", Issuer: issuer}, {ID: alice, Issuer: "https://other.test"}}, "expected bob"},
		"an expression":               {[]verify.Identity{like(`[a-z]+@example\.com`)}, ""},
		"alternatives":                {[]verify.Identity{like(`bob@example\.com|alice@example\.com`)}, ""},
		"a shorter alternative first": {[]verify.Identity{like(`alice|alice@example\.com`)}, ""},
		"anchored already":            {[]verify.Identity{like(`^alice@example\.com$`)}, ""},
		"the beginning only":          {[]verify.Identity{like(`alice`)}, "expected /alice/"},
		"the end only":                {[]verify.Identity{like(`example\.com`)}, "expected"},
		"many lines":                  {[]verify.Identity{like(`(?m)alice`)}, "expected"},
		"expression, another issuer":  {[]verify.Identity{{Regexp: ".*", Issuer: "https://other.test"}}, "expected"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := verify.NewSigstore(verify.SigstoreOptions{Identities: c.trusted, TrustedRoot: root})
			if err != nil {
				t.Fatal(err)
			}
			if c.refused != "" {
				mustRefuse(t, bundle, verify.ErrIdentity, c.refused, v)
			} else if _, signer, err := verify.Manifest(t.Context(), bundle, v); err != nil || signer.Identity != alice {
				t.Errorf("%v, %v", signer, err)
			}
		})
	}
	multiline := instance.Bundle(t, "alice@example.com\nmallory@example.com", issuer, payload(t))
	v, err := verify.NewSigstore(verify.SigstoreOptions{Identities: []verify.Identity{like(`(?m)^alice@example\.com$`)}, TrustedRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, multiline, verify.ErrIdentity, "expected", v)
}

// TestAnyIdentity reports whoever signed, and is as strict as ever in all else.
func TestAnyIdentity(t *testing.T) {
	instance := verifytest.NewInstance(t)
	v, err := verify.NewAnyIdentity(verify.SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false)})
	if err != nil {
		t.Fatal(err)
	}
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	if _, signer, err := verify.Manifest(t.Context(), bundle, v); err != nil || signer.Identity != alice || signer.Issuer != issuer {
		t.Errorf("%v, %v", signer, err)
	}
	mustRefuse(t, verifytest.NewInstance(t).Bundle(t, alice, issuer, payload(t)), verify.ErrUntrusted, "no authority of", v)
	mustRefuse(t, tamper(t, bundle, func(o object) { o.at("dsseEnvelope").replace("payload", "model", "m0del") }), verify.ErrSignature, "does not match", v)
	if _, err := verify.NewAnyIdentity(verify.SigstoreOptions{TrustedRoot: []byte("{")}); !errors.Is(err, verify.ErrConfig) {
		t.Errorf("a damaged root: %v", err)
	}
}

// A verifier that accepts anybody is for the comparison with a pinned signer, and for nothing else.
func TestAnyIdentityIsForPins(t *testing.T) {
	users := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		if bytes.Contains(b, []byte("NewAnyIdentity(")) && filepath.Base(name) != "sigstore.go" {
			users++
			if filepath.Base(filepath.Dir(name)) != "pins" {
				t.Errorf("%s uses it", name)
			}
		}
		return err
	})
	if err != nil || users == 0 {
		t.Errorf("%d users, %v", users, err)
	}
}

func TestNewSigstoreRefused(t *testing.T) {
	root := verifytest.NewInstance(t).TrustedRoot(t, false)
	for name, o := range map[string]verify.SigstoreOptions{
		"no identity":        {Issuer: issuer, TrustedRoot: root},
		"no issuer":          {Identity: alice, TrustedRoot: root},
		"damaged root":       {Identity: alice, Issuer: issuer, TrustedRoot: []byte("{")},
		"two roots":          {Identity: alice, Issuer: issuer, TrustedRoot: root, TrustConfig: root},
		"no signer":          {TrustedRoot: root},
		"one of two":         {Identity: alice, Issuer: issuer, Identities: []verify.Identity{{Regexp: ".*"}}, TrustedRoot: root},
		"both forms":         {Identities: []verify.Identity{{ID: alice, Regexp: ".*", Issuer: issuer}}, TrustedRoot: root},
		"no expression":      {Identities: []verify.Identity{{Regexp: "a(", Issuer: issuer}}, TrustedRoot: root},
		"undoes the anchors": {Identities: []verify.Identity{{Regexp: "x)|(.*", Issuer: issuer}}, TrustedRoot: root},
		"quotes the anchors": {Identities: []verify.Identity{{Regexp: `\Qx`, Issuer: issuer}}, TrustedRoot: root},
	} {
		if _, err := verify.NewSigstore(o); !errors.Is(err, verify.ErrConfig) {
			t.Errorf("%s: %v, want %v", name, err, verify.ErrConfig)
		}
	}
}

// TestSigstoreWithoutNetwork asks for the public instance, where there is neither a network nor a cache.
func TestSigstoreWithoutNetwork(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	dir, _ := corpusVerifiers(t)
	_, _, err := verify.Manifest(t.Context(), read(t, dir, "historical/v1.0.0-sigstore/model.sig"), identityVerifier(t, corpusIdentity, corpusIssuer, nil))
	if !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(sigstore.Hint(err), "--trusted-root") {
		t.Errorf("error is %v, want %v with a way out", err, verify.ErrUnavailable)
	}
}
