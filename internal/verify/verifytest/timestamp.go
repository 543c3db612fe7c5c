package verifytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// TimestampAuthority is an RFC 3161 timestamp authority.
type TimestampAuthority struct {
	*Authority                   // which certifies it
	Leaf       *x509.Certificate // by which it signs
	Bare       bool              // to leave the certificates out of timestamps
	Now        func() time.Time  // its clock
	// Change, if there is one, changes what it answers a request with.
	Change func(ts *timestamp.Timestamp)

	key *ecdsa.PrivateKey
}

// TimestampUsage is the extension that certificates for timestamping need: extended key usage timeStamping, and critical.
func TimestampUsage(c *x509.Certificate) {
	value, _ := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: value})
}

// NewTimestampAuthority makes an authority of that name. Its certificates are valid for a year before and behind now; the
// edits change the one by which it signs.
func NewTimestampAuthority(t testing.TB, name string, edits ...func(*x509.Certificate)) *TimestampAuthority {
	t.Helper()
	long := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	}
	key, template := NewKey(t, elliptic.P256()), authority(name+" root")
	long(template)
	a := &TimestampAuthority{Authority: &Authority{create(t, template, template, key, key), key}, Now: time.Now, key: NewKey(t, elliptic.P256())}
	a.Leaf = a.Issue(t, name, a.key, append([]func(*x509.Certificate){long, TimestampUsage}, edits...)...)
	return a
}

// Renew is the same authority with another certificate, and another key, to sign by.
func (a *TimestampAuthority) Renew(t testing.TB) *TimestampAuthority {
	t.Helper()
	renewed := *a
	renewed.key = NewKey(t, elliptic.P256())
	renewed.Leaf = a.Issue(t, a.Leaf.Subject.CommonName+" renewed", renewed.key, TimestampUsage)
	return &renewed
}

// Stamp returns a timestamp of a signature.
func (a *TimestampAuthority) Stamp(t testing.TB, signature []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(signature)
	b, err := a.answer(&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: !a.Bare})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// StampAt is Stamp at another time.
func (a *TimestampAuthority) StampAt(t testing.TB, signature []byte, at time.Time) []byte {
	t.Helper()
	other := *a
	other.Now = func() time.Time { return at }
	return other.Stamp(t, signature)
}

func (a *TimestampAuthority) answer(r *timestamp.Request) ([]byte, error) {
	ts := &timestamp.Timestamp{
		HashAlgorithm: r.HashAlgorithm, HashedMessage: r.HashedMessage, Time: a.Now(), Nonce: r.Nonce, SerialNumber: big.NewInt(1),
		Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: r.Certificates && !a.Bare,
	}
	if a.Change != nil {
		a.Change(ts)
	}
	return ts.CreateResponseWithOpts(a.Leaf, a.key, crypto.SHA256)
}

// Serve has the authority answer by HTTP, for as long as the test lasts, and returns the URL.
func (a *TimestampAuthority) Serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return server.URL
}

// ServeHTTP answers a request for a timestamp.
func (a *TimestampAuthority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var query *timestamp.Request
	if err == nil {
		query, err = timestamp.ParseRequest(b)
	}
	if err == nil {
		b, err = a.answer(query)
	}
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "no request for a timestamp", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(b)
}
