package e2e

import (
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
