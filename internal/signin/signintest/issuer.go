// Package signintest is an OpenID Connect issuer for tests, as strict as those that people sign in at: one client, one redirect
// address a code, PKCE. Only tests import it, and it listens on this machine only.
package signintest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Issuer signs in whoever comes, at once, as alice@example.com. Its exported fields change how it does that; set them before
// it is used.
type Issuer struct {
	// URL is its own address.
	URL string
	// Claims are put into tokens; nil takes one out.
	Claims map[string]any
	// Refuse is the error with which people come back, such as access_denied.
	Refuse string
	// State and Nonce replace those that belong to the sign-in.
	State, Nonce string
	// Answer replaces what the path answers.
	Answer map[string]http.HandlerFunc
	// Pending is how often a device is told to wait, and DeviceError what it is told then.
	Pending     int
	DeviceError string
	// NoDevice leaves the flow for devices out.
	NoDevice bool
	// Secret is the client's; "" is a public client.
	Secret string
	// Clock is what it takes for the time.
	Clock func() time.Time

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	codes map[string]url.Values // the requests that codes were given for
	asked []url.Values
}

// Client is the only client that it knows.
const Client = "sigstore"

// New starts an issuer, for as long as the test lasts.
func New(t testing.TB) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{key: key, codes: map[string]url.Values{}, Clock: time.Now}
	server := httptest.NewServer(i.handler())
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// Asked are the requests for a sign-in so far.
func (i *Issuer) Asked() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]url.Values(nil), i.asked...)
}

// Mint makes a token with more claims, or without those that are nil.
func (i *Issuer) Mint(more map[string]any) string {
	now := i.Clock()
	claims := map[string]any{
		"iss": i.URL, "aud": Client, "sub": "1", "email": "alice@example.com", "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, i.Claims)
	maps.Copy(claims, more)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, _ := json.Marshal(claims)
	signed := b64([]byte(`{"alg":"ES256","kid":"1","typ":"JWT"}`)) + "." + b64(payload)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	return signed + "." + b64(append(r.FillBytes(sig[:32]), s.FillBytes(sig[32:])...))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /auth", i.auth)
	mux.HandleFunc("POST /device", i.device)
	mux.HandleFunc("POST /token", i.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", i.Clock().UTC().Format(http.TimeFormat))
		if answer := i.Answer[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"device_authorization_endpoint": i.URL + "/device", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		"code_challenge_methods_supported": []string{"S256"},
	}
	if i.NoDevice {
		delete(m, "device_authorization_endpoint")
	}
	writeJSON(w, http.StatusOK, m)
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	public, _ := i.key.PublicKey.Bytes() // 4, x, y
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": b64(public[1:33]), "y": b64(public[33:]),
	}}})
}

// code gives a code for a request.
func (i *Issuer) code(request url.Values) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	code := rand.Text()
	i.codes[code] = request
	i.asked = append(i.asked, request)
	return code
}

func (i *Issuer) auth(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != Client || query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" || query.Get("state") == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := i.code(query)
	if query.Get("redirect_uri") == "urn:ietf:wg:oauth:2.0:oob" {
		fmt.Fprint(w, code)
		return
	}
	back, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || back.Hostname() != "localhost" || back.Path != "/auth/callback" {
		http.Error(w, "bad redirect_uri", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {query.Get("state")}, "code": {code}}
	if i.State != "" {
		answer.Set("state", i.State)
	}
	if i.Refuse != "" {
		answer.Del("code")
		answer.Set("error", i.Refuse)
		answer.Set("error_description", "the user\x1b[2J said no")
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (i *Issuer) device(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": i.code(r.PostForm), "user_code": "ABCD-EFGH", "verification_uri": i.URL + "/enter", "expires_in": 300, "interval": 1,
	})
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	form := r.PostForm
	refuse := func(code string) {
		// Some servers repeat what they were sent.
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "it was " + form.Encode()})
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id != Client || secret != i.Secret {
		refuse("invalid_client")
		return
	}
	code := form.Get("code")
	if strings.HasSuffix(form.Get("grant_type"), ":device_code") {
		code = form.Get("device_code")
		if wait := i.waiting(); wait != "" {
			refuse(wait)
			return
		}
	}
	i.mu.Lock()
	request, known := i.codes[code]
	delete(i.codes, code)
	i.mu.Unlock()
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if !known || request.Get("redirect_uri") != form.Get("redirect_uri") || request.Get("code_challenge") != b64(challenge[:]) {
		refuse("invalid_grant")
		return
	}
	more := map[string]any{}
	if nonce := request.Get("nonce"); nonce != "" {
		more["nonce"] = nonce
	}
	if i.Nonce != "" {
		more["nonce"] = i.Nonce
	}
	if connector := request.Get("connector_id"); connector != "" {
		more["federated_claims"] = map[string]string{"connector_id": connector}
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": i.Mint(more)})
}

// waiting is what a device is told instead of a token.
func (i *Issuer) waiting() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Pending > 0 {
		i.Pending--
		return "authorization_pending"
	}
	return i.DeviceError
}
