package signin

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
)

// testIssuer is an issuer at which alice@example.com has signed in, and which errs or lies as its fields say.
type testIssuer struct {
	*issuer.Issuer
	claims  map[string]any              // of tokens, in place of the right ones
	state   string                      // with which browsers come back, in place of the right one
	iss     string                      // by which browsers come back, where there is one
	answers map[string]http.HandlerFunc // by path, in place of the right ones
	ahead   time.Duration               // of its clock

	mu    sync.Mutex
	asked []url.Values // for a sign-in
}

func newIssuer(t *testing.T) *testIssuer {
	t.Helper()
	i := new(testIssuer)
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	var err error
	if i.Issuer, err = issuer.New(server.URL, issuer.Person("alice@example.com")); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *testIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(i.ahead).UTC().Format(http.TimeFormat))
	if a := i.answers[r.URL.Path]; a != nil {
		a(w, r)
		return
	}
	_ = r.ParseForm()
	if r.URL.Path == "/auth" || r.URL.Path == "/device/code" {
		i.mu.Lock()
		i.asked = append(i.asked, r.Form)
		i.mu.Unlock()
	}
	right := httptest.NewRecorder()
	i.Handler().ServeHTTP(right, r)
	body := right.Body.Bytes()
	switch r.URL.Path {
	case "/auth":
		right.Header().Set("Location", i.back(right.Header().Get("Location")))
	case "/token":
		body = i.token(body, r.Form)
	}
	maps.Copy(w.Header(), right.Header())
	w.WriteHeader(right.Code)
	_, _ = w.Write(body)
}

// back is where a browser is sent.
func (i *testIssuer) back(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	query := u.Query()
	if query.Has("error") {
		query.Set("error_description", "the user\x1b[2J said no")
	}
	if i.state != "" {
		query.Set("state", i.state)
	}
	if i.iss != "" {
		query.Set("iss", i.iss)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// token puts the claims into a token, and has a refusal repeat what was sent, as some servers do.
func (i *testIssuer) token(body []byte, form url.Values) []byte {
	var answer map[string]any
	_ = json.Unmarshal(body, &answer)
	if answer["error"] != nil {
		answer["error_description"] = "it was " + form.Encode()
	} else {
		all := i.requests()
		asked := all[len(all)-1]
		claims := map[string]any{"nonce": nil}
		if nonce := asked.Get("nonce"); nonce != "" {
			claims["nonce"] = nonce
		}
		if connector := asked.Get("connector_id"); connector != "" {
			claims["federated_claims"] = map[string]string{"connector_id": connector}
		}
		maps.Copy(claims, i.claims)
		answer["id_token"], _ = i.Mint(claims)
	}
	body, _ = json.Marshal(answer)
	return body
}

// requests are those for a sign-in so far.
func (i *testIssuer) requests() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.asked)
}
