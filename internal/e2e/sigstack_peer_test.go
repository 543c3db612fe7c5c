package e2e

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
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
		"promise":       func(b bundleJSON) { b.entry().at("inclusionPromise").flipBit("signedEntryTimestamp") },
		"time":          func(b bundleJSON) { b.entry()["integratedTime"] = "1" },
		"body":          func(b bundleJSON) { b.entry().flipBit("canonicalizedBody") },
		"both removed":  func(b bundleJSON) { delete(b.entry(), "inclusionPromise"); delete(b.entry(), "inclusionProof") },
		"hash":          changeProof,
		"kind":          func(b bundleJSON) { b.entry().at("kindVersion")["kind"] = "intoto" },
		"version":       func(b bundleJSON) { b.entry().at("kindVersion")["version"] = "0.0.2" },
		"root hash":     func(b bundleJSON) { b.proof().flipBit("rootHash") },
		"tree size":     func(b bundleJSON) { b.proof()["treeSize"] = "1000000" },
		"index":         func(b bundleJSON) { b.entry()["logIndex"] = "1000000" },
		"proof's index": func(b bundleJSON) { b.proof()["logIndex"] = "0" },
		// Though the promise tells the time:
		"timestamp":            func(b bundleJSON) { b.stamp()["signedTimestamp"] = "AAAA" },
		"timestamp of another": s.partOf("first.sig", "timestampVerificationData"),
		"entries": func(b bundleJSON) {
			other := s.bundle("first.sig").entry()
			other.at("logId").flipBit("keyId") // of a log that nobody knows
			m := b.at("verificationMaterial")
			m["tlogEntries"] = append(m["tlogEntries"].([]any), other)
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

// TestSigstackCosign has cosign, which knows nothing of models, be an independent witness: that alice signed the statement in our
// bundle, and that its subject has the root digest that we print. At both kinds of log.
func TestSigstackCosign(t *testing.T) {
	s := newStackSession(t)
	s.needLong(t)
	for _, prefix := range []string{"", "v1."} {
		trust := s.file(cmp.Or(prefix, "trust.") + "json")
		s.mustSign(trust, "model", "first.sig") // so that the proof of the next has hashes
		s.mustSign(trust, "model", "model.sig")
		s.cosignWitnesses(s.file(prefix + "trusted_root.json"))
	}
}

// cosignWitnesses has cosign accept model.sig, and refuse it as anything else and whatever is changed in it.
func (s *stackSession) cosignWitnesses(root string) {
	s.t.Helper()
	digest := strings.TrimSpace(strings.TrimPrefix(s.exits(0, "git-model-sign", "digest", s.path("model")).stdout, "sha256:"))
	options := map[string]string{
		"bundle": s.path("model.sig"), "trusted-root": root, "certificate-identity": "alice@example.com", "certificate-oidc-issuer": s.issuer,
		"type": "https://model_signing/signature/v1.0", "digest": digest, "digestAlg": "sha256",
	}
	cosign := func(option, value string) result {
		args := []string{"verify-blob-attestation"}
		for name, v := range options {
			if name == option {
				v = value
			}
			args = append(args, "--"+name+"="+v)
		}
		return s.run(filepath.Join(os.Getenv("MODELSIGN_SIGSTACK_PROGRAMS"), "cosign"), args...)
	}
	if r := cosign("", ""); r.status != 0 || !strings.Contains(r.said(), "Verified OK") {
		s.t.Fatalf("cosign does not verify our bundle\n%s", r.said())
	}
	for option, c := range map[string]struct{ value, said string }{
		"certificate-identity":    {"mallory@example.com", "expected SAN value"},
		"certificate-oidc-issuer": {"https://accounts.google.com", "expected issuer value"},
		"type":                    {"https://model_signing/Digests/v0.1", "invalid predicate type"},
		"digest":                  {strings.Repeat("0", len(digest)), "digest does not match"},
		"trusted-root":            {s.file("other.trusted_root.json"), "log"},
	} {
		if r := cosign(option, c.value); r.status == 0 || !strings.Contains(r.said(), c.said) {
			s.t.Errorf("--%s %s: exit status %d, want it refused with %q\n%s", option, c.value, r.status, c.said, r.said())
		}
	}
	for name, change := range map[string]func(bundleJSON){
		"payload":           changePayload,
		"signature":         func(b bundleJSON) { b.at("dsseEnvelope", "signatures").flipBit("sig") },
		"certificate":       flipSCT,
		"proof":             changeProof,
		"log entry removed": func(b bundleJSON) { delete(b.at("verificationMaterial"), "tlogEntries") },
		"another's entry":   s.partOf("first.sig", "tlogEntries"),
	} {
		if r := cosign("bundle", s.changed(s.path("model.sig"), "changed.sig", change)); r.status == 0 {
			s.t.Errorf("cosign verifies a bundle with another %s\n%s", name, r.said())
		}
	}
}
