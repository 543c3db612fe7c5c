package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
)

// Where things are in an SCT (RFC 6962, section 3.3), from the end of the extension's OID on.
const (
	sctLog       = 20 // within the log's id
	sctTime      = 45
	sctSignature = 75
)

// flipInSCT alters a bit of the proof in a certificate that it was logged.
func flipInSCT(certificate []byte, where int) {
	oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2})
	i := bytes.Index(certificate, oid)
	if err != nil || i < 0 {
		panic("the certificate has no SCT")
	}
	certificate[i+len(oid)+where] ^= 1
}

// flipSCT alters it in a bundle's certificate, which is then no longer as its authority has signed it.
func flipSCT(b bundleJSON) {
	certificate := b.at("verificationMaterial", "certificate")
	raw, err := base64.StdEncoding.DecodeString(certificate["rawBytes"].(string))
	if err != nil {
		panic(err)
	}
	flipInSCT(raw, sctSignature)
	certificate["rawBytes"] = base64.StdEncoding.EncodeToString(raw)
}

// TestSigstackSCT has an authority that means well issue certificates with an SCT in which something is wrong, so that nothing else is.
// Where no SCT is asked for such a signature is made, logged and verified; elsewhere it is refused, and not even logged.
func TestSigstackSCT(t *testing.T) {
	s := newStackSession(t)
	for name, where := range map[string]int{"log": sctLog, "time": sctTime, "signature": sctSignature} {
		t.Run(name, func(t *testing.T) {
			authority := s.authorityWithSCT(where)
			careless := s.changed(s.file("nosct.json"), "careless.json", func(b bundleJSON) { b.at("signingConfig", "caUrls")["url"] = authority })
			s.mustSign(careless, "model", "model.sig")
			if r := s.verify(careless, "model.sig"); r.status != 0 {
				t.Errorf("does not verify where no SCT is asked for\n%s", r.said())
			}
			s.refusesSCT(s.file("trust.json"), "model.sig")
			careful := s.changed(s.file("trust.json"), "careful.json", func(b bundleJSON) { b.at("signingConfig", "caUrls")["url"] = authority })
			size := s.logSize()
			if r := s.sign(careful, "model", "careful.sig"); r.status != 4 || !strings.Contains(r.stderr, "Fulcio") || !strings.Contains(r.stderr, "certificate transparency log") {
				t.Errorf("signing where one is asked for: exit status %d, want 4\n%s", r.status, r.said())
			}
			if got := s.logSize(); got != size {
				t.Error("a signature was logged that nobody can accept")
			}
		})
	}
}

// TestSigstackSCTOfAnotherKey has another key for the certificate transparency log that we know by that id.
func TestSigstackSCTOfAnotherKey(t *testing.T) {
	s := newStackSession(t)
	s.mustSign(s.file("trust.json"), "model", "model.sig")
	s.keyPair("other", "P-256")
	block, _ := pem.Decode(s.read("other.pub"))
	s.refusesSCT(s.changed(s.file("trusted_root.json"), "changed_root.json", func(b bundleJSON) {
		b.at("ctlogs", "publicKey")["rawBytes"] = base64.StdEncoding.EncodeToString(block.Bytes)
	}), "model.sig")
}

func (s *stackSession) refusesSCT(trust, signature string) {
	s.t.Helper()
	const said = "certificate is not proven to be in a certificate transparency log"
	if r := s.verify(trust, signature); r.status != 1 || !strings.Contains(r.said(), said) {
		s.t.Errorf("exit status %d, want 1 and %q\n%s", r.status, said, r.said())
	}
}

// authorityWithSCT is the address of the instance's Fulcio as it would be if it altered a bit of the SCTs that it gets.
func (s *stackSession) authorityWithSCT(where int) string {
	s.t.Helper()
	raw, err := os.ReadFile(s.file("trust.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	config := make(bundleJSON)
	if err := json.Unmarshal(raw, &config); err != nil {
		s.t.Fatal(err)
	}
	fulcio, err := url.Parse(config.at("signingConfig", "caUrls")["url"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(fulcio)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		answer := make(bundleJSON)
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
		chain := answer.at("signedCertificateEmbeddedSct", "chain")["certificates"].([]any)
		if chain[0], err = s.withSCT(chain[0].(string), where); err != nil {
			return err
		}
		if body, err = json.Marshal(answer); err != nil {
			return err
		}
		r.Header.Del("Content-Length")
		r.ContentLength, r.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
		return nil
	}
	server := httptest.NewServer(proxy)
	s.t.Cleanup(server.Close)
	return server.URL
}

// withSCT alters a bit of the SCT in a certificate, and signs it again with the authority's key.
func (s *stackSession) withSCT(certificate string, where int) (string, error) {
	raw, err := os.ReadFile(s.file("fulcio.key"))
	if err != nil {
		return "", err
	}
	private, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		return "", err
	}
	var signed struct {
		Statement asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	block, _ := pem.Decode([]byte(certificate))
	if _, err := asn1.Unmarshal(block.Bytes, &signed); err != nil {
		return "", err
	}
	flipInSCT(signed.Statement.FullBytes, where)
	digest := sha256.Sum256(signed.Statement.FullBytes)
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		return "", err
	}
	signed.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if block.Bytes, err = asn1.Marshal(signed); err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(block)), nil
}
