package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
)

// TestCorpus gives every case of the corpus of real signatures to the program, and wants the verdict that the corpus's README states.
// The private HOME has no way out: what verifies here verifies without the network.
func TestCorpus(t *testing.T) {
	corpus := omstest.Corpus(t)
	file := func(parts ...string) string { return filepath.Join(append([]string{corpus}, parts...)...) }
	certificate := []string{"--certificate-chain", file("keys", "ca-cert.pem")}
	key := []string{"--public-key", file("keys", "signing-key-pub.pem")}
	sigstore := []string{"--trusted-root", file("sigstore", "trusted_root.json"),
		"--identity", "stefanb@us.ibm.com", "--identity-provider", "https://sigstore.verify.ibm.com/oauth2"}

	for _, tt := range []struct {
		folder string
		model  string // inside the folder
		trust  []string
		signer string // what the verdict must say
	}{
		{"v0.2.0-certificate", ".", certificate, "CN="},
		{"v0.3.1-certificate", ".", certificate, "CN="},
		{"v1.0.0-certificate", ".", certificate, "CN="},
		{"v0.3.1-elliptic-key", "signme-1", key, "SHA256:"},
		{"v1.0.0-elliptic-key", "signme-1", key, "SHA256:"},
		{"v0.3.1-sigstore", ".", sigstore, "stefanb@us.ibm.com"},
		{"v1.0.0-sigstore", ".", sigstore, "stefanb@us.ibm.com"},
	} {
		t.Run(tt.folder, func(t *testing.T) {
			s := newSession(t)
			if err := os.CopyFS(s.path("case"), os.DirFS(file("historical", tt.folder))); err != nil {
				t.Fatal(err)
			}
			model := filepath.Join(s.path("case"), tt.model)
			verify := append(append([]string{"verify", "--signature", s.path("case/model.sig")}, tt.trust...), model)
			r := s.exits(0, "git-model-sign", verify...)
			if !strings.Contains(r.stdout, "verified") || !strings.Contains(r.stdout, tt.signer) {
				t.Errorf("does not say that it is verified, or by %s:\n%s", tt.signer, r.said())
			}
			s.exits(0, "git-model-sign", "show", s.path("case/model.sig"))

			if err := flipByte(s.path("case/signme-1")); err != nil {
				t.Fatal(err)
			}
			if r := s.exits(1, "git-model-sign", verify...); !strings.Contains(r.stdout, "signme-1") {
				t.Errorf("an altered signme-1 is not named:\n%s", r.said())
			}
		})
	}
	t.Run("vectors", func(t *testing.T) { testVectors(t, file("vectors")) })
}

// testVectors goes through the specification's own examples: which are well formed, and why the others are not.
func testVectors(t *testing.T, dir string) {
	for name, reason := range map[string]string{
		"valid/key":                             "",
		"valid/certificate":                     "",
		"valid/sigstore":                        "",
		"invalid/empty":                         "empty|media",
		"invalid/missing-envelope":              "envelope",
		"invalid/missing-tlog-entries":          "tlog|log entr",
		"invalid/missing-verification-material": "verification ?material",
		"invalid-payload/wrong-predicate":       "predicate",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			show := []string{"show", "--signature", filepath.Join(dir, filepath.FromSlash(name)+".bundle.json")}
			if reason == "" {
				s.exits(0, "git-model-sign", show...)
				return
			}
			wantLine(t, s.exits(1, "git-model-sign", show...).said(), reason)
			s.write("model/file", "content\n")
			s.keyPair("any", "P-256")
			s.exits(1, "git-model-sign", "verify", "--public-key", s.path("any.pub"), show[1], show[2], s.path("model"))
		})
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*.bundle.json"))
	if err != nil || len(found) != 8 {
		t.Errorf("the corpus has %d vectors, and this test knows 8 (%v)", len(found), err)
	}
}
