package verify_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

const (
	corpusIdentity = "stefanb@us.ibm.com"
	corpusIssuer   = "https://sigstore.verify.ibm.com/oauth2"
)

// corpusVerifiers returns what the corpus says to trust, one verifier for each method.
func corpusVerifiers(t testing.TB) (dir string, vs []verify.Verifier) {
	t.Helper()
	dir = omstest.Corpus(t)
	key, err := verify.NewKey(read(t, dir, "keys/signing-key-pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := verify.NewCertificate([][]byte{read(t, dir, "keys/ca-cert.pem")})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := verify.NewSigstore(verify.SigstoreOptions{
		Identity: corpusIdentity, Issuer: corpusIssuer, TrustedRoot: read(t, dir, "sigstore/trusted_root.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, []verify.Verifier{key, cert, sig}
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCorpus holds real signatures, made by other programs over the years, to the verdicts that are known for them.
func TestCorpus(t *testing.T) {
	const (
		key         = "key SHA256:e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e"
		certificate = "certificate CN=intermediate-ca, issued by CN=intermediate-ca, fingerprint SHA256:da3662b630eb0f585c33f114a076b8da2ceda0f275cb578e6d1d9cab84c04d3b"
		identity    = "stefanb@us.ibm.com (https://sigstore.verify.ibm.com/oauth2)"
	)
	dir, trusted := corpusVerifiers(t)
	for name, want := range map[string]string{
		"v0.2.0-certificate":  certificate,
		"v0.3.1-certificate":  certificate,
		"v1.0.0-certificate":  certificate,
		"v0.3.1-elliptic-key": key,
		"v1.0.0-elliptic-key": key,
		"v0.3.1-sigstore":     identity + ", logged 2025-05-03 01:10 UTC, index 206342049",
		"v1.0.0-sigstore":     identity + ", logged 2025-05-03 01:34 UTC, index 206344181",
	} {
		t.Run(name, func(t *testing.T) {
			m, signer, err := verify.Manifest(t.Context(), read(t, dir, "historical/"+name+"/model.sig"), trusted...)
			if err != nil {
				t.Fatal(err)
			}
			if got := signer.String(); got != want {
				t.Errorf("signed by %s, want %s", got, want)
			}
			if len(m.Resources) == 0 {
				t.Error("manifest lists nothing")
			}
		})
	}
}

// TestCorpusVectors holds the specification's own examples to their folders' names; the valid ones were made by the same
// signers as the rest of the corpus.
func TestCorpusVectors(t *testing.T) {
	dir, trusted := corpusVerifiers(t)
	files, err := filepath.Glob(filepath.Join(dir, "vectors", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		_, _, err := verify.Manifest(t.Context(), read(t, filepath.Dir(file), filepath.Base(file)), trusted...)
		switch folder := filepath.Base(filepath.Dir(file)); {
		case folder == "valid" && err != nil:
			t.Errorf("%s: %v", file, err)
		case folder == "invalid" && !errors.Is(err, oms.ErrFormat):
			t.Errorf("%s: %v, want a format error", file, err)
		case folder != "valid" && err == nil:
			t.Errorf("%s is accepted", file)
		}
	}
}
