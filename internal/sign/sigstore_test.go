package sign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

const (
	alice  = "alice@example.com"
	issuer = "https://issuer.test"
)

func statement(t testing.TB) []byte {
	t.Helper()
	return omstest.Statement(t, omstest.Manifest(t, "model", map[string]string{"a.bin": "a"}))
}

// at gives a Signer the services of an instance that has no servers, with a key that it has certified.
func (s *Sigstore) at(v *verifytest.Signer) *Sigstore {
	s.newKey = func() (sign.Keypair, error) { return v, nil }
	s.connect = func(context.Context) (*services, error) {
		return &services{
			authority:  endpoint[sign.CertificateProvider]{name: "Fulcio", url: "https://fulcio.test", client: v},
			timestamps: []endpoint[timestamper]{{name: "timestamp authority", url: "https://tsa.test", client: v}},
			logs:       []transparencyLog{{endpoint[sign.Transparency]{name: "Rekor", url: "https://rekor.test", client: v}, 1}},
		}, nil
	}
	return s
}

// token makes an unsigned token with the claims.
func token(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

// validToken makes a token that passes for an hour.
func validToken() string {
	return token(fmt.Sprintf(`{"iss":%q,"aud":"sigstore","sub":"1","email":%q,"email_verified":true,"exp":%d}`, issuer, alice, time.Now().Add(time.Hour).Unix()))
}

// given is where a token comes from that is there already.
func given(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func newSigstore(t *testing.T, o SigstoreOptions) *Sigstore {
	t.Helper()
	if o.Token == nil {
		o.Token = given(validToken())
	}
	if o.SigningConfig == nil {
		o.SigningConfig = signingConfig(`"caUrls":[]`)
	}
	s, err := NewSigstore(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSigstore(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	s := newSigstore(t, SigstoreOptions{TrustedRoot: root, Token: given(validToken() + "\n")}).at(instance.Signer(t, alice, issuer))
	if got := s.Describe(); got != "a Sigstore identity" || s.signer != nil {
		t.Errorf("before anything is signed the signer is %q", got)
	}
	bundle, err := s.Sign(t.Context(), statement(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Describe(), "identity alice@example.com via https://issuer.test"; got != want {
		t.Errorf("signer is %q, want %q", got, want)
	}
	v, err := verify.NewSigstore(verify.SigstoreOptions{Identity: alice, Issuer: issuer, TrustedRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	m, signer, err := verify.Manifest(t.Context(), bundle, v)
	if err != nil {
		t.Fatal(err)
	}
	if m.ModelName != "model" || *signer != *s.signer {
		t.Errorf("verified %q by %+v, signed by %+v", m.ModelName, signer, s.signer)
	}
	var parsed struct {
		VerificationMaterial struct {
			TimestampVerificationData struct{ RFC3161Timestamps []any }
		}
	}
	if err := json.Unmarshal(bundle, &parsed); err != nil || len(parsed.VerificationMaterial.TimestampVerificationData.RFC3161Timestamps) != 1 {
		t.Errorf("bundle has no timestamp: %v\n%s", err, bundle)
	}
}

// changed is an instance's signer with one part of it replaced.
type changed struct {
	*verifytest.Signer
	certificate func() ([]byte, error)
	timestamp   func() ([]byte, error)
	log         func(*protobundle.Bundle) error
	logged      int
}

func (c *changed) GetCertificate(ctx context.Context, k sign.Keypair, o *sign.CertificateProviderOptions) ([]byte, error) {
	if c.certificate != nil {
		return c.certificate()
	}
	return c.Signer.GetCertificate(ctx, k, o)
}

func (c *changed) GetTimestamp(ctx context.Context, sig []byte) ([]byte, error) {
	if c.timestamp != nil {
		return c.timestamp()
	}
	return c.Signer.GetTimestamp(ctx, sig)
}

func (c *changed) GetTransparencyLogEntry(ctx context.Context, pem []byte, b *protobundle.Bundle) error {
	c.logged++
	if c.log != nil {
		return c.log(b)
	}
	return c.Signer.GetTransparencyLogEntry(ctx, pem, b)
}

// TestSigstoreFails has each service fail or lie. Nothing may be returned, the error has to name the service or say that
// the result does not verify, and nothing may be logged that is known to be useless.
func TestSigstoreFails(t *testing.T) {
	instance, other := verifytest.NewInstance(t), verifytest.NewInstance(t)
	down := errors.New("connection refused")
	secret := validToken()
	for name, c := range map[string]struct {
		change func(*changed)
		want   error
		text   string
		logged int
	}{
		"Fulcio is down":    {func(c *changed) { c.certificate = func() ([]byte, error) { return nil, down } }, down, "Fulcio at https://fulcio.test: connection refused", 0},
		"Fulcio tells all":  {func(c *changed) { c.certificate = func() ([]byte, error) { return nil, errors.New("bad " + secret) } }, ErrService, "bad (identity token)", 0},
		"Fulcio sends junk": {func(c *changed) { c.certificate = func() ([]byte, error) { return []byte("junk"), nil } }, ErrService, "not well formed", 0},
		"another's key": {func(c *changed) {
			c.certificate = func() ([]byte, error) { return instance.Signer(t, alice, issuer).Certificate.Raw, nil }
		}, ErrService, "another key", 0},
		"another authority's": {func(c *changed) { c.Signer = other.Signer(t, alice, issuer) }, ErrService, "a certificate issued by CN=sigstore-intermediate", 0},
		"no timestamp":        {func(c *changed) { c.timestamp = func() ([]byte, error) { return nil, down } }, down, "timestamp authority at https://tsa.test: connection refused", 0},
		"no log":              {func(c *changed) { c.log = func(*protobundle.Bundle) error { return down } }, down, "Rekor at https://rekor.test: connection refused", 1},
		"log forgets":         {func(c *changed) { c.log = func(*protobundle.Bundle) error { return nil } }, ErrUnverified, "tlogEntries", 1},
		"another log's entry": {func(c *changed) {
			c.log = func(b *protobundle.Bundle) error { return c.At(other).GetTransparencyLogEntry(t.Context(), nil, b) }
		}, ErrUnverified, "transparency log", 1},
		"another authority's time": {func(c *changed) {
			c.timestamp = func() ([]byte, error) { return c.At(other).GetTimestamp(t.Context(), []byte("another signature")) }
		}, ErrService, "timestamp authority at https://tsa.test: it answered with a timestamp", 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := &changed{Signer: instance.Signer(t, alice, issuer)}
			c.change(v)
			s := newSigstore(t, SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false), Token: given(secret)}).at(v.Signer)
			s.connect = func(context.Context) (*services, error) {
				return &services{
					authority:  endpoint[sign.CertificateProvider]{name: "Fulcio", url: "https://fulcio.test", client: v},
					timestamps: []endpoint[timestamper]{{name: "timestamp authority", url: "https://tsa.test", client: v}},
					logs:       []transparencyLog{{endpoint[sign.Transparency]{name: "Rekor", url: "https://rekor.test", client: v}, 1}},
				}, nil
			}
			bundle, err := s.Sign(t.Context(), statement(t))
			if bundle != nil || !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("error is %v, want %v with %q", err, c.want, c.text)
			}
			if strings.Contains(fmt.Sprintf("%v %#v", err, err), secret) {
				t.Error("the error has the token in it")
			}
			if got := errors.Is(err, ErrMaybeLogged); got != (c.logged > 0) {
				t.Errorf("may be logged: %t, and it was logged %d times", got, c.logged)
			}
			if v.logged != c.logged {
				t.Errorf("logged %d times, want %d", v.logged, c.logged)
			}
			if s.signer != nil {
				t.Error("a signer is given")
			}
		})
	}
}

// TestLogFails says what became of an entry when a log fails.
func TestLogFails(t *testing.T) {
	lost := &url.Error{Op: "Post", URL: "https://rekor.test", Err: io.ErrUnexpectedEOF}
	unreachable := &url.Error{Op: "Post", URL: "https://rekor.test", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}
	unheard := &url.Error{Op: "Post", URL: "https://rekor.test", Err: &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}}
	answered := func(status int) error { return &url.Error{Op: "Post", Err: &sigstore.StatusError{Code: status}} }
	for name, c := range map[string]struct {
		err              error
		version          uint32
		size             int
		logged, tooLarge bool
	}{
		"answer lost":              {lost, 2, 1, true, false},
		"reset":                    {unheard, 2, 1, true, false},
		"unreachable":              {unreachable, 2, 1, false, false},
		"refused by v1":            {&sigstore.StatusError{Code: 400}, 1, 1, false, false},
		"refused by v2":            {answered(400), 2, 1, false, false},
		"conflict at v2":           {answered(409), 2, 1, true, false},
		"v2 broke":                 {answered(500), 2, 1, true, false},
		"large, lost by v1":        {lost, 1, 1 << 20, true, true},
		"large, refused by v1":     {&sigstore.StatusError{Code: 400}, 1, 1 << 20, false, true},
		"too large for v1":         {&sigstore.StatusError{Code: 500, Body: "http: request body too large"}, 1, 1 << 20, false, true},
		"large, v1 is unreachable": {unreachable, 1, 1 << 20, false, false},
		"large, lost by v2":        {lost, 2, 1 << 20, true, false},
	} {
		log := transparencyLog{endpoint[sign.Transparency]{name: "Rekor", url: "https://rekor.test"}, c.version}
		err := log.failed(c.err, "token", c.size)
		if got := errors.Is(err, ErrMaybeLogged); got != c.logged {
			t.Errorf("%s: may be logged: %t", name, got)
		}
		if got := errors.Is(err, ErrMaybeTooLarge); got != c.tooLarge {
			t.Errorf("%s: may be too large: %t", name, got)
		}
		if !errors.Is(err, ErrService) || !strings.HasPrefix(err.Error(), "Rekor at https://rekor.test: ") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// TestSecondLogFails has the first of two logs take the entry.
func TestSecondLogFails(t *testing.T) {
	instance := verifytest.NewInstance(t)
	v := &changed{Signer: instance.Signer(t, alice, issuer)}
	s := newSigstore(t, SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false)}).at(v.Signer)
	s.connect = func(context.Context) (*services, error) {
		second := &changed{log: func(*protobundle.Bundle) error { return &sigstore.StatusError{Code: 400} }}
		return &services{
			authority: endpoint[sign.CertificateProvider]{name: "Fulcio", url: "https://fulcio.test", client: v},
			logs: []transparencyLog{
				{endpoint[sign.Transparency]{name: "Rekor", url: "https://rekor.test", client: v}, 1},
				{endpoint[sign.Transparency]{name: "Rekor", url: "https://second.test", client: second}, 1},
			},
		}, nil
	}
	if _, err := s.Sign(t.Context(), statement(t)); !errors.Is(err, ErrMaybeLogged) || !strings.Contains(err.Error(), "second.test") {
		t.Errorf("error is %v, want %v of the second", err, ErrMaybeLogged)
	}
}

func TestSigstoreExpiredMeanwhile(t *testing.T) {
	instance := verifytest.NewInstance(t)
	s := newSigstore(t, SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false)}).at(instance.Signer(t, alice, issuer))
	s.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if _, err := s.Sign(t.Context(), statement(t)); !errors.Is(err, ErrToken) {
		t.Errorf("error is %v, want %v", err, ErrToken)
	}
}

func TestNewSigstoreRefused(t *testing.T) {
	root := verifytest.NewInstance(t).TrustedRoot(t, false)
	for name, c := range map[string]struct {
		o    SigstoreOptions
		want error
	}{
		"no token":            {SigstoreOptions{TrustedRoot: root}, ErrToken},
		"damaged root":        {SigstoreOptions{Token: given(validToken()), TrustedRoot: []byte("{}")}, ErrConfig},
		"root and staging":    {SigstoreOptions{Token: given(validToken()), TrustedRoot: root, Staging: true}, ErrConfig},
		"signing config only": {SigstoreOptions{Token: given(validToken()), SigningConfig: signingConfig(`"caUrls":[]`)}, ErrConfig},
		"trusted root only":   {SigstoreOptions{Token: given(validToken()), TrustedRoot: root}, ErrConfig},
	} {
		if _, err := NewSigstore(c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func signingConfig(members string) []byte {
	return []byte(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json",` + members + `}`)
}

// TestServices has a signing config lead to servers that misbehave.
func TestServices(t *testing.T) {
	instance := verifytest.NewInstance(t)
	service := func(url string, version int) string {
		return fmt.Sprintf(`{"url":%q,"majorApiVersion":%d,"validFor":{"start":"2020-01-01T00:00:00Z"},"operator":"test"}`, url, version)
	}
	type answer = http.HandlerFunc
	status := func(code int, body string) answer {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
	}
	for name, c := range map[string]struct {
		fulcio answer
		config func(url string) string
		want   error
		text   string
	}{
		"refused": {status(400, `{"message":"There was an error processing the identity token"}`), nil, ErrService,
			"There was an error processing the identity token"},
		"overloaded": {status(503, "try\nlater\x1b[2J"), nil, ErrService, `503 Service Unavailable: try later\x1b[2J`},
		"throttled":  {status(429, ""), nil, ErrService, "429 Too Many Requests"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 20 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, nil, ErrService, "more than"},
		"not JSON": {status(200, "<html>"), nil, ErrService, "Fulcio"},
		"no Fulcio": {nil, func(u string) string {
			return `"rekorTlogUrls":[` + service(u, 1) + `],"rekorTlogConfig":{"selector":"ANY"}`
		}, ErrConfig, "no certificate authority"},
		"Fulcio in the clear": {nil, func(u string) string {
			return `"caUrls":[` + service("http://fulcio.test", 1) + `],"rekorTlogUrls":[` + service(u, 1) + `],"rekorTlogConfig":{"selector":"ANY"}`
		}, ErrConfig, `"http://fulcio.test", is not https`},
		"moved": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, nil, ErrService, "307 Temporary Redirect"},
		"no log": {nil, func(u string) string { return `"caUrls":[` + service(u, 1) + `]` }, ErrConfig, "no transparency log"},
		"Rekor v2 without a timestamp authority": {nil, func(u string) string {
			return `"caUrls":[` + service(u, 1) + `],"rekorTlogUrls":[` + service(u, 2) + `],"rekorTlogConfig":{"selector":"ANY"}`
		}, ErrConfig, "no timestamp authority"},
		"unknown timestamp authority": {nil, func(u string) string {
			return `"caUrls":[` + service(u, 1) + `],"rekorTlogUrls":[` + service(u, 1) + `],"rekorTlogConfig":{"selector":"ANY"},"tsaConfig":{"selector":"ANY"},"tsaUrls":[` + service(u, 9) + `]`
		}, ErrConfig, "no timestamp authority"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(answer(func(w http.ResponseWriter, r *http.Request) {
				if requests++; r.UserAgent() != "test/1" {
					t.Errorf("user agent is %q", r.UserAgent())
				}
				c.fulcio(w, r)
			}))
			defer server.Close()
			config := `"caUrls":[` + service(server.URL, 1) + `],"rekorTlogUrls":[` + service(server.URL, 1) + `],"rekorTlogConfig":{"selector":"ANY"}`
			if c.config != nil {
				config = c.config(server.URL)
			}
			s := newSigstore(t, SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false), SigningConfig: signingConfig(config), UserAgent: "test/1"})
			_, err := s.Sign(t.Context(), statement(t))
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("error is %v, want %v with %q", err, c.want, c.text)
			}
			if errors.Is(err, ErrService) && (!strings.Contains(err.Error(), server.URL) || requests != 1) {
				t.Errorf("after %d requests, want one, the error is %v, want %q in it", requests, err, server.URL)
			}
			if strings.ContainsAny(fmt.Sprint(err), "\n\x1b") {
				t.Errorf("error is not one printable line: %q", err)
			}
		})
	}
}

// TestPublicServices chooses among those of the public instance.
func TestPublicServices(t *testing.T) {
	dir := filepath.Join(omstest.Corpus(t), "sigstore")
	b, err := os.ReadFile(filepath.Join(dir, "signing_config.v0.2.json"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := root.NewSigningConfigFromJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := connect(t.Context(), config, "")
	if err != nil {
		t.Fatal(err)
	}
	if s.authority.url != "https://fulcio.sigstore.dev" || len(s.logs) != 1 || !strings.HasSuffix(s.logs[0].url, ".sigstore.dev") {
		t.Errorf("chosen are %+v", s)
	}
}

// TestServiceGivesUp has a server that never answers.
func TestServiceGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-t.Context().Done()
	}))
	defer server.CloseClientConnections()
	client := &http.Client{Transport: sigstore.Transport(ctx, "")}
	if _, err := client.Post(server.URL, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}
