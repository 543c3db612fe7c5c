package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// logged signs as alice and logs that at Rekor v1 or v2.
func logged(t testing.TB, i *verifytest.Instance, rekor verifytest.Rekor) []byte {
	t.Helper()
	s := i.Signer(t, alice, issuer)
	s.Rekor = rekor
	return s.Bundle(t, payload(t))
}

// entry is the first log entry of a bundle, and proof its proof of inclusion.
func (o object) entry() object { return o.at("verificationMaterial", "tlogEntries") }
func (o object) proof() object { return o.entry().at("inclusionProof") }

// entryOf is the first log entry of another bundle.
func entryOf(t testing.TB, bundle []byte) map[string]any {
	t.Helper()
	var o object
	if err := json.Unmarshal(bundle, &o); err != nil {
		t.Fatal(err)
	}
	return o.entry()
}

// TestRekor2 has a signature in a log of Rekor v2.
func TestRekor2(t *testing.T) {
	instance := verifytest.NewInstance(t)
	trusted := identityVerifier(t, alice, issuer, instance.TrustedRoot(t, false))
	_, signer, err := verify.Manifest(t.Context(), logged(t, instance, verifytest.RekorV2), trusted)
	if err != nil || signer.Identity != alice || signer.LogIndex != 0 || time.Since(signer.Time).Abs() > time.Minute {
		t.Errorf("%v, %+v", err, signer)
	}
}

// TestEntries changes all that a bundle says of its log entry, in Rekor v1 and v2. Much of it is refused by sigstore-go, in its own
// words.
func TestEntries(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	trusted, stranger := identityVerifier(t, alice, issuer, root), identityVerifier(t, "mallory@example.com", issuer, root)
	bundles := [][]byte{logged(t, instance, verifytest.RekorV1), logged(t, instance, verifytest.RekorV2)}
	others := [][]byte{logged(t, instance, verifytest.RekorV1), logged(t, instance, verifytest.RekorV2)}

	kind := func(kind, version string) func(object) {
		return func(o object) { o.entry()["kindVersion"] = object{"kind": kind, "version": version} }
	}
	bodyOf := func(bundle []byte) func(object) {
		body := entryOf(t, bundle)["canonicalizedBody"]
		return func(o object) { o.entry()["canonicalizedBody"] = body }
	}
	proof := func(name string, value any) func(object) { return func(o object) { o.proof()[name] = value } }
	checkpoint := func(old, new string) func(object) {
		return func(o object) {
			c := o.proof().at("checkpoint")
			c["envelope"] = strings.Replace(c["envelope"].(string), old, new, 1)
		}
	}
	const (
		v1   = 1 << verifytest.RekorV1
		v2   = 1 << verifytest.RekorV2
		both = v1 | v2
	)
	for name, c := range map[string]struct {
		in     int // which logs
		change func(object)
		said   string
	}{
		"kind":                {both, func(o object) { o.entry().at("kindVersion")["kind"] = "intoto" }, "its entry is said to be intoto 0.0."},
		"kind, in terminals":  {both, kind("a\x1b[2J\n", "0"), `its entry is said to be "a\x1b[2J\n 0", and is `},
		"kind removed":        {both, func(o object) { delete(o.entry().at("kindVersion"), "kind") }, "its entry is said to be  0.0."},
		"kind of another log": {v1, kind("hashedrekord", "0.0.2"), "said to be hashedrekord 0.0.2, and is dsse 0.0.1"},
		"kind of v1":          {v2, kind("dsse", "0.0.1"), "said to be dsse 0.0.1, and is hashedrekord 0.0.2"},
		"version":             {both, func(o object) { o.entry().at("kindVersion")["version"] = "0.0.3" }, " 0.0.3, and is "},
		"kind and version":    {both, func(o object) { delete(o.entry(), "kindVersion") }, "nil value"},

		"body":                {both, func(o object) { o.entry().flip("canonicalizedBody") }, ""},
		"body of another":     {v1, bodyOf(others[0]), ""},
		"body of another, v2": {v2, bodyOf(others[1]), "its proof of inclusion is not for the entry's body"},
		"body of v1":          {v2, bodyOf(others[0]), ""},
		"body of v2":          {v1, bodyOf(others[1]), ""},
		"digest in it":        {v2, func(o object) { o.entry().replace("canonicalizedBody", `"digest":"`, `"digest":"AAAA`) }, "not for the entry's body"},
		"space in it":         {v2, func(o object) { o.entry().replace("canonicalizedBody", `,"kind"`, `, "kind"`) }, "not for the entry's body"},
		"body removed":        {both, func(o object) { delete(o.entry(), "canonicalizedBody") }, "nil value"},

		"root hash":         {v1, func(o object) { o.proof().flip("rootHash") }, ""},
		"root hash, v2":     {v2, func(o object) { o.proof().flip("rootHash") }, "for another tree than the checkpoint"},
		"root hash removed": {v2, func(o object) { delete(o.proof(), "rootHash") }, "for another tree than the checkpoint"},
		"root hash doubled": {v2, func(o object) { o.proof()["rootHash"] = strings.Repeat("AAAA", 16) }, "for another tree than the checkpoint"},
		"tree size":         {both, proof("treeSize", "4"), "for a tree of 4 entries, the checkpoint for one of 3"}, // it has the same form
		"tree size removed": {v2, func(o object) { delete(o.proof(), "treeSize") }, "for a tree of 0 entries, the checkpoint for one of 3"},
		"index":             {both, func(o object) { o.entry()["logIndex"] = "1" }, ""},
		"index in tree":     {v1, proof("logIndex", "1"), ""},
		"index in tree, v2": {v2, proof("logIndex", "1"), "for entry 1, and it is entry 0"},
		"a far index":       {v2, proof("logIndex", "9223372036854775807"), "for entry 9223372036854775807"},
		"indexes":           {both, func(o object) { o.entry()["logIndex"], o.proof()["logIndex"] = "1", "1" }, ""},
		"hash":              {both, proof("hashes", []string{"AAAA", "AAAA"}), ""},
		"a hash more":       {both, func(o object) { h := o.proof()["hashes"].([]any); o.proof()["hashes"] = append(h, h[0]) }, ""},
		"a hash less":       {both, func(o object) { o.proof()["hashes"] = o.proof()["hashes"].([]any)[1:] }, ""},
		"checkpoint's size": {both, checkpoint("\n3\n", "\n4\n"), ""},
		"checkpoint's name": {both, checkpoint("rekor", "other"), ""},
		"a line more in it": {both, checkpoint("\n\n", "\nmore\n\n"), ""},

		"promise, empty":       {v1, func(o object) { o.entry()["inclusionPromise"] = object{} }, "no trusted timestamp"},
		"promise in v2, empty": {v2, func(o object) { o.entry()["inclusionPromise"] = object{} }, "its entry has an empty promise of inclusion"},
		"promise in v2":        {v2, func(o object) { o.entry()["inclusionPromise"] = entryOf(t, others[0])["inclusionPromise"] }, "0 < 1"},
		"time removed":         {v1, func(o object) { delete(o.entry(), "integratedTime") }, "0 < 1"},
		"time in v2":           {v2, func(o object) { o.entry()["integratedTime"] = strconv.FormatInt(time.Now().Unix(), 10) }, "tells a time, which a log of Rekor v2 does not"},
		"log":                  {both, func(o object) { o.entry().at("logId").flip("keyId") }, "0 < 1"},
		"unknown member":       {both, func(o object) { o.entry()["more"] = 1 }, "unknown field"},
	} {
		for i, bundle := range bundles {
			if c.in>>i&1 == 0 {
				continue
			}
			t.Run(name+" v"+strconv.Itoa(i+1), func(t *testing.T) {
				bad := tamper(t, bundle, c.change)
				mustRefuseAny(t, bad, c.said, []error{verify.ErrLog, oms.ErrFormat}, trusted)
				// Who signed is told of a whole bundle only.
				mustRefuseAny(t, bad, "", []error{verify.ErrLog, oms.ErrFormat}, stranger)
			})
		}
	}
}

// mustRefuseAny is mustRefuse for any of several reasons.
func mustRefuseAny(t *testing.T, bundle []byte, text string, reasons []error, v verify.Verifier) {
	t.Helper()
	_, _, err := verify.Manifest(t.Context(), bundle, v)
	i := slices.IndexFunc(reasons, func(r error) bool { return errors.Is(err, r) })
	mustRefuse(t, bundle, reasons[max(i, 0)], text, v)
}

// TestSeveralEntries: each log entry of a bundle has to be proven.
func TestSeveralEntries(t *testing.T) {
	instance, elsewhere := verifytest.NewInstance(t), verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	one := identityVerifier(t, alice, issuer, root)
	two := identityVerifier(t, alice, issuer, tamper(t, root, func(o object) {
		var other object
		if err := json.Unmarshal(elsewhere.TrustedRoot(t, false), &other); err != nil {
			t.Fatal(err)
		}
		o["tlogs"] = append(o["tlogs"].([]any), other["tlogs"].([]any)...)
	}))
	for _, rekor := range []verifytest.Rekor{verifytest.RekorV1, verifytest.RekorV2} {
		s := instance.Signer(t, alice, issuer)
		s.Rekor = rekor
		b := new(protobundle.Bundle)
		if err := protojson.Unmarshal(s.Bundle(t, payload(t)), b); err != nil {
			t.Fatal(err)
		}
		if err := s.At(elsewhere).GetTransparencyLogEntry(t.Context(), nil, b); err != nil {
			t.Fatal(err)
		}
		bundle, err := protojson.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, signer, err := verify.Manifest(t.Context(), bundle, two); err != nil || signer.LogIndex != -1 {
			t.Errorf("in two logs: %v, %v", signer, err)
		}
		mustRefuse(t, bundle, verify.ErrLog, "1 < 2", one)
		second := func(o object) object {
			return o.at("verificationMaterial")["tlogEntries"].([]any)[1].(map[string]any)
		}
		for name, change := range map[string]func(object){
			"kind": func(o object) { second(o)["kindVersion"] = object{"kind": "x", "version": "1"} },
			"hash": func(o object) { second(o).at("inclusionProof").flip("rootHash") },
		} {
			if _, _, err := verify.Manifest(t.Context(), tamper(t, bundle, change), two); !errors.Is(err, verify.ErrLog) {
				t.Errorf("%s of the second: %v", name, err)
			}
		}
		if rekor == verifytest.RekorV1 { // a promise suffices to sigstore-go
			mustRefuse(t, tamper(t, bundle, func(o object) { delete(second(o), "inclusionProof") }), verify.ErrLog, "its entry has no checkpoint", two)
		}
	}
}

// TestOtherKindOfEntry has a log of Rekor v1 with a body of v2 in it: sigstore-go would look neither at the body nor at the
// signature.
func TestOtherKindOfEntry(t *testing.T) {
	instance := verifytest.NewInstance(t)
	trusted := identityVerifier(t, alice, issuer, instance.TrustedRoot(t, false))
	bundle := logged(t, instance, verifytest.RekorV2)
	body, err := base64.StdEncoding.DecodeString(entryOf(t, logged(t, instance, verifytest.RekorV2))["canonicalizedBody"].(string))
	if err != nil {
		t.Fatal(err)
	}
	e, err := instance.Log(verifytest.RekorV1, body, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	e.InclusionPromise, e.IntegratedTime = nil, 0
	b, err := protojson.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	unlogged := tamper(t, bundle, func(o object) { o.at("verificationMaterial")["tlogEntries"] = []any{json.RawMessage(b)} })
	mustRefuse(t, unlogged, verify.ErrLog, "its entry is not of a kind that the log rekor.localhost - 123 has", trusted)
}
