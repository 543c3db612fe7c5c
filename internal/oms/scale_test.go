package oms_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// millionResources returns as many files as a manifest may have, in folders of
// a thousand, in the order of the specification.
func millionResources() []oms.Resource {
	rs := make([]oms.Resource, oms.MaxResources)
	for i := range rs {
		digest := make([]byte, 32)
		binary.BigEndian.PutUint64(digest, uint64(i))
		rs[i] = oms.Resource{Path: fmt.Sprintf("data/part-%03d/example-%06d.safetensors", i/1000, i), Digest: digest}
	}
	return rs
}

var wholeFiles = oms.Serialization{Method: oms.Files, HashType: oms.SHA256}

func manifest(t testing.TB, s oms.Serialization, rs ...oms.Resource) *oms.Manifest {
	t.Helper()
	m, err := oms.NewManifest("model", s, rs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func statement(t testing.TB, m *oms.Manifest) []byte {
	t.Helper()
	payload, err := m.Statement()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// keyBundle returns a bundle around a payload, with a signature that is none.
func keyBundle(t testing.TB, payload []byte) []byte {
	t.Helper()
	b, err := oms.EncodeBundle(oms.Bundle{
		Material: oms.MaterialKey, KeyHint: strings.Repeat("0", 64), Payload: payload, Signature: []byte("signature"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// large skips a test of the largest inputs where it would take minutes. Nothing
// here runs on two goroutines, so the race detector would learn nothing from it.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() || raceEnabled {
		t.Skip("hundreds of megabytes: not with -short or -race")
	}
}

// The largest manifest goes through the whole of the format and back.
func TestMillionResources(t *testing.T) {
	large(t)
	rs := millionResources()
	m := manifest(t, wholeFiles, rs...)
	bundle := keyBundle(t, statement(t, m))
	if len(bundle) > oms.MaxBundleSize {
		t.Fatalf("the bundle has %d bytes", len(bundle))
	}
	_, got, err := parse(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if got.RootDigest() != m.RootDigest() || !slices.EqualFunc(got.Resources, rs, equalResource) {
		t.Error("the manifest that was read is not the one that was written")
	}
}

func equalResource(a, b oms.Resource) bool {
	return a.Path == b.Path && a.Start == b.Start && a.End == b.End && slices.Equal(a.Digest, b.Digest)
}

func BenchmarkMillion(b *testing.B) {
	rs := millionResources()
	m := manifest(b, wholeFiles, rs...)
	payload := statement(b, m)
	bundle := keyBundle(b, payload)
	shuffled := slices.Clone(m.Resources)
	for i := range shuffled { // a fixed permutation, as the count is no multiple of 7919
		shuffled[i] = m.Resources[i*7919%len(rs)]
	}
	other := *m
	other.Resources = shuffled
	unordered := statement(b, &other)

	benchmarks := []struct {
		name string
		size int
		run  func() error
	}{
		{"NewManifest", len(payload), func() error { _, err := oms.NewManifest("model", wholeFiles, shuffled); return err }},
		{"Statement", len(payload), func() error { _, err := m.Statement(); return err }},
		{"EncodeBundle", len(bundle), func() error {
			_, err := oms.EncodeBundle(oms.Bundle{Material: oms.MaterialKey, KeyHint: "0", Payload: payload, Signature: []byte("s")})
			return err
		}},
		{"ParseBundle", len(bundle), func() error { _, err := oms.ParseBundle(bundle); return err }},
		{"ParseStatement", len(payload), func() error { _, err := oms.ParseStatement(payload); return err }},
		{"ParseStatementUnordered", len(unordered), func() error { _, err := oms.ParseStatement(unordered); return err }},
		{"PAE", len(payload), func() error { oms.PAE(oms.PayloadType, payload); return nil }},
		{"LegacyPAE", len(payload), func() error { oms.LegacyPAE(oms.PayloadType, payload); return nil }},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(bm.size))
			b.ReportAllocs()
			for b.Loop() {
				if err := bm.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
