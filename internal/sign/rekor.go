package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// rekor asks a transparency log to take a signature. The clients that sigstore-go brings along are not used: they read answers
// without a bound, follow redirects, have times of their own, and one does not survive an answer that lacks a member.
type rekor struct {
	url     string
	version uint32
	client  *http.Client
}

func newRekor(url string, version uint32, transport http.RoundTripper, timeout time.Duration) sign.Transparency {
	return &rekor{strings.TrimSuffix(url, "/"), version, &http.Client{Transport: transport, Timeout: timeout}}
}

// GetTransparencyLogEntry logs the bundle's signature once, and puts the entry into the bundle. What the log returns is not verified here.
func (r *rekor) GetTransparencyLogEntry(ctx context.Context, certPEM []byte, b *protobundle.Bundle) error {
	entry, err := r.add(ctx, certPEM, b)
	if err != nil {
		return err
	}
	b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, entry)
	return nil
}

func (r *rekor) add(ctx context.Context, certPEM []byte, b *protobundle.Bundle) (*protorekor.TransparencyLogEntry, error) {
	if r.version == 1 {
		return r.addV1(ctx, certPEM, b)
	}
	return r.addV2(ctx, certPEM, b)
}

// addV1 logs a DSSE envelope. A log that has it already answers 409 and says where: a request may have reached it twice, by a
// proxy that tried again. Its entry is as good as a new one.
func (r *rekor) addV1(ctx context.Context, certPEM []byte, b *protobundle.Bundle) (*protorekor.TransparencyLogEntry, error) {
	e := b.GetDsseEnvelope()
	envelope, err := json.Marshal(map[string]any{
		"payload": e.GetPayload(), "payloadType": e.GetPayloadType(), "signatures": []any{map[string]any{"sig": e.GetSignatures()[0].GetSig()}},
	})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
		"proposedContent": map[string]any{"envelope": string(envelope), "verifiers": [][]byte{certPEM}},
	}})
	if err != nil {
		return nil, err
	}
	answer, header, err := r.ask(ctx, http.MethodPost, "/api/v1/log/entries", body)
	var status *sigstore.StatusError
	if errors.As(err, &status) && status.Code == http.StatusConflict {
		answer, err = r.existing(ctx, header)
	}
	if err != nil {
		return nil, err
	}
	return parseEntry(answer)
}

// entryID is the name of an entry of Rekor v1: its hash in the tree, with that of the tree before it.
var entryID = regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f]{80})$`)

// existing gets the entry that the log has already.
func (r *rekor) existing(ctx context.Context, header http.Header) ([]byte, error) {
	id := path.Base(header.Get("Location"))
	if !entryID.MatchString(id) {
		return nil, errors.New("it has the signature already, and does not say where (409 Conflict)")
	}
	answer, _, err := r.ask(ctx, http.MethodGet, "/api/v1/log/entries/"+id, nil)
	if err != nil {
		return nil, fmt.Errorf("getting the entry that it has already (409 Conflict): %w", err)
	}
	return answer, nil
}

// addV2 logs the hash of what was signed: https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md
func (r *rekor) addV2(ctx context.Context, certPEM []byte, b *protobundle.Bundle) (*protorekor.TransparencyLogEntry, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, errors.New("no certificate to log")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	envelope := b.GetDsseEnvelope()
	details, digest, err := hashed(cert, oms.PAE(envelope.GetPayloadType(), envelope.GetPayload()))
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"hashedRekordRequestV002": map[string]any{
		"digest": digest,
		"signature": map[string]any{"content": envelope.GetSignatures()[0].GetSig(), "verifier": map[string]any{
			"x509Certificate": map[string]any{"rawBytes": cert.Raw}, "keyDetails": details.String(),
		}},
	}})
	if err != nil {
		return nil, err
	}
	answer, _, err := r.ask(ctx, http.MethodPost, "/api/v2/log/entries", body)
	if err != nil {
		return nil, err
	}
	entry := new(protorekor.TransparencyLogEntry)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, entry); err != nil {
		return nil, errEntry
	}
	return entry, nil
}

// keyDetails is how Rekor v2 knows keys, by the hash that they sign with.
var keyDetails = map[crypto.Hash]protocommon.PublicKeyDetails{
	crypto.SHA256: protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
	crypto.SHA384: protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
	crypto.SHA512: protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512,
}

// hashed is how Rekor v2 knows a certificate's key, and the digest of what that signs.
func hashed(cert *x509.Certificate, signed []byte) (protocommon.PublicKeyDetails, []byte, error) {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		if hash, ok := verify.Hash(key); ok {
			h := hash.New()
			h.Write(signed)
			return keyDetails[hash], h.Sum(nil), nil
		}
	}
	return 0, nil, fmt.Errorf("%w: the certificate's key is %s", ErrKeyType, cert.PublicKeyAlgorithm)
}

// ask sends one request. An answer that is neither 200 nor 201 is a *sigstore.StatusError.
func (r *rekor) ask(ctx context.Context, method, path string, body []byte) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	a, err := r.client.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // it repeats the URL
		}
		return nil, nil, err
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body) // bounded by the transport
	switch {
	case err != nil:
		return nil, nil, err
	case a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated:
		return nil, a.Header, sigstore.NewStatusError(a, answer)
	}
	return answer, a.Header, nil
}

// errEntry: an answer that is no entry.
var errEntry = errors.New("its answer is not a log entry")

// entryV1 is an entry as Rekor v1 answers it.
type entryV1 struct {
	Body           []byte   `json:"body"`
	IntegratedTime int64    `json:"integratedTime"`
	LogID          hexBytes `json:"logID"`
	LogIndex       int64    `json:"logIndex"`
	Verification   struct {
		SignedEntryTimestamp []byte `json:"signedEntryTimestamp"`
		InclusionProof       struct {
			Checkpoint string     `json:"checkpoint"`
			Hashes     []hexBytes `json:"hashes"`
			RootHash   hexBytes   `json:"rootHash"`
			LogIndex   int64      `json:"logIndex"`
			TreeSize   int64      `json:"treeSize"`
		} `json:"inclusionProof"`
	} `json:"verification"`
}

// parseEntry reads an answer of Rekor v1: one entry under its name. Whether it is what was to be logged is for verification to say.
func parseEntry(answer []byte) (*protorekor.TransparencyLogEntry, error) {
	var named map[string]entryV1
	if json.Unmarshal(answer, &named) != nil || len(named) != 1 {
		return nil, errEntry
	}
	var e entryV1
	for _, e = range named {
	}
	var kind struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if json.Unmarshal(e.Body, &kind) != nil || kind.Kind == "" {
		return nil, errEntry
	}
	proof := e.Verification.InclusionProof
	siblings := make([][]byte, len(proof.Hashes))
	for i, h := range proof.Hashes {
		siblings[i] = h
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: e.LogIndex, LogId: &protocommon.LogId{KeyId: e.LogID}, IntegratedTime: e.IntegratedTime, CanonicalizedBody: e.Body,
		KindVersion:      &protorekor.KindVersion{Kind: kind.Kind, Version: kind.Version},
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: e.Verification.SignedEntryTimestamp},
		InclusionProof: &protorekor.InclusionProof{
			LogIndex: proof.LogIndex, RootHash: proof.RootHash, TreeSize: proof.TreeSize, Hashes: siblings,
			Checkpoint: &protorekor.Checkpoint{Envelope: proof.Checkpoint},
		},
	}, nil
}

// hexBytes is bytes that are hexadecimal in JSON.
type hexBytes []byte

// UnmarshalText decodes them.
func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}
