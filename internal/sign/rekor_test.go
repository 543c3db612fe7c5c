package sign

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// aLog is a log at a server of its own, which notes what it is asked.
type aLog struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newLog(t *testing.T, answer http.HandlerFunc) *aLog {
	t.Helper()
	l := new(aLog)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.asked = append(l.asked, r.Method+" "+r.URL.Path)
		l.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

// requests is what it has been asked so far.
func (l *aLog) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// publish logs a signature there.
func (l *aLog) publish(t *testing.T, version uint32, timeout time.Duration) (*protobundle.Bundle, error) {
	t.Helper()
	s := verifytest.NewInstance(t).Signer(t, alice, issuer)
	b := &protobundle.Bundle{
		VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: s.Certificate.Raw}}},
	}
	parsed, err := oms.ParseBundle(s.Bundle(t, statement(t)))
	if err != nil {
		t.Fatal(err)
	}
	b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		PayloadType: oms.PayloadType, Payload: parsed.Payload, Signatures: []*protodsse.Signature{{Sig: []byte("signature")}},
	}}
	clock, transport := overTheWire(t.Context(), "test/1")
	e := endpoint[any]{name: "Rekor", url: l.URL, clock: clock}
	err = newRekor(l.URL+"/", version, transport, timeout).GetTransparencyLogEntry(t.Context(),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate.Raw}), b)
	if err != nil {
		err = e.failed(err, "")
	}
	return b, err
}

const entryName = "/api/v1/log/entries/0000000000000000000000000000000000000000000000000000000000000001"

// anEntry is one of Rekor v1, of the form and nothing more.
const anEntry = `{"1":{"body":"eyJraW5kIjoiZHNzZSIsImFwaVZlcnNpb24iOiIwLjAuMSJ9","integratedTime":7,"logID":"0a","logIndex":5,"more":1,
	"verification":{"signedEntryTimestamp":"AAAA","inclusionProof":{"checkpoint":"c","hashes":["0b"],"logIndex":4,"rootHash":"0c","treeSize":6}}}}`

// TestRekor has logs answer rightly, wrongly and not at all. Each is asked to log once.
func TestRekor(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
	}
	elsewhere := newLog(t, status(201, anEntry))
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	conflict := func(location string, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				then(w, r)
				return
			}
			w.Header().Set("Location", location)
			status(409, `{"code":409,"message":"an equivalent entry already exists"}`)(w, r)
		}
	}
	for name, c := range map[string]struct {
		version    uint32
		answer     http.HandlerFunc
		text, hint string
		asked      int
	}{
		"v1":                    {1, status(201, anEntry), "", "", 1},
		"v1, has it":            {1, conflict("http://elsewhere.test"+entryName, status(200, anEntry)), "", "", 2},
		"v1, has it, not there": {1, conflict(entryName, status(404, "{}")), "409 Conflict): it answered 404", "URL", 2},
		"v1, has it somewhere":  {1, conflict("", nil), "does not say where", "sign again", 1},
		"v1, has it above":      {1, conflict("/api/v1/log/entries/..", nil), "does not say where", "sign again", 1},
		"v1, empty entry":       {1, status(201, `{"1":{}}`), "not a log entry", "URL", 1},
		"v1, null entry":        {1, status(201, `{"1":null}`), "not a log entry", "URL", 1},
		"v1, no entry":          {1, status(201, `{}`), "not a log entry", "URL", 1},
		"v1, two entries":       {1, status(201, `{"1":{},"2":{}}`), "not a log entry", "URL", 1},
		"v1, no kind":           {1, status(201, strings.Replace(anEntry, "eyJraW5k", "eyJraW5x", 1)), "not a log entry", "URL", 1},
		"v1, page":              {1, status(200, "<html>\x1b[2J"), "not a log entry", "URL", 1},
		"v1, refused":           {1, status(400, `{"code":400,"message":"no\nsuch kind"}`), "it answered 400 Bad Request: no such kind", "version", 1},
		"v1, trouble":           {1, status(500, `{"code":500,"message":"disk full"}`), "500 Internal Server Error: disk full", "sign again later", 1},
		"v1, page of a proxy":   {1, status(502, "<html>...</html>"), "502 Bad Gateway: a page for browsers", "sign again later", 1},
		"v1, busy":              {1, status(429, ""), "429 Too Many Requests", "sign again later", 1},
		"v1, moved": {1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "307 Temporary Redirect", "URL", 1},
		"v1, endless": {1, endless, "more than", "", 1},
		"v1, truncated": {1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9999")
			fmt.Fprint(w, anEntry)
		}, "connection broke", "sign again", 1},
		"v1, broken": {1, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection broke", "sign again", 1},
		"v1, slow":   {1, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() }, "in time", "sign again", 1},
		"v1, another time": {1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
			status(400, "")(w, r)
		}, "400", "clock of this machine", 1},
		"v2":            {2, status(201, `{"logIndex":"5","more":1}`), "", "", 1},
		"v2, refused":   {2, status(400, `{"code":3,"message":"invalid"}`), "400 Bad Request: invalid", "version", 1},
		"v2, has it":    {2, status(409, `{"code":6,"message":"an equivalent entry already exists with index 5"}`), "409 Conflict: an equivalent entry", "sign again", 1},
		"v2, too large": {2, status(413, ""), "413 Request Entity Too Large", "--shards", 1},
		"v2, page":      {2, status(200, "<html>"), "not a log entry", "URL", 1},
		"v2, endless":   {2, endless, "more than", "", 1},
		"v2, slow":      {2, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() }, "in time", "sign again", 1},
		"v2, moved to where it is": {2, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusPermanentRedirect)
		}, "308 Permanent Redirect", "URL", 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, c.answer)
			timeout := 20 * time.Second
			if strings.Contains(name, "slow") {
				timeout = 5 * time.Second
			}
			b, err := l.publish(t, c.version, timeout)
			if asked := l.requests(); len(asked) != c.asked {
				t.Errorf("it was asked for %q, want %d requests", asked, c.asked)
			}
			entries := b.VerificationMaterial.TlogEntries
			if c.text == "" {
				if err != nil || len(entries) != 1 || entries[0].LogIndex != 5 {
					t.Errorf("%v, entries %v", err, entries)
				}
				return
			}
			if err == nil || len(entries) != 0 || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), l.URL) || !errors.Is(err, ErrService) {
				t.Errorf("error is %v, want %q at %s; entries %v", err, c.text, l.URL, entries)
			}
			if !strings.Contains(Hint(err), c.hint) || Hint(err) == "" {
				t.Errorf("%v: hint is %q, want %q", err, Hint(err), c.hint)
			}
			if strings.ContainsAny(fmt.Sprint(err), "\n\x1b") {
				t.Errorf("error is not one printable line: %q", err)
			}
		})
	}
	if asked := elsewhere.requests(); len(asked) != 0 {
		t.Errorf("a redirect was followed: %q", asked)
	}
}

// TestRekorInterrupted ends the wait for a log at once.
func TestRekorInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newLog(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, transport := overTheWire(ctx, "")
	_, _, err := newRekor(l.URL, 1, transport, time.Minute).(*rekor).ask(t.Context(), http.MethodPost, "/", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(anEntry))
	f.Add([]byte(`{"1":{"body":"e30="}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEntry(b); (e == nil) == (err == nil) {
			t.Errorf("%v, %v", e, err)
		}
	})
}
