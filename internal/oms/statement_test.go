package oms_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The whole text, so that a change of it is a decision.
func TestStatementText(t *testing.T) {
	s := wholeFiles
	s.IgnorePaths = []string{".git", "a \"b\""}
	s.AllowSymlinks = true
	m, err := oms.NewManifest("mödel", s, []oms.Resource{file("q\"\\\n\x01<é😀"), file("a")})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_type":"https://in-toto.io/Statement/v1",` +
		`"subject":[{"name":"mödel","digest":{"sha256":"9edda5b97e7a342a9d1c4502def02c38a0036f3076c15a38ca21414969fe0834"}}],` +
		`"predicateType":"https://model_signing/signature/v1.0","predicate":{"resources":[` +
		`{"name":"a","digest":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","algorithm":"sha256"},` +
		`{"name":"q\"\\\n\u0001<é😀","digest":"0f13b26e6728b25d8267a02f5d140e6abce769ca933cc5c140ea14d5ae50f509","algorithm":"sha256"}],` +
		`"serialization":{"method":"files","hash_type":"sha256","allow_symlinks":true,"ignore_paths":[".git","a \"b\""]}}}`
	if got := string(statement(t, m)); got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}

	m = manifest(t, inShards(1_000_000_000), shard("w", 0, 7))
	want = `"resources":[{"name":"w:0:7","digest":"a8b01763f7ba0a7eda5a871cb015d940bc1d16bf705c76e458743eff66ee186d","algorithm":"sha256-sharded-1000000000"}],` +
		`"serialization":{"method":"shards","hash_type":"sha256","shard_size":1000000000,"allow_symlinks":false}}}`
	if got := string(statement(t, m)); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nexpected an end of\n%s", got, want)
	}
}

// encoding/json reads the names as they were, which are odd.
func TestStatementNames(t *testing.T) {
	var rs []oms.Resource
	for c := range rune(0x3000) {
		if c != 0 && c != '/' && c != '.' {
			rs = append(rs, file(string(c)), file("dir"+string(c)+"/"+string(c)))
		}
	}
	m := manifest(t, wholeFiles, rs...)
	var got struct {
		Predicate struct {
			Resources []struct{ Name, Digest, Algorithm string }
		}
	}
	if err := json.Unmarshal(statement(t, m), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Predicate.Resources) != len(m.Resources) {
		t.Fatalf("%d resources, expected %d", len(got.Predicate.Resources), len(m.Resources))
	}
	for i, r := range got.Predicate.Resources {
		if want := m.Resources[i]; r.Name != want.Path || r.Digest != hex.EncodeToString(want.Digest) || r.Algorithm != "sha256" {
			t.Errorf("got %q, expected %q", r, want.Path)
		}
	}
}

func TestStatementRefuses(t *testing.T) {
	legacy := manifest(t, wholeFiles, file("a"))
	legacy.Legacy = true
	mangled := manifest(t, wholeFiles, file("a"))
	mangled.Resources[0].Path = "\xff"
	for problem, m := range map[string]*oms.Manifest{
		"a manifest of version 0.2 is not written again": legacy,
		"path is not valid UTF-8":                        mangled,
	} {
		_, err := m.Statement()
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), problem) {
			t.Errorf("%v, expected %s", err, problem)
		}
	}
}

func TestStatementTooLarge(t *testing.T) {
	large(t)
	m := manifest(t, wholeFiles, file("a"))
	long := file(strings.Repeat("a", oms.MaxPathLength))
	for range 50_000 {
		m.Resources = append(m.Resources, long)
	}
	_, err := m.Statement()
	if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), "at most 198180864 fit into a bundle") {
		t.Error(err)
	}
}
