package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
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

// bundle reads a bundle.
func (s *stackSession) bundle(file string) bundleJSON {
	s.t.Helper()
	b := make(bundleJSON)
	if err := json.Unmarshal(s.read(file), &b); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// TestSigstackRejects changes a bundle of the real servers in every part. What Rekor v2 repeats without signing it (the entry's
// kind, index and canonicalized body, the proof's root hash and tree size) nothing forged could pass by, because there is the signed
// checkpoint; but the reference signer looks at it, and so do we.
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
		"payload":                {changePayload, "signature does not match"},
		"signature":              {func(b bundleJSON) { b.at("dsseEnvelope", "signatures").flipBit("sig") }, "signature does not match"},
		"certificate":            {flipSCT, "which is no authority of"}, // a bit of it, which undoes the authority's signature
		"certificate of another": {s.partOf("first.sig", "certificate"), "signature does not match"},
		"certificate removed":    {func(b bundleJSON) { delete(b.at("verificationMaterial"), "certificate") }, "certificate"},

		"log entry removed":    {func(b bundleJSON) { delete(b.at("verificationMaterial"), "tlogEntries") }, "tlogEntries"},
		"log entry of another": {s.partOf("first.sig", "tlogEntries"), notInLog},
		"log entry's index":    {func(b bundleJSON) { b.entry()["logIndex"], b.proof()["logIndex"] = "0", "0" }, notInLog},
		"log entry's log":      {func(b bundleJSON) { b.entry().at("logId").flipBit("keyId") }, notInLog},
		"log entry's kind": {func(b bundleJSON) { b.entry().at("kindVersion")["kind"] = "dsse" },
			"its entry is said to be dsse 0.0.2, and is hashedrekord 0.0.2"},
		"log entry's version":      {func(b bundleJSON) { b.entry().at("kindVersion")["version"] = "0.0.1" }, "and is hashedrekord 0.0.2"},
		"log entry's kind removed": {func(b bundleJSON) { delete(b.entry(), "kindVersion") }, "nil value"},
		"log entry's body":         {func(b bundleJSON) { b.entry().flipBit("canonicalizedBody") }, ""}, // it may be none any more
		"log entry's body removed": {func(b bundleJSON) { delete(b.entry(), "canonicalizedBody") }, "nil value"},
		"log entry's body changed": {changeBody, notInLog},
		"log entry's body, another's": {func(b bundleJSON) {
			b.entry()["canonicalizedBody"] = s.bundle("first.sig").entry()["canonicalizedBody"]
		}, notInLog},
		"log entry's time": {func(b bundleJSON) { b.entry()["integratedTime"] = strconv.FormatInt(time.Now().Unix(), 10) },
			"its entry tells a time"},
		"log entry's promise": {func(b bundleJSON) { b.entry()["inclusionPromise"] = bundleJSON{"signedEntryTimestamp": "AAAA"} }, notInLog},
		"log entry more": {func(b bundleJSON) {
			other := s.bundle("first.sig").entry()
			other.at("logId").flipBit("keyId") // of a log that nobody knows
			m := b.at("verificationMaterial")
			m["tlogEntries"] = append(m["tlogEntries"].([]any), other)
		}, notInLog},
		"log entry of another more": {func(b bundleJSON) {
			m := b.at("verificationMaterial")
			m["tlogEntries"] = append(m["tlogEntries"].([]any), s.bundle("first.sig").entry())
		}, notInLog},
		"proof removed":             {func(b bundleJSON) { delete(b.entry(), "inclusionProof") }, "inclusion proof"},
		"proof's hash":              {changeProof, notInLog},
		"proof without hashes":      {func(b bundleJSON) { delete(b.proof(), "hashes") }, notInLog},
		"proof's root hash":         {func(b bundleJSON) { b.proof().flipBit("rootHash") }, "for another tree than the checkpoint"},
		"proof's root hash removed": {func(b bundleJSON) { delete(b.proof(), "rootHash") }, "for another tree than the checkpoint"},
		"proof's tree size":         {func(b bundleJSON) { b.proof()["treeSize"] = "1000000" }, "for a tree of 1000000 entries"},
		"proof's tree size removed": {func(b bundleJSON) { delete(b.proof(), "treeSize") }, "for a tree of 0 entries"},
		"proof's index":             {func(b bundleJSON) { b.proof()["logIndex"] = "1000000" }, "for entry 1000000"},
		"proof's index removed":     {func(b bundleJSON) { delete(b.proof(), "logIndex") }, "for entry 0"},
		"proof of another":          {func(b bundleJSON) { b.entry()["inclusionProof"] = s.bundle("first.sig").proof() }, notInLog},
		"proof with a hash more": {func(b bundleJSON) {
			hashes := b.proof()["hashes"].([]any)
			b.proof()["hashes"] = append(hashes, hashes[0])
		}, notInLog},

		"checkpoint removed":      {func(b bundleJSON) { delete(b.proof(), "checkpoint") }, "checkpoint"},
		"checkpoint's name":       {changeCheckpoint(0, func(l string) string { return l + "x" }), notInLog},
		"checkpoint's size":       {changeCheckpoint(1, func(l string) string { return "9" + l }), notInLog},
		"checkpoint's root":       {changeCheckpoint(2, otherBase64), notInLog},
		"checkpoint's signature":  {changeCheckpoint(4, otherBase64), notInLog},
		"checkpoint not signed":   {changeCheckpoint(4, func(string) string { return "" }), notInLog},
		"checkpoint from earlier": {s.checkpointOf("first.sig"), notInLog},

		"timestamp":         {func(b bundleJSON) { b.stamp().flipBit("signedTimestamp") }, noTime},
		"timestamp removed": {func(b bundleJSON) { delete(b.at("verificationMaterial"), "timestampVerificationData") }, noTime},
		"timestamp twice": {func(b bundleJSON) {
			data := b.at("verificationMaterial", "timestampVerificationData")
			data["rfc3161Timestamps"] = append(data["rfc3161Timestamps"].([]any), b.stamp())
		}, "timestamp 2 of the signature is not right: it is there twice"},
		"timestamp of another":           {s.partOf("first.sig", "timestampVerificationData"), noTime},
		"timestamp of another authority": {s.stampedIn("0s", "fulcio"), noTime},
		"timestamp that the bundle makes up": {func(b bundleJSON) {
			delete(b.at("verificationMaterial"), "timestampVerificationData")
			b.entry()["integratedTime"] = strconv.FormatInt(time.Now().Unix(), 10) // which nobody has signed
		}, noTime},
		"signed after the certificate ended": {s.stampedIn("11m", "tsa"), "its certificate was valid from"},
		"signed before it began":             {s.stampedIn("-11m", "tsa"), "its certificate was valid from"},
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

// What is said of a signature that is not in the log, and of one without a time to believe.
const (
	notInLog = "signature is not proven to be in the transparency log"
	noTime   = "no trusted timestamp says when the signature was made"
)

// TestSigstackRejectsSigners asks for other signers than have signed: a person, and a job.
func TestSigstackRejectsSigners(t *testing.T) {
	s := newStackSession(t)
	trust := s.file("trust.json")
	s.mustSign(trust, "model", "person.sig")
	token, err := s.token("/github")
	if err != nil {
		t.Fatal(err)
	}
	s.exits(0, "git-model-sign", "--identity-token", token, "--trust-config", trust, "--signature", s.path("job.sig"), s.path("model"))
	job := "https://github.com/org/model/.github/workflows/release.yml@refs/heads/main"
	for name, c := range map[string]struct {
		signature, identity, provider string
		more                          []string
		said                          string // "" where it is accepted
	}{
		"person":           {"person", "alice@example.com", s.issuer, nil, ""},
		"another person":   {"person", "bob@example.com", s.issuer, nil, "signed by alice@example.com"},
		"another issuer":   {"person", "alice@example.com", issuer.GitHubURL, nil, "expected alice@example.com (" + issuer.GitHubURL + ")"},
		"a job's claims":   {"person", "alice@example.com", s.issuer, []string{"--github-workflow-ref=refs/heads/main"}, "names no workflow ref"},
		"part of the name": {"person", "alice@example", s.issuer, nil, "signed by alice@example.com"},
		"job": {"job", job, issuer.GitHubURL, []string{
			"--github-workflow-repository=org/model", "--github-workflow-ref=refs/heads/main", "--github-workflow-trigger=push",
		}, ""},
		"another job":        {"job", strings.Replace(job, "main", "dev", 1), issuer.GitHubURL, nil, "signed by " + job},
		"job of another":     {"job", job, s.issuer, nil, "expected " + job + " (" + s.issuer + ")"},
		"another repository": {"job", job, issuer.GitHubURL, []string{"--github-workflow-repository=org/other"}, "workflow repository is org/model, expected org/other"},
		"another ref":        {"job", job, issuer.GitHubURL, []string{"--github-workflow-ref=refs/heads/dev"}, "workflow ref is refs/heads/main, expected refs/heads/dev"},
		"another trigger":    {"job", job, issuer.GitHubURL, []string{"--github-workflow-trigger=pull_request"}, "workflow trigger is push, expected pull_request"},
		"another name":       {"job", job, issuer.GitHubURL, []string{"--github-workflow-name=Other"}, "workflow name is "},
		"another commit":     {"job", job, issuer.GitHubURL, []string{"--github-workflow-sha=0123"}, "workflow sha is "},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.run("git-model-sign", append([]string{"verify", "--identity", c.identity, "--identity-provider", c.provider,
				"--trust-config", trust, "--signature", s.path(c.signature + ".sig"), s.path("model")}, c.more...)...)
			want := 1
			if c.said == "" {
				want = 0
			}
			if r.status != want || !strings.Contains(r.said(), c.said) {
				t.Errorf("exit status %d, want %d and %q\n%s", r.status, want, c.said, r.said())
			}
		})
	}
}

// stamp is the bundle's first timestamp.
func (b bundleJSON) stamp() bundleJSON {
	return b.at("verificationMaterial", "timestampVerificationData", "rfc3161Timestamps")
}

// changeCheckpoint changes a line of the checkpoint: the log's name, its size, its root hash, nothing, its signature.
func changeCheckpoint(line int, change func(string) string) func(bundleJSON) {
	return func(b bundleJSON) {
		c := b.proof().at("checkpoint")
		lines := strings.Split(c["envelope"].(string), "\n")
		lines[line] = change(lines[line])
		c["envelope"] = strings.Join(lines, "\n")
	}
}

// otherBase64 replaces a letter in the middle of what ends a line.
func otherBase64(line string) string {
	i, other := len(line)-20, "A"
	if line[i:i+1] == other {
		other = "B"
	}
	return line[:i] + other + line[i+1:]
}

// checkpointOf puts another bundle's checkpoint in the place of a bundle's own, which came earlier or later.
func (s *stackSession) checkpointOf(file string) func(bundleJSON) {
	return func(b bundleJSON) {
		b.proof()["checkpoint"] = s.bundle(file).proof()["checkpoint"]
	}
}

// partOf puts a part of another bundle's verification material in the place of a bundle's own.
func (s *stackSession) partOf(file, member string) func(bundleJSON) {
	return func(b bundleJSON) {
		b.at("verificationMaterial")[member] = s.bundle(file).at("verificationMaterial")[member]
	}
}

// stampedIn puts in the place of the timestamp the one that an authority, the files of whose keys have that name, will make of the
// signature some time from now.
func (s *stackSession) stampedIn(wait, authority string) func(bundleJSON) {
	return func(b bundleJSON) {
		signature, err := base64.StdEncoding.DecodeString(b.at("dsseEnvelope", "signatures")["sig"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(os.Getenv("MODELSIGN_SIGSTACK_PROGRAMS"), "stamp"),
			"-key", s.file(authority+".key"), "-certificate", s.file(authority+".pem"), "-in", wait)
		cmd.Stdin = bytes.NewReader(signature)
		stamp, err := cmd.Output()
		if err != nil {
			s.t.Fatal(err)
		}
		b.stamp()["signedTimestamp"] = base64.StdEncoding.EncodeToString(stamp)
	}
}

// changePayload names another file in the statement.
func changePayload(b bundleJSON) {
	b.at("dsseEnvelope").replaceIn("payload", "weights.bin", "heights.bin")
}

// changeBody has the log entry tell of another digest.
func changeBody(b bundleJSON) {
	b.entry().replaceIn("canonicalizedBody", `"digest":"`, `"digest":"AAAA`)
}

// replaceIn replaces a text within a base64 member.
func (b bundleJSON) replaceIn(name, old, by string) {
	raw, err := base64.StdEncoding.DecodeString(b[name].(string))
	if err != nil || !bytes.Contains(raw, []byte(old)) {
		panic(name + " does not have " + old)
	}
	b[name] = base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte(old), []byte(by), 1))
}

// changeProof alters a hash of the proof of inclusion.
func changeProof(b bundleJSON) {
	hashes := b.proof()["hashes"].([]any)
	h := bundleJSON{"h": hashes[0]}
	h.flipBit("h")
	hashes[0] = h["h"]
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
}
