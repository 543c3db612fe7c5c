package oms_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// checkRefusal holds an error about foreign bytes to what callers may rely on.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, oms.ErrFormat) {
		t.Errorf("not an ErrFormat: %v", err)
	}
	if text := err.Error(); strings.ContainsAny(text, "\n\r\x1b\x00") || len(text) > 4096 {
		t.Errorf("unsafe text: %q", text)
	}
}

// A bundle that is read can be written, where its kind is written at all, and is
// then read as the same one.
func FuzzParseBundle(f *testing.F) {
	for _, text := range []string{
		bundle(keyMaterial),
		bundle(`"publicKey":{"rawBytes":"a2V5","keyDetails":"PKIX_ECDSA_P384_SHA_256"}`),
		bundle(chainMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AA=="}]}`),
		bundle(certificateMaterial + "," + oneLogEntry),
		bundle(keyMaterial + `,"tlogEntries":null,"certificate":null`),
		strings.Replace(bundle(keyMaterial), `"keyid":""`, `"k\u0065yid":null`, 1),
		`{"mediaType":[{}]}`, `{"a":1,"a":2}`, `[[[[`, "\xff", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := oms.ParseBundle(data)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if b.Material == oms.MaterialSigstore || b.Material == oms.MaterialKey && b.KeyHint == "" {
			return
		}
		in := *b
		in.MediaType = ""
		text, err := oms.EncodeBundle(in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := oms.ParseBundle(text)
		if err != nil {
			t.Fatal(err)
		}
		if again.Material != b.Material || again.KeyHint != b.KeyHint || !bytes.Equal(again.Payload, b.Payload) || !bytes.Equal(again.Signature, b.Signature) ||
			!bytes.Equal(bytes.Join(again.Certificates, []byte("|")), bytes.Join(b.Certificates, []byte("|"))) ||
			!bytes.Equal(bytes.Join(again.Timestamps, []byte("|")), bytes.Join(b.Timestamps, []byte("|"))) {
			t.Errorf("got %+v, expected %+v", again, b)
		}
	})
}

// A statement that is read can be written, and is then read as the same
// manifest.
func FuzzParseStatement(f *testing.F) {
	f.Add(listed(asFiles, "sha256", "b", "a/c", "é"))
	f.Add(listed(asFiles+`,"ignore_paths":[".git"]`, "sha256", "."))
	f.Add(listed(asShards, "sha256-sharded-5", "w:5:6", "w:0:5"))
	f.Add(listed(strings.Replace(asShards, ":5", ":0.5e1", 1), "sha256", "w:0:5"))
	f.Add(legacyStatement("a", "b"))
	f.Add([]byte(`{"predicate":{"resources":[{"name":"\ud800"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := oms.ParseStatement(data)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		for _, r := range m.Resources {
			if err := oms.CheckPath(r.Path); err != nil && r.Path != "." {
				t.Error(err)
			}
		}
		text, err := m.Statement()
		if m.Legacy {
			if err == nil {
				t.Error("a manifest of version 0.2 was written")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := oms.ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		equalManifests(t, again, m)
	})
}

// A path that is taken has the properties that the rest of the program needs,
// and makes a manifest that is read again.
func FuzzCheckPath(f *testing.F) {
	for _, path := range []string{"a/b", "a/../b", "/a", "a/", "a//b", ".", "..", "a\x00", "a\xff", "a:0:5", `\`, "é"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if err := oms.CheckPath(path); err != nil {
			checkRefusal(t, err)
			return
		}
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || part == "." || part == ".." || strings.Contains(part, "\x00") {
				t.Errorf("%q was taken", path)
			}
		}
		for _, m := range []*oms.Manifest{manifest(t, wholeFiles, file(path)), manifest(t, inShards(5), shard(path, 0, 5), shard(path, 5, 7))} {
			got, err := oms.ParseStatement(statement(t, m))
			if err != nil {
				t.Fatal(err)
			}
			equalManifests(t, got, m)
		}
	})
}

// The encoding holds printable ASCII only, and gives the payload back.
func FuzzLegacyPAE(f *testing.F) {
	for _, tt := range pythonBytes {
		f.Add([]byte(tt.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		text := oms.LegacyPAE(oms.PayloadType, payload)
		for _, c := range text {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %#x in %q", c, text)
			}
		}
		_, literal, ok := bytes.Cut(text, []byte(" b"))
		if got := unpython(literal); !ok || !bytes.Equal(got, payload) {
			t.Errorf("%q stands for %q, expected %q", literal, got, payload)
		}
	})
}

// unpython evaluates the part of a Python bytes literal that follows the b.
func unpython(literal []byte) []byte {
	var out []byte
	quote, body := literal[0], literal[1:len(literal)-1]
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == quote {
			return nil // the literal ends early
		}
		if c == '\\' {
			i++
			switch body[i] {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'x':
				c = byte(strings.IndexByte(hexDigits, body[i+1])<<4 | strings.IndexByte(hexDigits, body[i+2]))
				i += 2
			default:
				c = body[i]
			}
		}
		out = append(out, c)
	}
	return out
}

const hexDigits = "0123456789abcdef"
