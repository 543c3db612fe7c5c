package issuer

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

const (
	// deviceGrant is what a device asks /token for (RFC 8628, section 3.4).
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// outOfBand is where a browser is sent that cannot reach the application: the page shows the code, to be copied.
	outOfBand = "urn:ietf:wg:oauth:2.0:oob"
)

// page is where somebody says who they are.
const page = `<!DOCTYPE html>
<title>Sign in</title>
<form method="post">
<label>E-mail <input name="email" type="email" required></label>
<button name="answer" value="sign-in">Sign in</button>
<button name="answer" value="cancel" formnovalidate>Cancel</button>
</form>
`

// auth is where a person signs in, who has done so already unless there is a page for it.
func (i *Issuer) auth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if _, known := i.Clients[q.Get("client_id")]; err != nil || !known {
		http.Error(w, "unknown client_id, or redirect_uri that is none", http.StatusBadRequest)
		return
	}
	if host := back.Hostname(); q.Get("redirect_uri") != outOfBand && host != "localhost" && host != "127.0.0.1" {
		http.Error(w, "redirect_uri must be on this machine", http.StatusBadRequest)
		return
	}
	if connector := q.Get("connector_id"); connector != "" && len(i.Providers) > 0 && !slices.Contains(i.Providers, connector) {
		http.Error(w, "unknown connector_id", http.StatusBadRequest)
		return
	}
	if i.Page && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
		return
	}
	q.Del("email")
	if email := r.PostFormValue("email"); email != "" {
		q.Set("email", email)
	}
	i.answerTo(w, r, back, q)
}

// answerTo leads back to the application with a code, which it remembers with what was asked for.
func (i *Issuer) answerTo(w http.ResponseWriter, r *http.Request, back *url.URL, asked url.Values) {
	code := rand.Text()
	i.mu.Lock()
	refusal := i.refusal
	if r.PostFormValue("answer") == "cancel" {
		refusal = "access_denied"
	}
	if refusal == "" {
		i.codes[code] = asked
	}
	i.mu.Unlock()
	if refusal != "" {
		back.RawQuery = url.Values{"error": {refusal}, "state": {asked.Get("state")}}.Encode()
		http.Redirect(w, r, back.String(), http.StatusSeeOther)
		return
	}
	if asked.Get("redirect_uri") == outOfBand {
		fmt.Fprintf(w, "<title>Signed in</title><p>Enter this code: <code>%s</code>\n", html.EscapeString(code))
		return
	}
	back.RawQuery = url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

// deviceCode begins the device flow.
func (i *Issuer) deviceCode(w http.ResponseWriter, r *http.Request) {
	client := r.FormValue("client_id")
	if _, known := i.Clients[client]; !known {
		refuse(w, "invalid_client")
		return
	}
	code := rand.Text()
	i.mu.Lock()
	i.devices[code] = &device{client: client}
	i.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": code[:4] + "-" + code[4:8], "verification_uri": i.URL + "/device",
		"verification_uri_complete": i.URL + "/device?user_code=" + code[:4] + "-" + code[4:8], "expires_in": 300, "interval": 1,
	})
}

// token exchanges a code for a token, once.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	client, secret, basic := r.BasicAuth()
	if !basic {
		client, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if want, known := i.Clients[client]; !known || secret != want {
		refuse(w, "invalid_client")
		return
	}
	claims, refusal := i.redeem(r, client)
	if refusal != "" {
		refuse(w, refusal)
		return
	}
	claims["aud"] = client
	token, err := i.Mint(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"id_token": token, "access_token": "unused", "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()),
	})
}

// redeem returns what a code adds to the token, or OAuth's word for why it does not count.
func (i *Issuer) redeem(r *http.Request, client string) (claims map[string]any, refusal string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.FormValue("grant_type") {
	case "authorization_code":
		return i.redeemCode(r, client)
	case deviceGrant:
		return i.redeemDevice(r.FormValue("device_code"), client)
	}
	return nil, "unsupported_grant_type"
}

func (i *Issuer) redeemCode(r *http.Request, client string) (claims map[string]any, refusal string) {
	asked, ok := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier"))) // PKCE, RFC 7636
	if !ok || asked.Get("client_id") != client || asked.Get("redirect_uri") != r.FormValue("redirect_uri") ||
		asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != encode(challenge[:]) {
		return nil, "invalid_grant"
	}
	claims = maps.Clone(i.Claims)
	if claims == nil {
		claims = make(map[string]any)
	}
	if email := asked.Get("email"); email != "" {
		maps.Copy(claims, Person(email))
	}
	maps.Copy(claims, i.vouched(asked.Get("connector_id")))
	if nonce := asked.Get("nonce"); nonce != "" {
		claims["nonce"] = nonce
	}
	return claims, ""
}

func (i *Issuer) redeemDevice(code, client string) (claims map[string]any, refusal string) {
	d, ok := i.devices[code]
	switch {
	case !ok || d.client != client:
		return nil, "invalid_grant"
	case i.refusal != "":
		delete(i.devices, code)
		return nil, i.refusal
	case d.asked < i.Pending:
		d.asked++
		return nil, "authorization_pending"
	}
	delete(i.devices, code)
	return i.vouched(""), ""
}

// vouched is what a token says of who has vouched for the person, by the choice of the application if it has made one.
func (i *Issuer) vouched(connector string) map[string]any {
	claims := make(map[string]any)
	if len(i.Providers) > 0 {
		claims["federated_claims"] = map[string]string{"connector_id": cmp.Or(connector, i.Providers[0]), "user_id": "1"}
	}
	return claims
}

func refuse(w http.ResponseWriter, why string) {
	answer(w, http.StatusBadRequest, map[string]string{"error": why})
}
