package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// TestSigstackReferenceSigner has each signer verify what the other has signed, with the same trust configuration.
func TestSigstackReferenceSigner(t *testing.T) {
	s := newStackSession(t)
	p := &peers{s.session, needs.Python(t, venv.ReferenceSigner())}
	trust := s.file("trust.json")
	theirs := func(identity string) result {
		return s.run(p.theirProgram(), "verify", "sigstore", "--signature", s.path("ours.sig"), "--identity", identity,
			"--identity_provider", s.issuer, "--trust_config", trust, s.path("model"))
	}
	s.mustSign(trust, "model", "first.sig") // it does not read the proof of a log's only entry, which has no hashes
	s.mustSign(trust, "model", "ours.sig")
	if r := theirs("alice@example.com"); r.status != 0 {
		t.Errorf("the reference signer does not verify ours\n%s", r.said())
	}
	if r := theirs("mallory@example.com"); r.status == 0 {
		t.Errorf("the reference signer verifies ours as somebody else's\n%s", r.said())
	}
	token, err := s.token("", "email=alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	p.theirs("sign", "sigstore", "--signature", s.path("theirs.sig"), "--identity_token", token, "--trust_config", trust, s.path("model"))
	if r := s.verify(trust, "theirs.sig"); r.status != 0 {
		t.Errorf("we do not verify what the reference signer signs\n%s", r.said())
	}
}

// TestSigstackRekor1 signs at an instance whose log is Rekor v1, which says itself when it took the entry.
func TestSigstackRekor1(t *testing.T) {
	s := newStackSession(t)
	s.needLong(t)
	trust := s.file("v1.json")
	s.mustSign(trust, "model", "first.sig")
	s.mustSign(trust, "model", "model.sig")
	if r := s.verify(trust, "model.sig"); r.status != 0 {
		t.Errorf("what was signed does not verify\n%s", r.said())
	}
	for name, change := range map[string]func(bundleJSON){
		"promise":      func(b bundleJSON) { b.entry().at("inclusionPromise").flipBit("signedEntryTimestamp") },
		"time":         func(b bundleJSON) { b.entry()["integratedTime"] = "1" },
		"body":         func(b bundleJSON) { b.entry().flipBit("canonicalizedBody") },
		"both removed": func(b bundleJSON) { delete(b.entry(), "inclusionPromise"); delete(b.entry(), "inclusionProof") },
		"hash": func(b bundleJSON) {
			hashes := b.proof()["hashes"].([]any)
			h := bundleJSON{"h": hashes[0]}
			h.flipBit("h")
			hashes[0] = h["h"]
		},
	} {
		s.changed(s.path("model.sig"), "changed.sig", change)
		if r := s.verify(trust, "changed.sig"); r.status != 1 {
			t.Errorf("%s changed: exit status %d, want 1\n%s", name, r.status, r.said())
		}
	}
	if r := s.verify(s.file("trust.json"), "model.sig"); r.status != 1 {
		t.Errorf("at an instance with another log: exit status %d, want 1\n%s", r.status, r.said())
	}
}

// TestSigstackCosign has cosign, which knows nothing of models, verify that alice signed the statement in our bundle.
func TestSigstackCosign(t *testing.T) {
	s := newStackSession(t)
	s.needLong(t)
	cosign := filepath.Join(os.Getenv("MODELSIGN_SIGSTACK_PROGRAMS"), "cosign")
	s.mustSign(s.file("trust.json"), "model", "first.sig")
	s.mustSign(s.file("trust.json"), "model", "model.sig")
	verify := func(identity string) result {
		return s.run(cosign, "verify-blob-attestation", "--bundle", s.path("model.sig"), "--trusted-root", s.file("trusted_root.json"),
			"--certificate-identity", identity, "--certificate-oidc-issuer", s.issuer, "--check-claims=false",
			"--type", "https://model_signing/signature/v1.0", s.path("model/config.json"))
	}
	if r := verify("alice@example.com"); r.status != 0 {
		t.Errorf("cosign does not verify our bundle\n%s", r.said())
	}
	if r := verify("mallory@example.com"); r.status == 0 {
		t.Errorf("cosign verifies our bundle as somebody else's\n%s", r.said())
	}
}
