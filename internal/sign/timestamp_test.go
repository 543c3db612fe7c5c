package sign_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// TestTimestamps signs by key and by certificate, with timestamps from two authorities.
func TestTimestamps(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	key, private := signingKey(t, elliptic.P384())
	a, b := verifytest.NewTimestampAuthority(t, "a"), verifytest.NewTimestampAuthority(t, "b")
	urls, stranger := []string{a.Serve(t), b.Serve(t)}, verifytest.NewTimestampAuthority(t, "a").Serve(t)
	certificate, err := sign.NewCertificate(key, verifytest.PEM(root.Issue(t, "signer", private)), nil)
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := verify.NewKey(verify.EncodePublicKey(key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	byRoot, err := verify.NewCertificate([][]byte{verifytest.PEM(root.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signer   sign.Signer
		verifier verify.Verifier
	}{"key": {key, byKey}, "certificate": {certificate, byRoot}} {
		t.Run(name, func(t *testing.T) {
			key.TimestampURLs = nil
			without, err := oms.ParseBundle(mustVerify(t, c.signer, c.verifier))
			if err != nil || len(without.Timestamps) != 0 || !c.signer.Made(t.Context(), without) {
				t.Fatalf("unasked: %d timestamps, %v", len(without.Timestamps), err)
			}
			key.TimestampURLs = urls
			if c.signer.Made(t.Context(), without) {
				t.Error("a signature without timestamps passes for one with them")
			}
			raw := mustVerify(t, c.signer, c.verifier)
			with, err := oms.ParseBundle(raw)
			if err != nil || len(with.Timestamps) != 2 || !c.signer.Made(t.Context(), with) {
				t.Fatalf("%d timestamps, %v", len(with.Timestamps), err)
			}
			key.TimestampURLs = urls[:1]
			if !c.signer.Made(t.Context(), with) {
				t.Error("one timestamp is asked for, there are two, and yet it would be signed again")
			}
			key.TimestampURLs = urls
			for _, others := range [][]string{{stranger}, {urls[0], stranger}} {
				if key.TimestampURLs = others; c.signer.Made(t.Context(), with) {
					t.Errorf("timestamps by others pass for those of %q", others)
				}
			}
			if key.TimestampURLs = []string{urls[1], urls[0], urls[1]}; !c.signer.Made(t.Context(), with) {
				t.Error("there are both timestamps, and yet it would be signed again")
			}
			if key.TimestampURLs = []string{urls[0], a.Renew(t).Serve(t)}; !c.signer.Made(t.Context(), with) {
				t.Error("another certificate of the same authority passes for another authority")
			}
			if key.TimestampURLs = []string{urls[0], "http://127.0.0.1:1/"}; !c.signer.Made(t.Context(), with) {
				t.Error("there are as many timestamps as authorities, and what is signed already would need the network")
			}
			if key.TimestampURLs = append(urls, "http://127.0.0.1:1/"); c.signer.Made(t.Context(), with) {
				t.Error("one timestamp more is asked for than there are")
			}
			key.TimestampURLs = urls
			if with.Timestamps[1] = []byte("junk"); c.signer.Made(t.Context(), with) {
				t.Error("a damaged timestamp passes for one")
			}
			for _, who := range []*verifytest.TimestampAuthority{a, b} {
				believed, err := verify.NewTimestampAuthorities([][]byte{verifytest.PEM(who.Certificate)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				byKey.Timestamps, byRoot.Timestamps = believed, believed
				if _, signer, err := verify.Manifest(t.Context(), raw, c.verifier); err != nil || time.Since(signer.Time).Abs() > time.Hour {
					t.Errorf("by %s: %v, %v", verify.Subject(who.Leaf), signer, err)
				}
			}
			byKey.Timestamps, byRoot.Timestamps = nil, nil
		})
	}
}

// TestTimestampServerFails has a timestamp authority fail or lie. No signature may be returned, and nothing be asked twice.
func TestTimestampServerFails(t *testing.T) {
	root := verifytest.NewRoot(t, "root")
	key, private := signingKey(t, elliptic.P256())
	leaf := verifytest.PEM(root.Issue(t, "signer", private))
	good := verifytest.NewTimestampAuthority(t, "a")
	nested := nestedAnswer(t)
	for name, c := range map[string]struct {
		change func(a *verifytest.TimestampAuthority)
		serve  http.HandlerFunc
		text   string
	}{
		"down": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = io.WriteString(w, "try\nlater\x1b[2J")
		}, `503 Service Unavailable: try later\x1b[2J`},
		"not found":  {nil, http.NotFound, "404 Not Found"},
		"a web page": {nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "nobody would believe"},
		"refused": {nil, func(w http.ResponseWriter, _ *http.Request) {
			b, _ := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
			_, _ = w.Write(b)
		}, "time source is not available"},
		"endless": {nil, func(w http.ResponseWriter, _ *http.Request) {
			for range 10_000 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, "more than"},
		// Enough levels to overflow the stack of who follows them.
		"nested": {nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nested) }, "at most 24576 bytes are taken"},
		"long": {func(a *verifytest.TimestampAuthority) {
			*a = *verifytest.NewTimestampAuthority(t, "b", func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 30_000) })
		}, nil, "at most 24576 bytes are taken"},
		"of something": {func(a *verifytest.TimestampAuthority) {
			a.Change = func(ts *timestamp.Timestamp) { sum := sha256.Sum256(nil); ts.HashedMessage = sum[:] }
		}, nil, "of another signature"},
		"another's": {func(a *verifytest.TimestampAuthority) {
			a.Change = func(ts *timestamp.Timestamp) { ts.Nonce = big.NewInt(1) }
		}, nil, "nonce"},
		"no nonce": {func(a *verifytest.TimestampAuthority) { a.Change = func(ts *timestamp.Timestamp) { ts.Nonce = nil } }, nil, "nonce"},
		"bare":     {func(a *verifytest.TimestampAuthority) { a.Bare = true }, nil, "does not bring the certificate along"},
		"no authority": {func(a *verifytest.TimestampAuthority) {
			*a = *verifytest.NewTimestampAuthority(t, "b", func(c *x509.Certificate) { c.ExtraExtensions = nil })
		}, nil, "not for timestamping"},
		"of last year": {func(a *verifytest.TimestampAuthority) {
			a.Now = func() time.Time { return time.Now().AddDate(0, 0, -300) }
		}, nil, "certificate CN=signer is not valid before 20"},
	} {
		t.Run(name, func(t *testing.T) {
			authority := *good
			if c.change != nil {
				c.change(&authority)
			}
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				if c.serve != nil {
					c.serve(w, r)
					return
				}
				authority.ServeHTTP(w, r)
			}))
			defer server.Close()
			key.TimestampURLs = []string{strings.Replace(server.URL, "//", "//me:secret@", 1)}
			certificate, err := sign.NewCertificate(key, leaf, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := certificate.Sign(t.Context(), payload(t))
			var failed *sign.ServiceError
			if b != nil || !errors.Is(err, sign.ErrService) || !errors.As(err, &failed) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want one with %q", err, c.text)
			}
			if requests != 1 || strings.Contains(err.Error(), "secret") || strings.ContainsAny(err.Error(), "\n\x1b") || !strings.HasPrefix(err.Error(), "timestamp authority at http://") {
				t.Errorf("after %d requests the error is %q", requests, err)
			}
		})
	}
}

// nestedAnswer is an answer of almost 8 MiB whose token is BER of indefinite length within such, a level for two bytes.
func nestedAnswer(t *testing.T) []byte {
	t.Helper()
	token, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Repeat([]byte{0x30, 0x80}, 4_000_000)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestCheckTimestampURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://tsa.test/tsr": true, "http://tsa.test": true, "": false, "tsa.test": false, "ftp://tsa.test": false, "https:///tsr": false,
		"file:///etc/passwd": false, "https://tsa.test/\x1b": false,
	} {
		if err := sign.CheckTimestampURL(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}
