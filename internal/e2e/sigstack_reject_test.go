package e2e

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bundleJSON is a bundle, or a trusted root, of which a test changes something.
type bundleJSON map[string]any

// at follows member names and, for lists, takes the first element.
func (b bundleJSON) at(path ...string) bundleJSON {
	for _, name := range path {
		next := b[name]
		if list, ok := next.([]any); ok {
			next = list[0]
		}
		b = next.(map[string]any)
	}
	return b
}

func (b bundleJSON) entry() bundleJSON { return b.at("verificationMaterial", "tlogEntries") }
func (b bundleJSON) proof() bundleJSON { return b.entry().at("inclusionProof") }

// flipBit alters a bit in the middle of a base64 member.
func (b bundleJSON) flipBit(name string) {
	raw, err := base64.StdEncoding.DecodeString(b[name].(string))
	if err != nil || len(raw) == 0 {
		panic("no base64: " + name)
	}
	raw[len(raw)/2] ^= 1
	b[name] = base64.StdEncoding.EncodeToString(raw)
}

// changed writes a copy of a JSON file with something changed.
func (s *stackSession) changed(from, to string, change func(bundleJSON)) string {
	s.t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		s.t.Fatal(err)
	}
	b := make(bundleJSON)
	if err := json.Unmarshal(raw, &b); err != nil {
		s.t.Fatal(err)
	}
	change(b)
	out, err := json.Marshal(b)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(to, string(out))
	return s.path(to)
}

// TestSigstackRejects changes a bundle of the real servers in every part that counts. What Rekor v2 repeats without signing it
// (the proof's root hash and tree size, and the entry's canonicalized body, for which there is the signed checkpoint) is not here:
// no client looks at it.
func TestSigstackRejects(t *testing.T) {
	s := newStackSession(t)
	trust := s.file("trust.json")
	s.mustSign(trust, "model", "first.sig") // so that the proof of the next has hashes
	s.mustSign(trust, "model", "model.sig")
	if r := s.verify(trust, "model.sig"); r.status != 0 {
		t.Fatalf("what was signed does not verify\n%s", r.said())
	}
	for name, c := range map[string]struct {
		change func(bundleJSON)
		said   string
	}{
		"payload":              {changePayload, "signature does not match"},
		"signature":            {func(b bundleJSON) { b.at("dsseEnvelope", "signatures").flipBit("sig") }, "signature does not match"},
		"certificate":          {func(b bundleJSON) { b.at("verificationMaterial", "certificate").flipBit("rawBytes") }, ""},
		"certificate removed":  {func(b bundleJSON) { delete(b.at("verificationMaterial"), "certificate") }, ""},
		"log entry removed":    {func(b bundleJSON) { delete(b.at("verificationMaterial"), "tlogEntries") }, ""},
		"proof removed":        {func(b bundleJSON) { delete(b.entry(), "inclusionProof") }, "inclusion proof"},
		"proof's hash":         {changeProof, "log"},
		"proof without hashes": {func(b bundleJSON) { delete(b.proof(), "hashes") }, "log"},
		"index":                {func(b bundleJSON) { b.entry()["logIndex"], b.proof()["logIndex"] = "0", "0" }, "log"},
		"log's id":             {func(b bundleJSON) { b.entry().at("logId").flipBit("keyId") }, "log"},
		"checkpoint": {func(b bundleJSON) {
			c := b.proof().at("checkpoint")
			c["envelope"] = strings.Replace(c["envelope"].(string), "\n", "x\n", 1)
		}, "log"},
		"checkpoint's size": {func(b bundleJSON) {
			c := b.proof().at("checkpoint")
			lines := strings.SplitN(c["envelope"].(string), "\n", 3)
			c["envelope"] = lines[0] + "\n9" + lines[1] + "\n" + lines[2]
		}, "log"},
		"checkpoint removed": {func(b bundleJSON) { delete(b.proof(), "checkpoint") }, "checkpoint"},
		"another's entry":    {s.entryOf("first.sig"), "log"},
		"timestamp": {func(b bundleJSON) {
			b.at("verificationMaterial", "timestampVerificationData", "rfc3161Timestamps").flipBit("signedTimestamp")
		}, "timestamp"},
		"timestamp removed":        {func(b bundleJSON) { delete(b.at("verificationMaterial"), "timestampVerificationData") }, "timestamp"},
		"timestamp of another":     {s.timestampOf("first.sig"), "timestamp"},
		"after the certificate":    {s.stampedIn("11m"), "its certificate was valid from"},
		"before the certificate":   {s.stampedIn("-11m"), "its certificate was valid from"},
		"certificate with its SCT": {flipSCT, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sig := strings.ReplaceAll(name, " ", "_") + ".sig"
			s.changed(s.path("model.sig"), sig, c.change)
			if r := s.verify(trust, sig); r.status != 1 || !strings.Contains(r.said(), c.said) {
				t.Errorf("exit status %d, want 1 and %q\n%s", r.status, c.said, r.said())
			}
		})
	}
}

// entryOf puts another bundle's log entry in the place of a bundle's own, timestampOf its timestamps.
func (s *stackSession) entryOf(file string) func(bundleJSON) { return s.partOf(file, "tlogEntries") }
func (s *stackSession) timestampOf(file string) func(bundleJSON) {
	return s.partOf(file, "timestampVerificationData")
}

func (s *stackSession) partOf(file, member string) func(bundleJSON) {
	return func(b bundleJSON) {
		other := make(bundleJSON)
		if err := json.Unmarshal(s.read(file), &other); err != nil {
			s.t.Fatal(err)
		}
		b.at("verificationMaterial")[member] = other.at("verificationMaterial")[member]
	}
}

// stampedIn puts in the place of the timestamp the one that the timestamp authority will make of the signature some time from now.
func (s *stackSession) stampedIn(wait string) func(bundleJSON) {
	return func(b bundleJSON) {
		signature, err := base64.StdEncoding.DecodeString(b.at("dsseEnvelope", "signatures")["sig"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(os.Getenv("MODELSIGN_SIGSTACK_PROGRAMS"), "stamp"),
			"-key", s.file("tsa.key"), "-certificate", s.file("tsa.pem"), "-in", wait)
		cmd.Stdin = bytes.NewReader(signature)
		stamp, err := cmd.Output()
		if err != nil {
			s.t.Fatal(err)
		}
		b.at("verificationMaterial", "timestampVerificationData", "rfc3161Timestamps")["signedTimestamp"] = base64.StdEncoding.EncodeToString(stamp)
	}
}

// changePayload names another file in the statement.
func changePayload(b bundleJSON) {
	e := b.at("dsseEnvelope")
	raw, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	if err != nil || !bytes.Contains(raw, []byte("weights.bin")) {
		panic("the statement does not name weights.bin")
	}
	e["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte("weights.bin"), []byte("heights.bin"), 1))
}

// changeProof alters a hash of the proof of inclusion.
func changeProof(b bundleJSON) {
	hashes := b.proof()["hashes"].([]any)
	h := bundleJSON{"h": hashes[0]}
	h.flipBit("h")
	hashes[0] = h["h"]
}

// flipSCT alters the proof in the certificate that it was logged.
func flipSCT(b bundleJSON) {
	certificate := b.at("verificationMaterial", "certificate")
	raw, err := base64.StdEncoding.DecodeString(certificate["rawBytes"].(string))
	if err != nil {
		panic(err)
	}
	oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2})
	i := bytes.Index(raw, oid)
	if err != nil || i < 0 {
		panic("the certificate has no SCT")
	}
	raw[i+len(oid)+60] ^= 1
	certificate["rawBytes"] = base64.StdEncoding.EncodeToString(raw)
}

// TestSigstackOtherInstances signs at instances that share all but one thing with ours.
func TestSigstackOtherInstances(t *testing.T) {
	s := newStackSession(t)
	for name, said := range map[string]string{"other.json": "log", "nosct.json": "certificate transparency log"} {
		s.mustSign(s.file(name), "model", "model.sig")
		if r := s.verify(s.file(name), "model.sig"); r.status != 0 {
			t.Errorf("%s: does not verify where it was signed\n%s", name, r.said())
		}
		if r := s.verify(s.file("trust.json"), "model.sig"); r.status != 1 || !strings.Contains(r.said(), said) {
			t.Errorf("%s: exit status %d, want 1 and %q\n%s", name, r.status, said, r.said())
		}
	}
	// The certificate transparency log that we know by that id has another key.
	s.mustSign(s.file("trust.json"), "model", "model.sig")
	root := s.changed(s.file("trusted_root.json"), "changed_root.json", func(b bundleJSON) {
		other := make(bundleJSON)
		if err := json.Unmarshal(s.certificateLog(), &other); err != nil {
			t.Fatal(err)
		}
		b.at("ctlogs", "publicKey")["rawBytes"] = other["rawBytes"]
	})
	if r := s.verify(root, "model.sig"); r.status != 1 || !strings.Contains(r.said(), "certificate transparency log") {
		t.Errorf("SCT of another key: exit status %d, want 1\n%s", r.status, r.said())
	}
}

// certificateLog is a public key that is not the CT log's.
func (s *stackSession) certificateLog() []byte {
	s.keyPair("other", "P-256")
	body := strings.Split(string(s.read("other.pub")), "-----")[2]
	return []byte(`{"rawBytes":"` + strings.ReplaceAll(body, "\n", "") + `"}`)
}
