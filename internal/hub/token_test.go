package hub_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// tokenSent is the token that the Hub gets to see.
func tokenSent(t *testing.T, token hub.Token) string {
	t.Helper()
	sent := ""
	c := hub.NewClient(hub.Environment{Token: token}, hub.ClientOptions{Transport: transport(func(r *http.Request) (*http.Response, error) {
		sent = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody}, nil
	})})
	if _, err := c.Resolve(t.Context(), hub.Repo{Type: hub.Model, ID: "org/name"}, ""); err == nil {
		t.Fatal("a teapot found a revision")
	}
	return sent
}

func TestTokenPrintsNothing(t *testing.T) {
	const secret = "hf_hunter2"
	token, err := hub.NewToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	e := hub.Environment{Endpoint: hub.DefaultEndpoint, Token: token}
	c := hub.NewClient(e, hub.ClientOptions{})
	hidden := struct{ e hub.Environment }{e} // of which fmt can call no methods
	for _, v := range []any{token, &token, e, &e, c, *c, hidden, &hidden, []hub.Token{token}, map[string]hub.Token{"t": token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			s := fmt.Sprintf(verb, v)
			if strings.Contains(s, secret) || strings.Contains(strings.ToLower(s), fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T holds the token: %s", verb, v, s)
			}
		}
	}
	for _, v := range []any{token, e, &e, map[hub.Token]int{token: 1}} {
		b, err := json.Marshal(v)
		if err != nil || strings.Contains(string(b), secret) || !strings.Contains(string(b), "[token]") {
			t.Errorf("JSON of %T: %s, %v", v, b, err)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "env", e, "token", token)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "env", e, "token", token)
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log holds the token: %s", log.String())
	}
	if got := fmt.Sprint(token, hub.Token{}); got != "[token] [no token]" {
		t.Errorf("tokens print as %s", got)
	}
}
