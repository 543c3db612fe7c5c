package issuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
)

// start serves an issuer under a path, as Fulcio's configuration knows several at one address.
func start(t *testing.T) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New("", issuer.Person("alice@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { i.Handler().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	i.URL = server.URL + "/people"
	return i
}

// ask sends a form to an address of the issuer, or gets it where there is no form, and returns status and body.
func ask(t *testing.T, address string, form url.Values) (int, string) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	if form != nil {
		r, err = client.PostForm(address, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if to := r.Header.Get("Location"); to != "" {
		return r.StatusCode, to
	}
	return r.StatusCode, string(b)
}

// claims checks a token's signature by the issuer's published key, and returns what it says.
func claims(t *testing.T, i *issuer.Issuer, token string) map[string]any {
	t.Helper()
	_, body := ask(t, i.URL+"/keys", nil)
	var set struct{ Keys []struct{ X, Y string } }
	if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	point := []byte{4}
	for _, text := range []string{set.Keys[0].X, set.Keys[0].Y} {
		coordinate, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		point = append(point, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token is %q", token)
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if len(signature) != 64 || !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Fatal("the token's signature is not the issuer's")
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var all map[string]any
	if err := json.Unmarshal(payload, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMint(t *testing.T) {
	i := start(t)
	_, token := ask(t, i.URL+"/mint?email=bob@example.com&email_verified=false&aud=other&expired=1", nil)
	c := claims(t, i, token)
	if c["sub"] != "bob@example.com" || c["email_verified"] != false || c["aud"] != "other" || c["iss"] != i.URL || c["exp"].(float64) > c["iat"].(float64) {
		t.Errorf("claims are %v", c)
	}
	_, token = ask(t, i.URL+"/mint?email=", nil)
	if c := claims(t, i, token); c["email"] != nil || c["sub"] != "alice@example.com" || c["aud"] != "sigstore" {
		t.Errorf("claims are %v", c)
	}
}

func TestAuthorizationCode(t *testing.T) {
	const verifier = "a secret of the application"
	challenge := sha256.Sum256([]byte(verifier))
	for name, c := range map[string]struct {
		change  func(authorize, token url.Values, i *issuer.Issuer)
		refused string
	}{
		"signed in": {func(_, _ url.Values, _ *issuer.Issuer) {}, ""},
		"secret": {func(_, token url.Values, i *issuer.Issuer) {
			i.Clients["sigstore"] = "s"
			token.Set("client_secret", "s")
		}, ""},
		"wrong secret":   {func(_, token url.Values, i *issuer.Issuer) { i.Clients["sigstore"] = "s" }, "invalid_client"},
		"wrong verifier": {func(_, token url.Values, _ *issuer.Issuer) { token.Set("code_verifier", "another") }, "invalid_grant"},
		"plain PKCE":     {func(authorize, _ url.Values, _ *issuer.Issuer) { authorize.Set("code_challenge_method", "plain") }, "invalid_grant"},
		"other redirect": {func(_, token url.Values, _ *issuer.Issuer) { token.Set("redirect_uri", "http://localhost:2/") }, "invalid_grant"},
		"consent":        {func(_, _ url.Values, i *issuer.Issuer) { i.Refuse("access_denied") }, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			i := start(t)
			authorize := url.Values{
				"client_id": {"sigstore"}, "redirect_uri": {"http://localhost:1/callback"}, "state": {"st"}, "nonce": {"no"},
				"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
			}
			token := url.Values{
				"grant_type": {"authorization_code"}, "client_id": {"sigstore"}, "code_verifier": {verifier}, "redirect_uri": {"http://localhost:1/callback"},
			}
			c.change(authorize, token, i)
			_, to := ask(t, i.URL+"/auth?"+authorize.Encode(), nil)
			back, err := url.Parse(to)
			if err != nil || back.Query().Get("state") != "st" {
				t.Fatalf("led back to %q: %v", to, err)
			}
			if refused := back.Query().Get("error"); refused != "" {
				if refused != c.refused {
					t.Errorf("refused with %q, want %q", refused, c.refused)
				}
				return
			}
			token.Set("code", back.Query().Get("code"))
			redeemed(t, i, token, c.refused)
			redeemed(t, i, token, map[bool]string{true: "invalid_client", false: "invalid_grant"}[c.refused == "invalid_client"]) // only once
		})
	}
}

// redeemed asks for a token and wants one for alice, or this refusal.
func redeemed(t *testing.T, i *issuer.Issuer, form url.Values, refused string) {
	t.Helper()
	_, body := ask(t, i.URL+"/token", form)
	var a struct {
		Token string `json:"id_token"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Error != refused {
		t.Fatalf("answered %s, want the refusal %q", body, refused)
	}
	if refused == "" {
		if c := claims(t, i, a.Token); c["email"] != "alice@example.com" || c["aud"] != "sigstore" {
			t.Errorf("claims are %v", c)
		}
	}
}

func TestDevice(t *testing.T) {
	i := start(t)
	i.Pending = 2
	_, body := ask(t, i.URL+"/device/code", url.Values{"client_id": {"sigstore"}})
	var begun struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(body), &begun); err != nil || len(begun.UserCode) != 9 {
		t.Fatalf("%v in %s", err, body)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"sigstore"}, "device_code": {begun.DeviceCode}}
	for _, refused := range []string{"authorization_pending", "authorization_pending", "", "invalid_grant"} {
		redeemed(t, i, form, refused)
	}
}

// TestPage signs somebody in who says on a page who they are, or goes away.
func TestPage(t *testing.T) {
	i := start(t)
	i.Page = true
	const verifier = "a secret of the application"
	challenge := sha256.Sum256([]byte(verifier))
	at := i.URL + "/auth?" + url.Values{
		"client_id": {"sigstore"}, "redirect_uri": {"http://localhost:1/callback"}, "state": {"st"}, "email": {"mallory@example.com"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	if status, page := ask(t, at, nil); status != http.StatusOK || !strings.Contains(page, `<form method="post">`) {
		t.Errorf("the page is %d %s", status, page)
	}
	if _, to := ask(t, at, url.Values{"answer": {"cancel"}}); !strings.Contains(to, "error=access_denied") || !strings.Contains(to, "state=st") {
		t.Errorf("who cancels is led to %s", to)
	}
	for who, want := range map[string]string{"bob@example.com": "bob@example.com", "": "alice@example.com"} {
		_, to := ask(t, at, url.Values{"answer": {"sign-in"}, "email": {who}})
		if email := redeem(t, i, to, verifier)["email"]; email != want {
			t.Errorf("%q: a token for %v, want one for %s", who, email, want)
		}
	}
}

// redeem returns the claims of the token to which the code in an address leads.
func redeem(t *testing.T, i *issuer.Issuer, to, verifier string) map[string]any {
	t.Helper()
	back, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	_, body := ask(t, i.URL+"/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"sigstore"}, "code_verifier": {verifier},
		"redirect_uri": {"http://localhost:1/callback"}, "code": {back.Query().Get("code")},
	})
	var a struct {
		Token string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return claims(t, i, a.Token)
}

// TestProviders has others vouch for who signs in.
func TestProviders(t *testing.T) {
	i := start(t)
	i.Providers = []string{"https://one.example", "https://two.example"}
	const verifier = "a secret of the application"
	challenge := sha256.Sum256([]byte(verifier))
	for connector, want := range map[string]string{"": "https://one.example", "https://two.example": "https://two.example", "https://three.example": ""} {
		status, to := ask(t, i.URL+"/auth?"+url.Values{
			"client_id": {"sigstore"}, "redirect_uri": {"http://localhost:1/callback"}, "state": {"st"}, "connector_id": {connector},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
		}.Encode(), nil)
		if want == "" {
			if status != http.StatusBadRequest {
				t.Errorf("an unknown provider is answered with %d", status)
			}
			continue
		}
		if by, _ := redeem(t, i, to, verifier)["federated_claims"].(map[string]any); by["connector_id"] != want {
			t.Errorf("%q: %v vouches, want %s", connector, by, want)
		}
	}
}

func TestDeviceless(t *testing.T) {
	i := start(t)
	for _, known := range []bool{true, false} {
		if _, about := ask(t, i.URL+"/.well-known/openid-configuration", nil); strings.Contains(about, "device_authorization_endpoint") != known {
			t.Errorf("discovery is %s", about)
		}
		i.Deviceless()
	}
}

func TestOutOfBand(t *testing.T) {
	i := start(t)
	_, page := ask(t, i.URL+"/auth?client_id=sigstore&redirect_uri=urn:ietf:wg:oauth:2.0:oob", nil)
	if !strings.Contains(page, "<code>") {
		t.Errorf("the page does not show a code: %s", page)
	}
	if status, _ := ask(t, i.URL+"/auth?client_id=sigstore&redirect_uri=https://elsewhere.example/", nil); status != http.StatusBadRequest {
		t.Errorf("a redirect elsewhere is answered with %d", status)
	}
}

func TestWorkloads(t *testing.T) {
	i := start(t)
	i.Claims = issuer.GitHub("org/model", "refs/heads/main")
	_, token := ask(t, i.URL+"/mint?ref=refs/heads/dev", nil)
	if c := claims(t, i, token); c["ref"] != "refs/heads/dev" || c["job_workflow_ref"] != "org/model/.github/workflows/release.yml@refs/heads/main" {
		t.Errorf("claims are %v", c)
	}
}
