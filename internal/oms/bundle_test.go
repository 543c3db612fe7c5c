package oms_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

const (
	keyMaterial         = `"publicKey":{"hint":"abc"}`
	chainMaterial       = `"x509CertificateChain":{"certificates":[{"rawBytes":"bGVhZg=="},{"rawBytes":"Y2E="}]}`
	certificateMaterial = `"certificate":{"rawBytes":"bGVhZg=="}`
	oneLogEntry         = `"tlogEntries":[{"logIndex":"1","kindVersion":{"kind":"dsse"}}]`
)

// bundle returns a bundle with this verification material around the payload
// "payload", whose signature is "signature".
func bundle(material string) string {
	return `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",` +
		`"verificationMaterial":{` + material + `},` +
		`"dsseEnvelope":{"payload":"cGF5bG9hZA==","payloadType":"application/vnd.in-toto+json",` +
		`"signatures":[{"sig":"c2lnbmF0dXJl","keyid":""}]}}`
}

func TestParseBundle(t *testing.T) {
	rawKey := `"publicKey":{"rawBytes":"a2V5","keyDetails":"PKIX_ECDSA_P384_SHA_256"}`
	tests := []struct {
		name, text string
		want       oms.Bundle
	}{
		{"key", bundle(keyMaterial), oms.Bundle{Material: oms.MaterialKey, KeyHint: "abc"}},
		{"key, no log entries", bundle(keyMaterial + `,"tlogEntries":[]`), oms.Bundle{Material: oms.MaterialKey, KeyHint: "abc"}},
		{"key, empty hint", bundle(`"publicKey":{"hint":""}`), oms.Bundle{Material: oms.MaterialKey}},
		{"key before 1.1", bundle(rawKey), oms.Bundle{Material: oms.MaterialKey, KeyBytes: []byte("key")}},
		{"key, with the others null", bundle(`"certificate":null,` + keyMaterial + `,"x509CertificateChain":null,"tlogEntries":null,"timestampVerificationData":null`), oms.Bundle{Material: oms.MaterialKey, KeyHint: "abc"}},
		{"chain", bundle(chainMaterial), oms.Bundle{Material: oms.MaterialCertificate, Certificates: [][]byte{[]byte("leaf"), []byte("ca")}}},
		{"chain with timestamps", bundle(chainMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AA=="},{"signedTimestamp":"AAA="}]}`), oms.Bundle{Material: oms.MaterialCertificate, Certificates: [][]byte{[]byte("leaf"), []byte("ca")}, Timestamps: [][]byte{{0}, {0, 0}}}},
		{"sigstore", bundle(oneLogEntry + "," + certificateMaterial), oms.Bundle{Material: oms.MaterialSigstore, Certificates: [][]byte{[]byte("leaf")}, TlogEntries: 1}},
	}
	for _, tt := range tests {
		got, err := oms.ParseBundle([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if string(got.Payload) != "payload" || string(got.Signature) != "signature" || got.PayloadType != oms.PayloadType ||
			got.MediaType != oms.BundleMediaType || string(got.Raw) != tt.text {
			t.Errorf("%s: got %+v", tt.name, got)
		}
		w := tt.want
		if got.Material != w.Material || got.KeyHint != w.KeyHint || !bytes.Equal(got.KeyBytes, w.KeyBytes) ||
			!bytes.Equal(bytes.Join(got.Certificates, []byte("|")), bytes.Join(w.Certificates, []byte("|"))) ||
			got.TlogEntries != w.TlogEntries || !slices.EqualFunc(got.Timestamps, w.Timestamps, bytes.Equal) {
			t.Errorf("%s: got %+v, expected %+v", tt.name, got, w)
		}
	}
}

// Spellings of one and the same bundle.
func TestParseBundleTakes(t *testing.T) {
	for _, e := range []edit{
		{`sigstore.bundle.v0.3+json`, `sigstore.bundle+json;version=0.3`},
		{`,"keyid":""`, ``},
		{`"keyid":""`, `"keyid":null`},
		{`"keyid":""`, `"keyid":"SHA256:abc"`},
		{`"cGF5bG9hZA=="`, `"cGF5bG9hZA\u003d="`},
		{`"dsseEnvelope"`, `"messageSignature":null,"dsseEnvelope"`},
		{`"dsseEnvelope"`, `"unknown":[{"a":{}}],"dsseEnvelope"`},
		{`"dsseEnvelope"`, `"dsseEnvelop\u0065"`},
	} {
		b, err := oms.ParseBundle(apply(t, bundle(keyMaterial), e))
		if err != nil || string(b.Payload) != "payload" || string(b.Signature) != "signature" {
			t.Errorf("%s: %+v, %v", e.new, b, err)
		}
	}
}

func TestParseBundleRefuses(t *testing.T) {
	key, chain, sigstore := bundle(keyMaterial), bundle(chainMaterial), bundle(certificateMaterial+","+oneLogEntry)
	tests := []struct {
		problem, text string
		edits         []edit
	}{
		// the bundle
		{`mediaType is ""`, key, []edit{{`"mediaType"`, `"mediatype"`}}},
		{`mediaType is "application/json"`, key, []edit{{`application/vnd.dev.sigstore.bundle.v0.3+json`, `application/json`}}},
		{`mediaType is`, key, []edit{{`bundle.v0.3+json`, `bundle.v0.4+json`}}},
		{`mediaType is`, key, []edit{{`bundle.v0.3+json`, `bundle+json;version=0.1`}}},
		{`"/mediaType": expected a string, found an array`, key, []edit{{`"application/vnd.dev.sigstore.bundle.v0.3+json"`, `[]`}}},
		{`"/mediaType": string of 5000 bytes`, key, []edit{{`application/vnd.dev.sigstore.bundle.v0.3+json`, strings.Repeat("m", 5000)}}},
		{`no verificationMaterial`, key, []edit{{`"verificationMaterial"`, `"verification_material"`}}},
		{`no dsseEnvelope`, key, []edit{{`"dsseEnvelope"`, `"dsse_envelope"`}}},
		{`"/dsseEnvelope": expected an object, found null`, key, []edit{{`"dsseEnvelope":`, `"dsseEnvelope":null,"x":`}}},
		{`messageSignature signs a file`, key, []edit{{`"dsseEnvelope"`, `"messageSignature"`}}},
		{`messageSignature signs a file`, key, []edit{{`"dsseEnvelope"`, `"messageSignature":{},"dsseEnvelope"`}}},
		{`duplicate member "/dsseEnvelope"`, key, []edit{{`]}}`, `]},"dsseEnvelope":{}}`}}},
		{`duplicate member "/dsseEnvelope/payload"`, key, []edit{{`"payload":`, `"payload":"cGF5bG9hZA==","payload":`}}},
		{`duplicate member "/verificationMaterial/publicKey"`, key, []edit{{`"publicKey"`, `"publicKey":null,"publicKey"`}}},
		{`duplicate member "/verificationMaterial/tlogEntries/0/logIndex"`, sigstore, []edit{{`"logIndex"`, `"logIndex":"2","logIndex"`}}},
		{`something follows`, key, []edit{{`]}}`, `]}} {}`}}},
		{`ends early`, key, []edit{{`]}}`, `]}`}}},
		{`JSON nests deeper than 64 levels`, key, []edit{{`"mediaType"`, `"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `,"mediaType"`}}},

		// verificationMaterial
		{`no publicKey, x509CertificateChain or certificate`, key, []edit{{keyMaterial, ``}}},
		{`no publicKey, x509CertificateChain or certificate`, key, []edit{{keyMaterial, `"publicKey":null`}}},
		{`publicKey and certificate, expected one`, key, []edit{{keyMaterial, keyMaterial + "," + certificateMaterial}}},
		{`x509CertificateChain and publicKey, expected one`, chain, []edit{{chainMaterial, chainMaterial + "," + keyMaterial}}},
		{`"/verificationMaterial/publicKey": expected an object, found a string`, key, []edit{{`{"hint":"abc"}`, `"abc"`}}},
		{`publicKey: no hint and no rawBytes`, key, []edit{{`"hint":"abc"`, ``}}},
		{`publicKey: no hint and no rawBytes`, key, []edit{{`"hint":"abc"`, `"hint":null,"rawBytes":null`}}},
		{`"/verificationMaterial/publicKey/hint": expected a string, found a number`, key, []edit{{`"abc"`, `7`}}},
		{`"/verificationMaterial/publicKey/rawBytes": not standard base64`, key, []edit{{`"hint":"abc"`, `"rawBytes":"a"`}}},
		{`x509CertificateChain: no certificates`, chain, []edit{{`"certificates"`, `"x"`}}},
		{`x509CertificateChain: no certificates`, chain, []edit{{`{"rawBytes":"bGVhZg=="},{"rawBytes":"Y2E="}`, ``}}},
		{`"/verificationMaterial/x509CertificateChain/certificates": more than 32 elements`, chain, []edit{{`{"rawBytes":"Y2E="}`, strings.Repeat(`{"rawBytes":"Y2E="},`, 31) + `{"rawBytes":"Y2E="}`}}},
		{`certificate 2: no rawBytes`, chain, []edit{{`"Y2E="`, `""`}}},
		{`certificate 2: no rawBytes`, chain, []edit{{`{"rawBytes":"Y2E="}`, `{}`}}},
		{`certificates/1/rawBytes": string of`, chain, []edit{{`Y2E=`, strings.Repeat("A", 90_000)}}},
		{`a certificate without tlogEntries`, sigstore, []edit{{"," + oneLogEntry, ``}}},
		{`a certificate without tlogEntries`, sigstore, []edit{{oneLogEntry, `"tlogEntries":[]`}}},
		{`a certificate without tlogEntries`, sigstore, []edit{{oneLogEntry, `"tlogEntries":null`}}},
		{`"/verificationMaterial/tlogEntries/0": expected an object, found null`, sigstore, []edit{{oneLogEntry, `"tlogEntries":[null]`}}},
		{`"/verificationMaterial/tlogEntries": more than 32 elements`, sigstore, []edit{{oneLogEntry, `"tlogEntries":[` + strings.Repeat("{},", 32) + `{}]`}}},
		{`rfc3161Timestamps": more than 32 elements`, key, []edit{{keyMaterial, keyMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[` + strings.Repeat(`{"signedTimestamp":"AA=="},`, 33) + `{}]}`}}},
		{`timestamp 1: no signedTimestamp`, key, []edit{{keyMaterial, keyMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[{}]}`}}},
		{`signedTimestamp": not standard base64`, key, []edit{{keyMaterial, keyMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AA"}]}`}}},
		{`signedTimestamp": string of`, key, []edit{{keyMaterial, keyMaterial + `,"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"` + strings.Repeat("A", 40_000) + `"}]}`}}},
		{`certificate 1: no rawBytes`, sigstore, []edit{{certificateMaterial, `"certificate":{}`}}},

		// dsseEnvelope
		{`no payload`, key, []edit{{`"payload":"cGF5bG9hZA=="`, `"payload":""`}}},
		{`no payload`, key, []edit{{`"payload":"cGF5bG9hZA==",`, ``}}},
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, `cGF5bG9hZA`}}},
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, `cGF5\nbG9hZA==`}}},
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, `cGF5\rbG9hZA==`}}},
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, ` cGF5bG9hZA==`}}},
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, `cGF5bG9hZB==`}}}, // loose bits
		{`"/dsseEnvelope/payload": not standard base64`, key, []edit{{`cGF5bG9hZA==`, `_-__`}}},
		{`"/dsseEnvelope/payload": expected a string, found null`, key, []edit{{`"cGF5bG9hZA=="`, `null`}}},
		{`payloadType is ""`, key, []edit{{`"payloadType"`, `"payloadtype"`}}},
		{`payloadType is "text/plain"`, key, []edit{{`application/vnd.in-toto+json`, `text/plain`}}},
		{`0 signatures, expected one`, key, []edit{{`"signatures"`, `"signature"`}}},
		{`0 signatures, expected one`, key, []edit{{`{"sig":"c2lnbmF0dXJl","keyid":""}`, ``}}},
		{`2 signatures, expected one`, key, []edit{{`[{"sig"`, `[{"sig":"c2ln"},{"sig"`}}},
		{`the signature has no sig`, key, []edit{{`"c2lnbmF0dXJl"`, `""`}}},
		{`the signature has no sig`, key, []edit{{`"sig":"c2lnbmF0dXJl",`, ``}}},
		{`"/dsseEnvelope/signatures/0/sig": not standard base64`, key, []edit{{`c2lnbmF0dXJl`, `!`}}},
		{`"/dsseEnvelope/signatures/0/keyid": expected a string, found a number`, key, []edit{{`"keyid":""`, `"keyid":1`}}},
		{`"/dsseEnvelope/signatures/0": expected an object, found a string`, key, []edit{{`{"sig":"c2lnbmF0dXJl","keyid":""}`, `"c2ln"`}}},
	}
	for _, tt := range tests {
		b, err := oms.ParseBundle(apply(t, tt.text, tt.edits...))
		if b != nil || !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%v, expected %s", err, tt.problem)
		}
	}
	if _, err := oms.ParseBundle(make([]byte, oms.MaxBundleSize+1)); err == nil || !strings.Contains(err.Error(), "at most 268435456 are allowed") {
		t.Errorf("a bundle that is too large: %v", err)
	}
}

func TestEncodeBundle(t *testing.T) {
	envelope := `"dsseEnvelope":{"payload":"cGF5bG9hZA==","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"c2lnbmF0dXJl","keyid":""}]}}`
	tests := []struct {
		in   oms.Bundle
		want string
	}{
		{
			oms.Bundle{Material: oms.MaterialKey, KeyHint: `a"b`, Payload: []byte("payload"), Signature: []byte("signature")},
			`"publicKey":{"hint":"a\"b"}`,
		},
		{
			oms.Bundle{
				Material: oms.MaterialCertificate, Certificates: [][]byte{[]byte("leaf"), []byte("ca")}, Payload: []byte("payload"), Signature: []byte("signature"),
				MediaType: oms.BundleMediaType, PayloadType: oms.PayloadType,
			},
			chainMaterial,
		},
		{
			oms.Bundle{
				Material: oms.MaterialKey, KeyHint: "abc", Payload: []byte("payload"), Signature: []byte("signature"),
				Timestamps: [][]byte{{0}, {0, 0}},
			},
			keyMaterial + `,"tlogEntries":[],"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AA=="},{"signedTimestamp":"AAA="}]}`,
		},
	}
	for _, tt := range tests {
		got, err := oms.EncodeBundle(tt.in)
		if err != nil {
			t.Error(err)
			continue
		}
		want := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{` + tt.want
		if len(tt.in.Timestamps) == 0 {
			want += `,"tlogEntries":[]`
		}
		want += "}," + envelope
		if string(got) != want {
			t.Errorf("got\n%s\nexpected\n%s", got, want)
		}
		b, err := oms.ParseBundle(got)
		if err != nil || b.Material != tt.in.Material || b.KeyHint != tt.in.KeyHint || len(b.Certificates) != len(tt.in.Certificates) ||
			!slices.EqualFunc(b.Timestamps, tt.in.Timestamps, bytes.Equal) {
			t.Errorf("read again: %+v, %v", b, err)
		}
	}
}

func TestEncodeBundleRefuses(t *testing.T) {
	valid := oms.Bundle{Material: oms.MaterialKey, KeyHint: "abc", Payload: []byte("payload"), Signature: []byte("signature")}
	for problem, change := range map[string]func(*oms.Bundle){
		"unknown material is not written":         func(b *oms.Bundle) { b.Material = 0 },
		"sigstore material is not written":        func(b *oms.Bundle) { b.Material = oms.MaterialSigstore },
		`mediaType is "x"`:                        func(b *oms.Bundle) { b.MediaType = "x" },
		`payloadType is "x"`:                      func(b *oms.Bundle) { b.PayloadType = "x" },
		"hint has 0 bytes":                        func(b *oms.Bundle) { b.KeyHint = "" },
		"hint has 5000 bytes":                     func(b *oms.Bundle) { b.KeyHint = strings.Repeat("h", 5000) },
		`hint "\xff" is not valid UTF-8`:          func(b *oms.Bundle) { b.KeyHint = "\xff" },
		"0 certificates":                          func(b *oms.Bundle) { b.Material = oms.MaterialCertificate },
		"33 certificates":                         func(b *oms.Bundle) { b.Material, b.Certificates = oms.MaterialCertificate, make([][]byte, 33) },
		"certificate 1 has 0 bytes":               func(b *oms.Bundle) { b.Material, b.Certificates = oms.MaterialCertificate, make([][]byte, 1) },
		"payload has 0 bytes":                     func(b *oms.Bundle) { b.Payload = nil },
		"payload has 198180865 bytes, expected 1": func(b *oms.Bundle) { b.Payload = make([]byte, oms.MaxPayloadSize+1) },
		"33 timestamps":                           func(b *oms.Bundle) { b.Timestamps = make([][]byte, 33) },
		"timestamp 1 has 0 bytes":                 func(b *oms.Bundle) { b.Timestamps = make([][]byte, 1) },
		"signature has 0 bytes":                   func(b *oms.Bundle) { b.Signature = nil },
	} {
		in := valid
		change(&in)
		_, err := oms.EncodeBundle(in)
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), problem) {
			t.Errorf("%v, expected %s", err, problem)
		}
	}
}

// The largest bundle that is written is one that is read.
func TestLargestBundle(t *testing.T) {
	large(t)
	der := make([]byte, 64<<10)
	in := oms.Bundle{Material: oms.MaterialCertificate, Payload: make([]byte, oms.MaxPayloadSize), Signature: der}
	for range 32 {
		in.Certificates = append(in.Certificates, der)
		in.Timestamps = append(in.Timestamps, der[:24<<10])
	}
	b, err := oms.EncodeBundle(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oms.ParseBundle(b); err != nil {
		t.Error(err)
	}
}

func TestMaterialNames(t *testing.T) {
	for m, want := range map[oms.Material]string{oms.MaterialKey: "key", oms.MaterialCertificate: "certificate", oms.MaterialSigstore: "sigstore", 0: "unknown"} {
		if got := m.String(); got != want {
			t.Errorf("%d is %q, expected %q", m, got, want)
		}
	}
}

// A payload with escapes in its base64 is the same payload.
func TestParseBundleEscapedSlashes(t *testing.T) {
	payload := bytes.Repeat([]byte{0xff}, 99)
	encoded := strings.ReplaceAll(base64.StdEncoding.EncodeToString(payload), "/", `\/`)
	b, err := oms.ParseBundle(apply(t, bundle(keyMaterial), edit{"cGF5bG9hZA==", encoded}))
	if err != nil || !bytes.Equal(b.Payload, payload) {
		t.Errorf("%+v, %v", b, err)
	}
}
