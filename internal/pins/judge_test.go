package pins_test

import (
	"crypto/elliptic"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

func judge(t *testing.T, p policy.Policy) *pins.Judge {
	t.Helper()
	j, err := pins.NewJudge(url, p)
	if err != nil || j == nil {
		t.Fatal(j, err)
	}
	return j
}

func TestJudge(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	here, elsewhere := verifytest.NewInstance(t), verifytest.NewInstance(t)
	payload := omstest.Statement(t, omstest.Manifest(t, "model", map[string]string{"a.bin": "a"}))
	p := policy.Policy{KnownSigners: filepath.Join(dir, "known"), Trust: policy.Trust{TrustedRoot: write("root.json", here.TrustedRoot(t, false))}}
	alice := here.Bundle(t, "alice@example.com", issuer, payload)
	mallory := here.Bundle(t, "mallory@example.com", issuer, payload)
	other := elsewhere.Bundle(t, "alice@example.com", issuer, payload)
	byKey := omstest.KeyBundle(t, verifytest.NewKey(t, elliptic.P256()), payload)

	// Nobody is known.
	j := judge(t, p)
	if j.Missing("model.sig") != nil || len(j.Pins()) != 0 {
		t.Error("somebody is known")
	}
	for name, bundle := range map[string][]byte{"another instance": other, "a key": byKey} {
		if _, _, _, err := j.Manifest(t.Context(), bundle, "model.sig"); !errors.Is(err, pins.ErrUnknown) || errors.Is(err, pins.ErrSelfAsserted) != (name == "a key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, signer, known, err := j.Manifest(t.Context(), alice, "model.sig")
	if err != nil || m == nil || known || signer.Identity != "alice@example.com" {
		t.Fatalf("first use: %v, %v, %v", signer, known, err)
	}
	if _, err := os.Stat(p.KnownSigners); err == nil {
		t.Error("looking at a signature has pinned its signer")
	}

	// Alice is pinned, by this process and then by no other.
	second := judge(t, p)
	if err := j.Pin(t.Context(), "model.sig", signer); err != nil {
		t.Fatal(err)
	}
	var change *pins.Change
	if err := second.Pin(t.Context(), "model.sig", &verify.Signer{Method: "sigstore", Identity: "mallory@example.com", Issuer: issuer}); !errors.As(err, &change) || change.Pinned.Identity != "alice@example.com" {
		t.Errorf("pinned over another's pin: %v", err)
	}
	j = judge(t, p)
	if _, signer, known, err := j.Manifest(t.Context(), alice, "model.sig"); err != nil || !known || signer.Identity != "alice@example.com" {
		t.Errorf("the pinned signer: %v, %v, %v", signer, known, err)
	}
	if _, _, known, err := j.Manifest(t.Context(), mallory, "other.sig"); err != nil || known {
		t.Errorf("another path: %v, %v", known, err)
	}
	if c := j.Missing("model.sig"); c == nil || c.Pinned.Identity != "alice@example.com" {
		t.Errorf("missing: %v", c)
	}
	for name, c := range map[string]struct {
		bundle []byte
		found  string
	}{
		"another signer": {mallory, "mallory@example.com (" + issuer + ")"},
		"a key":          {byKey, "signed with a key"},
		"another issuer": {here.Bundle(t, "alice@example.com", "https://other.example", payload), "alice@example.com (https://other.example)"},
	} {
		m, signer, known, err := j.Manifest(t.Context(), c.bundle, "model.sig")
		if m != nil || signer != nil || known || !errors.As(err, &change) || change.Found != c.found || (change.Signer == nil) != (name == "a key") {
			t.Errorf("%s: %v, %v, %v, %+v", name, m, signer, err, change)
		}
	}
	if _, _, _, err := j.Manifest(t.Context(), other, "model.sig"); !errors.Is(err, verify.ErrUntrusted) || errors.Is(err, pins.ErrUnknown) {
		t.Errorf("another instance in place of the pinned signer's: %v", err)
	}
}

// Where the policy says whom to believe, or nothing tells one repository from
// another, pins have no say.
func TestNewJudge(t *testing.T) {
	known := filepath.Join(t.TempDir(), "known")
	for name, c := range map[string]struct {
		url string
		p   policy.Policy
	}{
		"a signer is named": {url, policy.Policy{KnownSigners: known, Trust: policy.Trust{PublicKeys: []string{"/k"}}}},
		"no pins":           {url, policy.Policy{KnownSigners: known, FirstUse: policy.NoPins}},
		"no URL":            {"", policy.Policy{KnownSigners: known}},
	} {
		if j, err := pins.NewJudge(c.url, c.p); j != nil || err != nil {
			t.Errorf("%s: %v, %v", name, j, err)
		}
	}
	if err := os.WriteFile(known, []byte("what?\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pins.NewJudge(url, policy.Policy{KnownSigners: known}); !errors.Is(err, policy.ErrConfig) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestStranger(t *testing.T) {
	j := judge(t, policy.Policy{KnownSigners: filepath.Join(t.TempDir(), "known")})
	known := []pins.Pin{pin("a/model.sig", "alice"), pin("b/c/model.sig", "bob"), pin("b2c/d/model.sig", "bob")}
	for _, c := range []struct {
		signature, identity string
		stranger            bool
	}{
		{"model.sig", "mallory", true}, {"a/x.oms.sig", "mallory", true}, {"b/model.sig", "mallory", true},
		{"a/new/model.sig", "mallory", false}, {"d/model.sig", "mallory", false}, {"b2/model.sig", "mallory", false}, {"model.sig", "bob", false}, {"a/x.oms.sig", "bob", false},
	} {
		signer := &verify.Signer{Method: "sigstore", Identity: c.identity, Issuer: issuer}
		if change := j.Stranger(known, c.signature, signer); (change != nil) != c.stranger {
			t.Errorf("%s by %s: %v", c.signature, c.identity, change)
		}
	}
}

// Of lines that differ by spelling only, where that means nothing, none wins over another.
func TestJudgeOfTwoCases(t *testing.T) {
	known := filepath.Join(t.TempDir(), "known")
	if err := os.WriteFile(known, []byte(twoCases), 0o644); err != nil {
		t.Fatal(err)
	}
	here := verifytest.NewInstance(t)
	root := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(root, here.TrustedRoot(t, false), 0o644); err != nil {
		t.Fatal(err)
	}
	payload := omstest.Statement(t, omstest.Manifest(t, "model", map[string]string{"a.bin": "a"}))
	j, err := pins.NewJudge("https://huggingface.co/acme/BERT", policy.Policy{KnownSigners: known, Trust: policy.Trust{TrustedRoot: root}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ signature, identity, pinned string }{
		{"model.sig", "alice@example.com", "mallory@example.com"},
		{"model.sig", "mallory@example.com", "alice@example.com"},
		{"model.sig", "bob@example.com", "alice@example.com"},
		{"sub/model.sig", "mallory@example.com", "alice@example.com"},
		{"sub/model.sig", "alice@example.com", ""},
	} {
		_, signer, known, err := j.Manifest(t.Context(), here.Bundle(t, c.identity, issuer, payload), c.signature)
		var change *pins.Change
		if c.pinned == "" {
			if err != nil || !known || signer.Identity != c.identity {
				t.Errorf("%s by %s: %v, %v", c.signature, c.identity, known, err)
			}
			continue
		}
		if !errors.As(err, &change) || change.Pinned.Identity != c.pinned || strings.Contains(err.Error(), "two signers") != (c.signature == "model.sig") {
			t.Errorf("%s by %s: %v, %+v", c.signature, c.identity, err, change)
		}
		now := &verify.Signer{Method: "sigstore", Identity: c.identity, Issuer: issuer}
		if err := j.Pin(t.Context(), c.signature, now); !errors.As(err, &change) {
			t.Errorf("%s by %s was pinned: %v", c.signature, c.identity, err)
		}
	}
	// Nor is a disputed signer one that may sign more; alice is pinned beyond dispute too.
	for identity, stranger := range map[string]bool{"mallory@example.com": true, "alice@example.com": false} {
		now := &verify.Signer{Method: "sigstore", Identity: identity, Issuer: issuer}
		if change := j.Stranger(j.Pins(), "new.oms.sig", now); (change != nil) != stranger {
			t.Errorf("a new signature by %s: %v", identity, change)
		}
	}
	if err := j.Pin(t.Context(), "sub/model.sig", &verify.Signer{Method: "sigstore", Identity: "alice@example.com", Issuer: issuer}); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(known); err != nil || string(b) != twoCases {
		t.Errorf("%v, the file is now\n%s", err, b)
	}
}
