package verifytest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
)

// Server is an instance that is reached by HTTP, as real ones are: Fulcio, without a certificate transparency log, Rekor v1, and a
// timestamp authority.
type Server struct {
	URL string

	instance *Instance
	stamps   *TimestampAuthority

	mu      sync.Mutex
	logged  int
	trouble string
	twice   bool                     // requests for the log reach it twice
	last    map[string]any           // entry, by its name
	ahead   map[string]time.Duration // of the clocks, by service
}

// Services are where the services of an instance are. A URL that is empty stands for none.
type Services struct {
	Fulcio, Rekor, Timestamps string
	Issuer                    string // at which people sign in
}

// Serve starts a server, for as long as the test lasts.
func (i *Instance) Serve(t testing.TB) *Server {
	t.Helper()
	s := &Server{instance: i, stamps: NewTimestampAuthority(t, "timestamps"), ahead: make(map[string]time.Duration)}
	s.stamps.Now = func() time.Time { return s.now("timestamps") }
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// ServeHTTP answers a request to any of the services, with the date by that one's clock.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	services := map[string]struct {
		name string
		http.HandlerFunc
	}{
		"/api/v2/signingCert": {"fulcio", s.certify}, "/api/v1/log/entries": {"rekor", s.log}, "/api/v1/timestamp": {"timestamps", s.stamps.ServeHTTP},
	}
	service, ok := services[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/log/entries/"+entryName:
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, http.StatusOK, s.last)
		return
	case !ok || r.Method != http.MethodPost:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Date", s.now(service.name).UTC().Format(http.TimeFormat))
	service.ServeHTTP(w, r)
}

// SetClock has a service's clock run ahead of the machine's from now on: that of "fulcio", "rekor" or "timestamps".
func (s *Server) SetClock(service string, ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead[service] = ahead
}

func (s *Server) now(service string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead[service])
}

// TrustConfig is the client trust config of the instance's Fulcio and Rekor, where people sign in at issuer; with an empty one it names none.
func (s *Server) TrustConfig(t testing.TB, issuer string) []byte {
	t.Helper()
	return s.TrustConfigOf(t, Services{Fulcio: s.URL, Rekor: s.URL, Issuer: issuer})
}

// TrustConfigOf is the client trust config of the instance, whose services are where they are said to be.
func (s *Server) TrustConfigOf(t testing.TB, at Services) []byte {
	t.Helper()
	config := map[string]any{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
	add := func(u, urls, selector string) {
		if u == "" {
			return
		}
		config[urls] = []any{map[string]any{"url": u, "majorApiVersion": 1, "validFor": map[string]string{"start": "2020-01-01T00:00:00Z"}, "operator": "test"}}
		if selector != "" {
			config[selector] = map[string]string{"selector": "ANY"}
		}
	}
	add(at.Fulcio, "caUrls", "")
	add(at.Rekor, "rekorTlogUrls", "rekorTlogConfig")
	add(at.Issuer, "oidcUrls", "")
	trusted := *s.instance
	if at.Timestamps != "" {
		add(at.Timestamps+"/api/v1/timestamp", "tsaUrls", "tsaConfig")
		trusted.Timestamps = append(slices.Clone(trusted.Timestamps), s.stamps)
	}
	b, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json", "signingConfig": config,
		"trustedRoot": json.RawMessage(trusted.TrustedRoot(t, false)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Fail has the log answer with trouble from now on; with "" no longer.
func (s *Server) Fail(trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
}

// SetTwice has every request for the log reach it twice from now on, as by a proxy that tries again, or no longer. The second time, the
// log has the entry already.
func (s *Server) SetTwice(twice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.twice = twice
}

// Logged is how many entries the log has taken.
func (s *Server) Logged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged
}

// certify is Fulcio. It believes every token that could be genuine.
func (s *Server) certify(w http.ResponseWriter, r *http.Request) {
	var request struct {
		PublicKeyRequest struct{ PublicKey struct{ Content string } }
	}
	err := json.NewDecoder(r.Body).Decode(&request)
	token, errToken := idtoken.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err = errors.Join(err, errToken); err == nil {
		err = token.Check("sigstore", s.now("fulcio"))
	}
	var cert *x509.Certificate
	if err == nil {
		identity, issuer := token.Certificate()
		cert, err = s.instance.issue(identity, issuer, request.PublicKeyRequest.PublicKey.Content, s.now("fulcio"))
	}
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": 3, "message": "There was an error processing the identity token: " + err.Error()})
		return
	}
	chain := []string{string(PEM(cert)), string(PEM(s.instance.authority.Certificate))}
	answer(w, http.StatusOK, map[string]any{"signedCertificateDetachedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

// issue certifies a public key in PEM for an identity, for ten minutes from now.
func (i *Instance) issue(identity, issuer, public string, now time.Time, extensions ...pkix.Extension) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(public))
	if block == nil {
		return nil, errors.New("no public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key of type %T", key)
	}
	template := template("")
	template.Subject = pkix.Name{}
	template.NotBefore, template.NotAfter = now.Add(-time.Minute), now.Add(10*time.Minute)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	if u, err := url.Parse(identity); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else {
		template.EmailAddresses = []string{identity}
	}
	template.ExtraExtensions = append(extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)})
	return newCertificate(template, i.authority.Certificate, ec, i.authority.Key)
}

// log is Rekor. It logs DSSE envelopes.
func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != "" {
		answer(w, http.StatusInternalServerError, map[string]any{"code": 500, "message": s.trouble})
		return
	}
	entry, err := s.entry(r)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": 400, "message": err.Error()})
		return
	}
	s.logged++
	s.last = map[string]any{entryName: entry}
	w.Header().Set("ETag", entryName)
	w.Header().Set("Location", "/api/v1/log/entries/"+entryName)
	if s.twice {
		answer(w, http.StatusConflict, map[string]any{"code": 409, "message": "an equivalent entry already exists in the transparency log"})
		return
	}
	answer(w, http.StatusCreated, s.last)
}

// entryName is what the log calls every entry.
var entryName = strings.Repeat("0", 80)

func (s *Server) entry(r *http.Request) (map[string]any, error) {
	var proposed struct {
		Spec struct {
			ProposedContent struct {
				Envelope  string
				Verifiers [][]byte
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&proposed); err != nil {
		return nil, err
	}
	var envelope protodsse.Envelope
	if err := json.Unmarshal([]byte(proposed.Spec.ProposedContent.Envelope), &envelope); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(append(proposed.Spec.ProposedContent.Verifiers[0], '\n'))
	if block == nil {
		return nil, errors.New("no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	b := &protobundle.Bundle{
		VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: cert.Raw},
		}},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &envelope},
	}
	if err := (&Signer{Certificate: cert, Delay: s.ahead["rekor"], instance: s.instance}).GetTransparencyLogEntry(r.Context(), nil, b); err != nil {
		return nil, err
	}
	e := b.VerificationMaterial.TlogEntries[0]
	proof := e.GetInclusionProof()
	hashes := []string{}
	for _, h := range proof.GetHashes() {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	return map[string]any{
		"body": base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), "integratedTime": e.GetIntegratedTime(),
		"logID": hex.EncodeToString(e.GetLogId().GetKeyId()), "logIndex": e.GetLogIndex(),
		"verification": map[string]any{
			"signedEntryTimestamp": e.GetInclusionPromise().GetSignedEntryTimestamp(),
			"inclusionProof": map[string]any{
				"checkpoint": proof.GetCheckpoint().GetEnvelope(), "hashes": hashes, "logIndex": proof.GetLogIndex(),
				"rootHash": hex.EncodeToString(proof.GetRootHash()), "treeSize": proof.GetTreeSize(),
			},
		},
	}, nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who no longer listens has nothing to be told
}
