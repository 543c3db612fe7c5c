package oms_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
)

// parse reads a bundle and its statement, as a verifier would without looking at
// the signature in between.
func parse(data []byte) (*oms.Bundle, *oms.Manifest, error) {
	b, err := oms.ParseBundle(data)
	if err != nil {
		return nil, nil, err
	}
	m, err := oms.ParseStatement(b.Payload)
	return b, m, err
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Signatures that were made by every released version of the reference signer.
func TestHistoricalSignatures(t *testing.T) {
	corpus := omstest.Corpus(t)
	tests := []struct {
		dir      string
		material oms.Material
		certs    int
		tlog     int
		keyBytes bool
		legacy   bool
		paths    string
	}{
		{"v0.2.0-certificate", oms.MaterialCertificate, 2, 0, false, true, "signme-1 signme-2"},
		{"v0.3.1-certificate", oms.MaterialCertificate, 2, 0, false, false, "signme-1 signme-2"},
		{"v0.3.1-elliptic-key", oms.MaterialKey, 0, 0, true, false, "."},
		{"v0.3.1-sigstore", oms.MaterialSigstore, 1, 1, false, false, "signme-1 signme-2"},
		{"v1.0.0-certificate", oms.MaterialCertificate, 2, 0, false, false, "signme-1 signme-2"},
		{"v1.0.0-elliptic-key", oms.MaterialKey, 0, 0, true, false, "."},
		{"v1.0.0-sigstore", oms.MaterialSigstore, 1, 1, false, false, "signme-1 signme-2"},
	}
	for _, tt := range tests {
		t.Run(tt.dir, func(t *testing.T) {
			b, m, err := parse(readFile(t, corpus, "historical", tt.dir, "model.sig"))
			if err != nil {
				t.Fatal(err)
			}
			if b.Material != tt.material || len(b.Certificates) != tt.certs || b.TlogEntries != tt.tlog {
				t.Errorf("%s with %d certificates and %d log entries", b.Material, len(b.Certificates), b.TlogEntries)
			}
			if tt.keyBytes != strings.HasPrefix(string(b.KeyBytes), "-----BEGIN PUBLIC KEY-----") {
				t.Errorf("KeyBytes %q", b.KeyBytes)
			}
			if m.Legacy != tt.legacy || (m.ModelName == "") != tt.legacy {
				t.Errorf("legacy %v, model's name %q", m.Legacy, m.ModelName)
			}
			if m.Serialization.Method != oms.Files || m.Serialization.HashType != oms.SHA256 {
				t.Errorf("serialization %+v", m.Serialization)
			}
			var paths []string
			for _, r := range m.Resources {
				paths = append(paths, r.Path)
			}
			if got := strings.Join(paths, " "); got != tt.paths {
				t.Errorf("paths %q, expected %q", got, tt.paths)
			}
		})
	}
}

// The specification's own examples.
func TestSpecificationVectors(t *testing.T) {
	corpus := omstest.Corpus(t)
	tests := []struct {
		name     string
		material oms.Material // where it is valid
		problem  string       // where it is not
	}{
		{"valid/key", oms.MaterialKey, ""},
		{"valid/certificate", oms.MaterialCertificate, ""},
		{"valid/sigstore", oms.MaterialSigstore, ""},
		{"invalid/empty", 0, "the text is empty"},
		{"invalid/missing-envelope", 0, "no dsseEnvelope"},
		{"invalid/missing-tlog-entries", 0, "a certificate without tlogEntries"},
		{"invalid/missing-verification-material", 0, "no verificationMaterial"},
		{"invalid-payload/wrong-predicate", 0, `predicateType is "https://example.com/wrong-predicate/v1.0"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, _, err := parse(readFile(t, corpus, "vectors", tt.name+".bundle.json"))
			if tt.problem == "" {
				if err != nil {
					t.Fatal(err)
				}
				if b.Material != tt.material {
					t.Errorf("material %s, expected %s", b.Material, tt.material)
				}
				return
			}
			if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%v, expected %s", err, tt.problem)
			}
			if strings.HasPrefix(tt.name, "invalid-payload/") != (b != nil) {
				t.Errorf("the wrong half was refused: %v", err)
			}
		})
	}
}

// Every example has to be in the table above.
func TestSpecificationVectorsAreAllThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(omstest.Corpus(t), "vectors", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 8 {
		t.Errorf("%d vectors, but TestSpecificationVectors knows 8", len(files))
	}
}
