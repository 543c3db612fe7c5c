package monitor_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
)

// TestOddSpelling holds that an entry is found however its log spells it: those who verify by it read JSON with less care, so that a
// log could hide what it has vouched for.
func TestOddSpelling(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		cert := w.log.Certificate(t, "alice@example.com", issuer)
		dsse, hashed := monitortest.Body("dsse 0.0.1", cert, "x"), monitortest.Body("hashedrekord 0.0.2", cert, "x")
		inURL := base64.RawURLEncoding.EncodeToString(cert)
		for name, body := range map[string]string{
			"names in capitals":   regexp.MustCompile(`"\w+":`).ReplaceAllStringFunc(string(dsse), strings.ToUpper),
			"names of proto":      `{"api_version":"0.0.2","kind":"hashedrekord","spec":{"hashed_rekord_v002":{"data":{"algorithm":"SHA2_256","digest":"AA=="},"signature":{"content":"c2ln","verifier":{"x509_certificate":{"raw_bytes":"` + inURL + `"},"key_details":"PKIX_ECDSA_P256_SHA_256"}}}}}`,
			"base64 for URLs":     strings.Replace(string(hashed), base64.StdEncoding.EncodeToString(cert), inURL, 1),
			"algorithm by number": strings.Replace(string(hashed), `"SHA2_256"`, "1", 1),
			"digest by letters":   strings.Replace(string(hashed), `"digest":"`, `"digest":"*`, 1),
			"something behind":    string(dsse) + "{}",
			"a name twice":        `{"kind":"rekord",` + string(dsse[1:]),
			"not UTF-8":           `{"a":"` + "\xff" + `",` + string(dsse[1:]),
			"another PEM": strings.Replace(string(dsse), base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
				base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: cert})), 1),
			"many signers": manySigners(t, dsse, []byte("x"), 200),
		} {
			index := w.log.Add([]byte(body))
			w.o.Since = index
			if found, _, err := w.run(t); err != nil || len(found) != 1 {
				t.Errorf("%s: found %v, error %v", name, found, err)
			}
		}
		// What names nobody at all could not be understood.
		w.log.Add([]byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{}}`), []byte(`{}`))
		w.o.Since = -1
		if r := w.want(t); r.Unreadable != 2 {
			t.Errorf("%+v", r)
		}
	})
}

// manySigners puts signers before the one of a dsse entry.
func manySigners(t *testing.T, body, cert []byte, n int) string {
	t.Helper()
	other := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	one, err := json.Marshal(map[string]string{"signature": "c2ln", "verifier": other})
	if err != nil {
		t.Fatal(err)
	}
	before := `"signatures":[` + string(bytes.Repeat(append(one, ','), n))
	return strings.Replace(string(body), `"signatures":[`, before, 1)
}

// TestKnownLarge holds that a bundle with very many entries, which anybody may put into a repository, does not fill the memory.
func TestKnownLarge(t *testing.T) {
	raw := []byte(`{"verificationMaterial":{"tlogEntries":[` + strings.Repeat("{},", 1<<20) + `{}]}}`)
	known := monitor.Known{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := known.AddBundle(raw)
	runtime.ReadMemStats(&after)
	if err == nil || len(known) > 0 {
		t.Errorf("%d entries are known, error %v", len(known), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(raw)) {
		t.Errorf("it took %d bytes to read %d", took, len(raw))
	}
}

// TestKnownSpelling holds that an entry is known however its bundle is spelled, as those who verify would read it.
func TestKnownSpelling(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		bundle := string(w.log.AddBundle(t, []byte(unlogged), "alice@example.com", issuer))
		spelled := regexp.MustCompile(`"logIndex":\s*"0"`).ReplaceAllString(bundle, `"log_index":0`)
		spelled = strings.NewReplacer("tlogEntries", "tlog_entries", "keyId", "key_id").Replace(spelled)
		if err := w.known.AddBundle([]byte(spelled)); err != nil || len(w.known) != 1 || spelled == bundle {
			t.Fatalf("%d are known, error %v, of %s", len(w.known), err, spelled)
		}
		w.want(t)
	})
}

// newAuthority is an instance whose certificate authority has begun just now.
type newAuthority struct{ root.TrustedMaterial }

func (n newAuthority) FulcioCertificateAuthorities() (out []root.CertificateAuthority) {
	for _, a := range n.TrustedMaterial.FulcioCertificateAuthorities() {
		begun := *a.(*root.FulcioCertificateAuthority)
		begun.ValidityPeriodStart = time.Now()
		out = append(out, &begun)
	}
	return out
}

// TestAuthorityBegan holds that a certificate counts that began before its authority did, by a clock that was somewhat late.
func TestAuthorityBegan(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		w.o.Trusted = newAuthority{w.o.Trusted}
		w.want(t, 0)
	})
}
