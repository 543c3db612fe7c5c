package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
)

// wantLine wants one line of what a program said to match a pattern, whatever the case of its letters.
func wantLine(t testing.TB, said, pattern string) {
	t.Helper()
	re := regexp.MustCompile("(?i)" + pattern)
	for line := range strings.Lines(said) {
		if re.MatchString(line) {
			return
		}
	}
	t.Errorf("no line matches %q:\n%s", pattern, said)
}

// A tampering is something that somebody does to a signed model, to its signature, or to the one who is to believe it.
type tampering struct {
	name string
	do   func(*signed)
	says string // pattern of the line that names the cause
}

// signed is a model in the folder "model", signed with a key and, beside it in certified.sig, with a certificate.
type signed struct {
	*session
	verify []string // arguments of git-model-sign
}

func newSigned(t *testing.T) *signed {
	s := newSession(t)
	s.keyPair("key", "P-256")
	s.keyPair("stranger", "P-256")
	if err := writePKI(s.path("ca")); err != nil {
		t.Fatal(err)
	}
	s.write("model/config.json", `{"a": 1}`, "model/weights.bin", "1 2 3", "model/sub/vocab.txt", "hello")
	s.exits(0, "git-model-sign", "sign", "--private-key", s.path("key.pem"), s.path("model"))
	return &signed{session: s, verify: []string{"verify", "--public-key", s.path("key.pub"), s.path("model")}}
}

// check runs verify, and wants the verdict that a tampering deserves and nothing changed on disk.
func (s *signed) check(t *testing.T, says string) {
	t.Helper()
	before := s.snapshot(".")
	r := s.exits(1, "git-model-sign", s.verify...)
	wantLine(t, r.said(), says)
	if strings.Contains(r.said(), "panic") || strings.Contains(r.said(), "goroutine") {
		t.Errorf("it panicked:\n%s", r.said())
	}
	if regexp.MustCompile(`(?m)^verified`).MatchString(r.stdout) {
		t.Errorf("it says verified:\n%s", r.said())
	}
	if diff := before.diff(s.snapshot(".")); diff != "" {
		t.Errorf("verifying changed files:\n%s", diff)
	}
}

// do is a step of a tampering that must not fail.
func (s *signed) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// edit replaces the signature by what f makes of it.
func (s *signed) edit(f func([]byte) []byte) {
	s.t.Helper()
	before := s.read("model/model.sig")
	after := f(bytes.Clone(before))
	if bytes.Equal(before, after) {
		s.t.Fatal("the signature was not altered")
	}
	s.write("model/model.sig", string(after))
}

// editBundle replaces the signature by what f makes of it as JSON.
func (s *signed) editBundle(f func(map[string]any)) {
	s.t.Helper()
	s.edit(func(b []byte) []byte {
		var bundle map[string]any
		s.must(json.Unmarshal(b, &bundle))
		f(bundle)
		b, err := json.Marshal(bundle)
		s.must(err)
		return b
	})
}

// envelope is the part of a bundle that holds the payload and its signature.
func envelope(bundle map[string]any) map[string]any {
	return bundle["dsseEnvelope"].(map[string]any)
}

// payload decodes what was signed.
func payload(s *signed, bundle map[string]any) []byte {
	b, err := base64.StdEncoding.DecodeString(envelope(bundle)["payload"].(string))
	s.must(err)
	return b
}

// forge replaces the signature by one over another payload, made by f from the present one, with a key that is trusted: what is
// wrong then is in the payload alone.
func (s *signed) forge(f func(string) string) {
	s.t.Helper()
	var bundle map[string]any
	s.must(json.Unmarshal(s.read("model/model.sig"), &bundle))
	before := string(payload(s, bundle))
	after := f(before)
	if before == after {
		s.t.Fatal("the payload was not altered")
	}
	s.write("model/model.sig", string(omstest.KeyBundle(s.t, s.privateKey("key.pem"), []byte(after))))
}

// replace makes a forgery that changes one piece of text.
func replace(old, new string) func(*signed) {
	return func(s *signed) {
		s.forge(func(payload string) string { return strings.Replace(payload, old, new, 1) })
	}
}

func (s *signed) privateKey(name string) *ecdsa.PrivateKey {
	s.t.Helper()
	block, _ := pem.Decode(s.read(name))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	s.must(err)
	return key.(*ecdsa.PrivateKey)
}

// certify replaces the signature by one of the key and certificate called leaf, with these other certificates in its bundle. The
// program itself would refuse to make some of these.
func (s *signed) certify(leaf string, chain ...string) {
	s.t.Helper()
	var bundle map[string]any
	s.must(json.Unmarshal(s.read("model/model.sig"), &bundle))
	var certificates [][]byte
	for _, name := range append([]string{leaf}, chain...) {
		block, _ := pem.Decode(s.read("ca/" + name + ".pem"))
		certificates = append(certificates, block.Bytes)
	}
	key := s.privateKey("ca/" + leaf + "-key.pem")
	s.write("model/model.sig", string(omstest.CertificateBundle(s.t, key, certificates, payload(s, bundle))))
	s.verify = []string{"verify", "--certificate-chain", s.path("ca/root.pem"), s.path("model")}
}

// TestTampering wants everything that can be done to a signed model to be noticed: exit status 1, a line that names the cause, no
// panic, and no file changed.
func TestTampering(t *testing.T) {
	t.Parallel()
	for _, table := range [][]tampering{tamperedFiles, tamperedBundles, tamperedTrust, forgedPayloads} {
		for _, tt := range table {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				s := newSigned(t)
				s.exits(0, "git-model-sign", s.verify...)
				tt.do(s)
				s.check(t, tt.says)
			})
		}
	}
}

var tamperedFiles = []tampering{
	{"content", func(s *signed) { s.must(flipByte(s.path("model/weights.bin"))) }, `weights\.bin`},
	{"extra", func(s *signed) { s.write("model/sub/code.py", "import os") }, `sub/code\.py`},
	{"extra hidden", func(s *signed) { s.write("model/.hidden", "x") }, `\.hidden`},
	{"extra .git below the top", func(s *signed) { s.write("model/sub/.git/config", "x") }, `sub/\.git/config`},
	{"missing", func(s *signed) { s.must(os.Remove(s.path("model/config.json"))) }, `config\.json`},
	{"missing folder", func(s *signed) { s.must(os.RemoveAll(s.path("model/sub"))) }, `sub/vocab\.txt`},
	{"renamed", func(s *signed) { s.must(os.Rename(s.path("model/weights.bin"), s.path("model/weights2.bin"))) }, `weights2\.bin`},
	{"case changed", func(s *signed) { s.must(os.Rename(s.path("model/config.json"), s.path("model/Config.json"))) }, `Config\.json`},
	{"swapped", func(s *signed) {
		s.must(os.Rename(s.path("model/weights.bin"), s.path("aside")))
		s.must(os.Rename(s.path("model/config.json"), s.path("model/weights.bin")))
		s.must(os.Rename(s.path("aside"), s.path("model/config.json")))
	}, `config\.json`},
	{"symlinked file", func(s *signed) {
		s.must(os.Rename(s.path("model/weights.bin"), s.path("elsewhere")))
		s.must(os.Symlink(s.path("elsewhere"), s.path("model/weights.bin")))
	}, `weights\.bin.*symbolic link|symbolic link.*weights\.bin`},
	{"symlinked folder", func(s *signed) {
		s.must(os.Rename(s.path("model/sub"), s.path("elsewhere")))
		s.must(os.Symlink(s.path("elsewhere"), s.path("model/sub")))
	}, `sub.*symbolic link|symbolic link.*sub`},
	{"dangling symlink", func(s *signed) { s.must(os.Symlink("nowhere", s.path("model/dangling"))) }, `dangling`},
	{"folder in place of a file", func(s *signed) {
		s.must(os.Remove(s.path("model/weights.bin")))
		s.write("model/weights.bin/x", "1 2 3")
	}, `weights\.bin`},
	{"truncated", func(s *signed) { s.must(os.Truncate(s.path("model/weights.bin"), 2)) }, `weights\.bin`},
	{"emptied", func(s *signed) { s.must(os.Truncate(s.path("model/weights.bin"), 0)) }, `weights\.bin`},
	{"oversized", func(s *signed) { s.must(os.Truncate(s.path("model/weights.bin"), 1<<20)) }, `weights\.bin`},
}

var tamperedBundles = []tampering{
	{"payload", func(s *signed) {
		s.editBundle(func(b map[string]any) {
			altered := bytes.Replace(payload(s, b), []byte("config.json"), []byte("config.jsom"), 1)
			envelope(b)["payload"] = base64.StdEncoding.EncodeToString(altered)
		})
	}, `signature`},
	{"payload type", func(s *signed) {
		s.editBundle(func(b map[string]any) { envelope(b)["payloadType"] = "application/json" })
	}, `payload ?type|signature`},
	{"signature", func(s *signed) {
		s.editBundle(func(b map[string]any) {
			first := envelope(b)["signatures"].([]any)[0].(map[string]any)
			sig, err := base64.StdEncoding.DecodeString(first["sig"].(string))
			s.must(err)
			sig[len(sig)-1] ^= 1
			first["sig"] = base64.StdEncoding.EncodeToString(sig)
		})
	}, `signature`},
	{"no signature", func(s *signed) {
		s.editBundle(func(b map[string]any) { envelope(b)["signatures"] = []any{} })
	}, `signature`},
	{"two signatures", func(s *signed) {
		s.editBundle(func(b map[string]any) {
			sigs := envelope(b)["signatures"].([]any)
			envelope(b)["signatures"] = append(sigs, sigs[0])
		})
	}, `signature`},
	{"truncated bundle", func(s *signed) {
		s.edit(func(b []byte) []byte { return b[:len(b)/2] })
	}, `model\.sig`},
	{"empty bundle", func(s *signed) { s.edit(func([]byte) []byte { return nil }) }, `model\.sig`},
	{"bundle of other bytes", func(s *signed) { s.edit(func([]byte) []byte { return []byte{0, 1, 2, 3} }) }, `model\.sig`},
	{"bundle with something after it", func(s *signed) {
		s.edit(func(b []byte) []byte { return append(b, "{}"...) })
	}, `model\.sig`},
	{"oversized bundle", func(s *signed) { s.must(os.Truncate(s.path("model/model.sig"), 256<<20+1)) }, `268435457 bytes|large`},
	{"duplicate key in the bundle", func(s *signed) {
		s.edit(func(b []byte) []byte { return bytes.Replace(b, []byte("{"), []byte(`{"mediaType": "x", `), 1) })
	}, `duplicate.*mediaType`},
	{"deep bundle", func(s *signed) {
		s.edit(func(b []byte) []byte {
			deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
			return bytes.Replace(b, []byte("{"), []byte(`{"x": `+deep+`, `), 1)
		})
	}, `deep|depth|nest`},
	{"media type", func(s *signed) {
		s.editBundle(func(b map[string]any) { b["mediaType"] = "text/plain" })
	}, `media ?type`},
}

var tamperedTrust = []tampering{
	{"key", func(s *signed) {
		s.verify[2] = s.path("stranger.pub")
	}, `key`},
	{"key hint", func(s *signed) {
		s.editBundle(func(b map[string]any) {
			b["verificationMaterial"].(map[string]any)["publicKey"].(map[string]any)["hint"] = strings.Repeat("0", 64)
		})
	}, `key`},
	{"method", func(s *signed) {
		s.certify("leaf", "intermediate")
		s.verify = []string{"verify", "--public-key", s.path("key.pub"), s.path("model")}
	}, `certificate`},
	{"chain of a stranger", func(s *signed) { s.certify("other-leaf") }, `certificate|trust`},
	{"root in the bundle", func(s *signed) { s.certify("other-leaf", "other-root") }, `certificate|trust`},
	{"chain without its middle", func(s *signed) { s.certify("leaf") }, `certificate|trust`},
	{"certificate expired", func(s *signed) { s.certify("expired", "intermediate") }, `expired`},
	{"certificate of the future", func(s *signed) { s.certify("future", "intermediate") }, `not (yet )?valid|before`},
	{"certificate for a TLS server", func(s *signed) { s.certify("tls", "intermediate") }, `sign|usage`},
	{"certificate and key of two", func(s *signed) {
		s.certify("leaf", "intermediate")
		other, _ := pem.Decode(s.read("ca/other-leaf.pem"))
		leaf, _ := pem.Decode(s.read("ca/leaf.pem"))
		s.edit(func(b []byte) []byte {
			return bytes.Replace(b, []byte(base64.StdEncoding.EncodeToString(leaf.Bytes)), []byte(base64.StdEncoding.EncodeToString(other.Bytes)), 1)
		})
	}, `certificate|signature|trust`},
}

// forgedPayloads are signed by the key that is trusted: the format itself must refuse them.
var forgedPayloads = []tampering{
	{"duplicate key in the payload", replace(`{`, `{"_type": "x", `), `duplicate.*_type`},
	{"duplicate name", replace(`"name":"sub/vocab.txt"`, `"name":"config.json"`), `config\.json`},
	{"dot-dot", replace(`"name":"config.json"`, `"name":"../config.json"`), `\.\./config\.json`},
	{"dot-dot inside", replace(`"name":"sub/vocab.txt"`, `"name":"sub/../vocab.txt"`), `sub/\.\./vocab\.txt`},
	{"absolute", replace(`"name":"config.json"`, `"name":"/etc/passwd"`), `/etc/passwd`},
	{"NUL", replace(`"name":"config.json"`, `"name":"config.json\u0000.txt"`), `config\.json.*(NUL|x00|u0000)`},
	{"empty name", replace(`"name":"config.json"`, `"name":""`), `name`},
	{"empty part", replace(`"name":"sub/vocab.txt"`, `"name":"sub//vocab.txt"`), `sub//vocab\.txt`},
	{"trailing slash", replace(`"name":"sub/vocab.txt"`, `"name":"sub/vocab.txt/"`), `sub/vocab\.txt/`},
	{"root digest", func(s *signed) {
		s.forge(func(p string) string {
			return regexp.MustCompile(`"sha256":"[0-9a-f]{8}`).ReplaceAllString(p, `"sha256":"00000000`)
		})
	}, `root digest`},
	{"predicate type", replace(`https://model_signing/signature/v1.0`, `https://model_signing/signature/v9`), `predicate`},
	{"statement type", replace(`https://in-toto.io/Statement/v1`, `https://in-toto.io/Statement/v9`), `statement|_type`},
	{"unknown hash", replace(`"hash_type":"sha256"`, `"hash_type":"md5"`), `md5`},
}

// TestTamperedLogEntry alters the transparency log's part of a real Sigstore signature.
func TestTamperedLogEntry(t *testing.T) {
	t.Parallel()
	corpus := omstest.Corpus(t)
	entry := func(b map[string]any) map[string]any {
		return b["verificationMaterial"].(map[string]any)["tlogEntries"].([]any)[0].(map[string]any)
	}
	otherBytes := func(t *testing.T, encoded any) string {
		b, err := base64.StdEncoding.DecodeString(encoded.(string))
		if err != nil || len(b) == 0 {
			t.Fatal(errors.Join(err, errors.New("the corpus has another form")))
		}
		b[len(b)/2] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	for name, alter := range map[string]func(*testing.T, map[string]any){
		"integrated time": func(_ *testing.T, b map[string]any) { entry(b)["integratedTime"] = "1700000000" },
		"log index":       func(_ *testing.T, b map[string]any) { entry(b)["logIndex"] = "1" },
		"body": func(t *testing.T, b map[string]any) {
			entry(b)["canonicalizedBody"] = otherBytes(t, entry(b)["canonicalizedBody"])
		},
		"promise": func(t *testing.T, b map[string]any) {
			promise := entry(b)["inclusionPromise"].(map[string]any)
			promise["signedEntryTimestamp"] = otherBytes(t, promise["signedEntryTimestamp"])
		},
		"log": func(t *testing.T, b map[string]any) {
			id := entry(b)["logId"].(map[string]any)
			id["keyId"] = otherBytes(t, id["keyId"])
		},
		"none": func(_ *testing.T, b map[string]any) {
			b["verificationMaterial"].(map[string]any)["tlogEntries"] = []any{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &signed{session: newSession(t)}
			s.must(os.CopyFS(s.path("model"), os.DirFS(filepath.Join(corpus, "historical", "v1.0.0-sigstore"))))
			s.verify = []string{"verify", "--trusted-root", filepath.Join(corpus, "sigstore", "trusted_root.json"), "--identity", "stefanb@us.ibm.com",
				"--identity-provider", "https://sigstore.verify.ibm.com/oauth2", s.path("model")}
			s.exits(0, "git-model-sign", s.verify...)
			s.editBundle(func(b map[string]any) { alter(t, b) })
			s.check(t, `log`)
		})
	}
}
