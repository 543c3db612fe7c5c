package verifytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"golang.org/x/mod/sumdb/tlog"
)

// Rekor is which of Rekor's two kinds of log an entry comes from.
type Rekor int

// The zero value is Rekor v1, which promises to log, and by that tells a time.
const (
	RekorV1 Rekor = iota
	RekorV2
)

const (
	logHost   = "rekor.localhost"
	logTreeID = " - 123" // what Rekor v1 puts behind it
)

// rekor is a log of both kinds with one key. Every entry is the first of three in a tree of its own.
type rekor struct {
	key *ecdsa.PrivateKey
	id  [sha256.Size]byte
}

func newRekor(t testing.TB) *rekor {
	t.Helper()
	key := NewKey(t, elliptic.P256())
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &rekor{key, sha256.Sum256(der)}
}

// trusted is what a trusted root says of the log.
func (r *rekor) trusted() map[string]*root.TransparencyLog {
	return map[string]*root.TransparencyLog{hex.EncodeToString(r.id[:]): {
		BaseURL: "https://" + logHost, ID: r.id[:], HashFunc: crypto.SHA256, PublicKey: r.key.Public(),
		SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Now().Add(-time.Hour),
	}}
}

func (r *rekor) sign(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return ecdsa.SignASN1(rand.Reader, r.key, sum[:])
}

// Log logs a body, of whichever kind that is, at an instance's log as Rekor v1 or v2 does: with a promise from v1 only.
func (i *Instance) Log(kind Rekor, body []byte, at time.Time) (*protorekor.TransparencyLogEntry, error) {
	r := i.rekor
	var is struct{ Kind, APIVersion string }
	if err := json.Unmarshal(body, &is); err != nil {
		return nil, err
	}
	second, third := tlog.RecordHash([]byte("2")), tlog.RecordHash([]byte("3"))
	tree := tlog.NodeHash(tlog.NodeHash(tlog.RecordHash(body), second), third)
	origin := logHost
	if kind == RekorV1 {
		origin += logTreeID
	}
	text := fmt.Sprintf("%s\n3\n%s\n", origin, tree)
	signature, err := r.sign([]byte(text))
	if err != nil {
		return nil, err
	}
	line := base64.StdEncoding.EncodeToString(append(r.id[:4:4], signature...))
	e := &protorekor.TransparencyLogEntry{
		LogId:       &protocommon.LogId{KeyId: r.id[:]},
		KindVersion: &protorekor.KindVersion{Kind: is.Kind, Version: is.APIVersion},
		InclusionProof: &protorekor.InclusionProof{
			RootHash: tree[:], TreeSize: 3, Hashes: [][]byte{second[:], third[:]},
			Checkpoint: &protorekor.Checkpoint{Envelope: fmt.Sprintf("%s\n— %s %s\n", text, logHost, line)},
		},
		CanonicalizedBody: body,
	}
	if kind == RekorV1 {
		e.IntegratedTime = at.Unix()
		e.InclusionPromise, err = r.promise(e)
	}
	return e, err
}

// promise signs an entry as Rekor v1 does.
func (r *rekor) promise(e *protorekor.TransparencyLogEntry) (*protorekor.InclusionPromise, error) {
	text, err := json.Marshal(map[string]any{ // which sorts the names, as RFC 8785 asks
		"body": e.GetCanonicalizedBody(), "integratedTime": e.GetIntegratedTime(), "logID": hex.EncodeToString(r.id[:]), "logIndex": e.GetLogIndex(),
	})
	if err != nil {
		return nil, err
	}
	signature, err := r.sign(text)
	return &protorekor.InclusionPromise{SignedEntryTimestamp: signature}, err
}

// hashedRekord is how Rekor v2 writes down that a certificate's key has signed a text.
func hashedRekord(cert *x509.Certificate, signed, signature []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	return json.Marshal(map[string]any{
		"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": map[string]any{"hashedRekordV002": map[string]any{
			"data": map[string]any{"algorithm": "SHA2_256", "digest": sum[:]},
			"signature": map[string]any{"content": signature, "verifier": map[string]any{
				"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": map[string]any{"rawBytes": cert.Raw},
			}},
		}},
	})
}
