// Package issuer is an OpenID Connect provider for tests: discovery, keys, the authorization code flow with PKCE, the device
// flow (RFC 8628), and an address that gives a token with any claims to whoever asks. It believes everybody, so it must listen
// on the loopback interface only. Nothing but tests may import it.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Issuer is one provider. Make it with New.
type Issuer struct {
	// URL is what tokens say that they come from; the handler has to be reachable there.
	URL string
	// Claims are in every token, unless the request for it says otherwise.
	Claims map[string]any
	// Clients are the applications that may ask people to sign in, and their secrets, which may be empty.
	Clients map[string]string
	// Page has a person who comes to sign in say on a page who they are; without it, they have signed in already.
	Page bool
	// Providers are those that vouch for people at this issuer, which has no accounts of its own, as the public instance's. The
	// first does, unless an application asks for another (connector_id).
	Providers []string
	// Pending is how many times a device is told to wait until the person has signed in.
	Pending int

	key *ecdsa.PrivateKey

	mu         sync.Mutex
	refusal    string                // see Refuse
	deviceless bool                  // see Deviceless
	codes      map[string]url.Values // by code: what was asked for at /auth
	devices    map[string]*device    // by device code
}

// device is a device that waits for a person.
type device struct {
	client string
	asked  int
}

// tokenLife is how long a token is valid.
const tokenLife = 5 * time.Minute

// New makes an issuer whose tokens are for the audience "sigstore", and which knows the client "sigstore" without a secret.
func New(issuerURL string, claims map[string]any) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Issuer{
		URL: issuerURL, Claims: claims, Clients: map[string]string{"sigstore": ""},
		key: key, codes: make(map[string]url.Values), devices: make(map[string]*device),
	}, nil
}

// Person is the claims of a token for somebody with an email address.
func Person(email string) map[string]any {
	return map[string]any{"sub": email, "email": email, "email_verified": true}
}

// Refuse has the person who is asked to sign in answer with an error, such as "access_denied", or with "" no longer.
func (i *Issuer) Refuse(answer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refusal = answer
}

// Deviceless has the issuer know no device flow, as many do not.
func (i *Issuer) Deviceless() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deviceless = true
}

// Mint signs a token. The claims given override the issuer's own and the usual ones; one that is nil is left out.
func (i *Issuer) Mint(claims map[string]any) (string, error) {
	now := time.Now()
	all := map[string]any{
		"iss": i.URL, "aud": "sigstore", "iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	maps.Copy(all, i.Claims)
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"alg":"ES256","kid":"`+keyID+`","typ":"JWT"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature[:]), nil
}

const keyID = "k1"

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Handler serves the issuer at paths under its URL's:
//
//	/.well-known/openid-configuration, /keys   discovery and its key
//	/auth, /token                              the authorization code flow
//	/device/code, /token                       the device flow
//	/mint?NAME=VALUE...                        a token: see mint
func (i *Issuer) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	m.HandleFunc("GET /keys", i.keys)
	m.HandleFunc("GET /auth", i.auth)
	m.HandleFunc("POST /auth", i.auth)
	m.HandleFunc("POST /device/code", i.deviceCode)
	m.HandleFunc("POST /token", i.token)
	m.HandleFunc("GET /mint", i.mint)
	u, err := url.Parse(i.URL)
	if err != nil {
		return http.NotFoundHandler()
	}
	return http.StripPrefix(strings.TrimSuffix(u.Path, "/"), m)
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	about := map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"grant_types_supported":                 []string{"authorization_code", deviceGrant},
		"id_token_signing_alg_values_supported": []string{"ES256"}, "code_challenge_methods_supported": []string{"S256"},
		"scopes_supported": []string{"openid", "email"},
	}
	i.mu.Lock()
	if !i.deviceless {
		about["device_authorization_endpoint"] = i.URL + "/device/code"
	}
	i.mu.Unlock()
	answer(w, http.StatusOK, about)
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	point, err := i.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": keyID, "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who no longer listens has nothing to be told
}

// mint gives a token. Each parameter is a claim; true and false are such. An empty one is left out, "email" is the
// "sub" too unless that is given, and "expired" makes the token an hour too old.
func (i *Issuer) mint(w http.ResponseWriter, r *http.Request) {
	claims := make(map[string]any)
	for name, values := range r.URL.Query() {
		claims[name] = claim(values[0])
	}
	if email := r.URL.Query().Get("email"); email != "" {
		person := Person(email)
		maps.Copy(person, claims)
		claims = person
	}
	if _, expired := claims["expired"]; expired {
		delete(claims, "expired")
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	}
	token, err := i.Mint(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte(token))
}

// claim reads a value of a query as JSON has it.
func claim(text string) any {
	if text == "" {
		return nil
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}
