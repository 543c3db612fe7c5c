package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestExplain has net/http fail in every way that people meet.
func TestExplain(t *testing.T) {
	good := httptest.NewUnstartedServer(http.NotFoundHandler())
	good.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	good.StartTLS()
	defer good.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/truncated":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "x")
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer plain.Close()
	trusting := func(edit func(*tls.Config)) *http.Transport {
		tr := good.Client().Transport.(*http.Transport).Clone()
		edit(tr.TLSClientConfig)
		return tr
	}
	proxied := func(proxy string) *http.Transport {
		return &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			u, err := url.Parse(proxy)
			return u, err
		}}
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	defer refusing.Close()
	for name, c := range map[string]struct {
		transport  *http.Transport
		url        string
		text, hint string
	}{
		"refused":          {&http.Transport{}, "http://127.0.0.1:1/", "connection refused", "network"},
		"no such host":     {&http.Transport{}, "http://" + strings.Repeat("a", 64) + ".example.com/", "no such host", "HTTPS_PROXY"},
		"truncated":        {&http.Transport{}, plain.URL + "/truncated", "connection broke", "sign again"},
		"broken":           {&http.Transport{}, plain.URL + "/broken", "connection broke", "sign again"},
		"slow":             {&http.Transport{}, plain.URL + "/slow", "in time", "sign again"},
		"no TLS":           {&http.Transport{}, strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS", "URL"},
		"unknown root":     {&http.Transport{}, good.URL, "not from an authority", "SSL_CERT_FILE"},
		"another host":     {trusting(func(c *tls.Config) { c.ServerName = "fulcio.test" }), good.URL, "another host's", "in the service's place"},
		"our clock ahead":  {trusting(func(c *tls.Config) { c.Time = func() time.Time { return time.Now().AddDate(200, 0, 0) } }), good.URL, "valid from", "clock of this machine"},
		"our clock behind": {trusting(func(c *tls.Config) { c.Time = func() time.Time { return time.Unix(1, 0).AddDate(-100, 0, 0) } }), good.URL, "valid from", "clock of this machine"},
		"proxy refused":    {proxied("http://u:hunter2@127.0.0.1:1"), good.URL, "proxy cannot be reached", "HTTPS_PROXY"},
		"proxy's password": {proxied(refusing.URL), good.URL, "name and a password", "HTTPS_PROXY"},
	} {
		timeout := time.Minute // for a busy machine; none of the others waits
		if name == "slow" {
			timeout = 300 * time.Millisecond
		}
		a, err := (&http.Client{Transport: c.transport, Timeout: timeout}).Get(c.url)
		if err == nil {
			_, err = io.ReadAll(a.Body)
			a.Body.Close()
		}
		f := Explain(fmt.Errorf("asking: %w", err))
		if f == nil || !strings.Contains(f.Error(), c.text) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: %v is explained as %v, %+v", name, err, f, f)
			continue
		}
		if shown := fmt.Sprintf("%v %#v %s", f, f, f.Hint); strings.Contains(shown, "hunter2") || strings.Contains(shown, "https://127") {
			t.Errorf("%s: the explanation says too much: %s", name, shown)
		}
		if !errors.Is(f, err) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
}

// What is no failure of an exchange is left alone.
func TestExplainNothing(t *testing.T) {
	for _, err := range []error{nil, errors.New("something"), context.Canceled, &url.Error{Op: "Get", URL: "/", Err: context.Canceled}} {
		if f := Explain(err); f != nil {
			t.Errorf("%v is explained as %v", err, f)
		}
	}
	var v struct{ A int }
	for _, text := range []string{"<html>", `{"A":"x"}`, "{"} {
		if f := Explain(json.Unmarshal([]byte(text), &v)); f == nil || !strings.Contains(f.Error(), "not JSON") {
			t.Errorf("%s: %v", text, f)
		}
	}
	if f := Explain(&net.DNSError{Name: "x\x1b[2J", Err: "no\nhost"}); strings.ContainsAny(f.Error(), "\x1b\n") {
		t.Errorf("not printable: %q", f)
	}
}

func TestRedact(t *testing.T) {
	const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	for in, want := range map[string]string{
		"bad " + token + "!":                    "bad (identity token)!",
		token[:25]:                              "(identity token)",
		`{"token":"` + token + `","a":1}`:       `{"token":"(identity token)","a":1}`,
		"the secret hunter2+x and hunter2%2Bx.": "the secret (secret) and (secret).",
		"nothing":                               "nothing",
		"it was cut in hunter2…":                "it was cut in (secret)…",
		"no secret at all…":                     "no secret at all…",
	} {
		if got := Redact(in, "hunter2+x", "", "no"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0: "", time.Minute: "", -time.Minute: "",
		time.Hour:      "1h0m0s behind that of https://fulcio.test",
		-3 * time.Hour: "3h0m0s ahead of that of https://fulcio.test",
	} {
		var c Clock
		a, err := c.Watch(dated{time.Now().Add(ahead)}, time.Now).RoundTrip(httptest.NewRequest("GET", "/", nil))
		if err != nil || a == nil {
			t.Fatal(err)
		}
		if got := c.Hint("https://fulcio.test"); want == "" && got != "" || !strings.HasSuffix(got, want) {
			t.Errorf("%s ahead: %q, want %q", ahead, got, want)
		}
	}
	if got := (*Clock)(nil).Hint("x"); got != "" {
		t.Errorf("no clock says %q", got)
	}
}

// dated answers with a date.
type dated struct{ at time.Time }

func (d dated) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Header: http.Header{"Date": {d.at.UTC().Format(http.TimeFormat)}}, Body: http.NoBody}, nil
}

// Secrets go over https, or nowhere but to this machine.
func TestConfidential(t *testing.T) {
	for address, want := range map[string]bool{
		"https://issuer.test/": true, "http://localhost:1/": true, "http://127.0.0.1:1/": true, "http://127.9.9.9/": true, "http://[::1]:1/": true,
		"http://issuer.test/": false, "http://localhost.issuer.test/": false, "http://127.0.0.1.issuer.test/": false, "http://localhost@issuer.test/": false,
		"http://0.0.0.0/": false, "http://10.0.0.1/": false, "http:///": false, "ftp://localhost/": false, "//localhost/": false, "": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := Confidential(u); got != want {
			t.Errorf("%q: %t", address, got)
		}
	}
}
