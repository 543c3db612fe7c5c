// Package omstest holds what tests of several packages need of signatures: the
// corpus of real ones, and small ones made on the spot. Only tests import it.
package omstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// Corpus returns the folder of the corpus: OMS_CORPUS where that is set, else
// shared/corpus beside the project. Where there is none the test is skipped, or
// fails if CI is "true".
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("OMS_CORPUS")
	if dir == "" {
		dir = filepath.Join(projectRoot(t), "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "historical")); err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no corpus at %s: set OMS_CORPUS to its folder", dir)
	}
	t.Skipf("no corpus at %s: set OMS_CORPUS to its folder to run this test", dir)
	return ""
}

// projectRoot returns the nearest folder above the test's package that holds
// go.mod.
func projectRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod in any folder above the test")
		}
		dir = parent
	}
}

// Manifest returns the manifest of a model with these files, path to content, by
// SHA-256 and whole files.
func Manifest(t testing.TB, name string, files map[string]string) *oms.Manifest {
	t.Helper()
	var rs []oms.Resource
	for path, content := range files {
		digest := sha256.Sum256([]byte(content))
		rs = append(rs, oms.Resource{Path: path, Digest: digest[:]})
	}
	s := oms.Serialization{Method: oms.Files, HashType: oms.SHA256, IgnorePaths: oms.DefaultIgnored()}
	m, err := oms.NewManifest(name, s, rs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Statement returns the payload for a manifest.
func Statement(t testing.TB, m *oms.Manifest) []byte {
	t.Helper()
	payload, err := m.Statement()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// KeyBundle signs a payload with a key and returns the bundle, with a hint in the
// form that other signers write.
func KeyBundle(t testing.TB, key *ecdsa.PrivateKey, payload []byte) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	hint := sha256.Sum256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return encode(t, oms.Bundle{
		Material:  oms.MaterialKey,
		KeyHint:   hex.EncodeToString(hint[:]),
		Payload:   payload,
		Signature: sign(t, key, oms.PAE(oms.PayloadType, payload)),
	})
}

// CertificateBundle signs a payload with a key and returns the bundle with this
// chain of DER certificates, leaf first, which it takes as it is.
func CertificateBundle(t testing.TB, key *ecdsa.PrivateKey, chain [][]byte, payload []byte) []byte {
	t.Helper()
	return encode(t, oms.Bundle{
		Material:     oms.MaterialCertificate,
		Certificates: chain,
		Payload:      payload,
		Signature:    sign(t, key, oms.PAE(oms.PayloadType, payload)),
	})
}

func encode(t testing.TB, in oms.Bundle) []byte {
	t.Helper()
	b, err := oms.EncodeBundle(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sign signs with the hash that goes with the key's curve.
func sign(t testing.TB, key *ecdsa.PrivateKey, message []byte) []byte {
	t.Helper()
	hash := crypto.SHA256
	switch key.Curve.Params().BitSize {
	case 384:
		hash = crypto.SHA384
	case 521:
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write(message)
	sig, err := ecdsa.SignASN1(rand.Reader, key, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
