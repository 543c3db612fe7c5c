// Package platform imitates the servers by which platforms give identity tokens to the jobs and machines that run on them, as their
// documentation has it. A request that a platform would refuse is refused. Only tests may import it.
package platform

import (
	"encoding/json"
	"net/http"
	"strings"
)

// A Mint makes a token with these claims besides those of the job.
type Mint func(claims map[string]any) (string, error)

// GitHub is where a job of GitHub Actions gets a token: ACTIONS_ID_TOKEN_REQUEST_URL, which has a query of its own already, for
// who shows ACTIONS_ID_TOKEN_REQUEST_TOKEN: https://docs.github.com/en/actions/reference/security/oidc
func GitHub(mint Mint, secret string) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		kind, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(kind, "bearer") || shown != secret {
			http.Error(w, "the token to ask by is missing, or is another", http.StatusUnauthorized)
			return
		}
		if r.FormValue("api-version") != "2.0" {
			http.Error(w, "the query of the address is missing", http.StatusBadRequest)
			return
		}
		token, ok := minted(w, mint, r.FormValue("audience"))
		if ok {
			answer(w, map[string]any{"count": 1, "value": token})
		}
	})
	return m
}

// access is the access token of the machine's service account.
const access = "access-token-of-the-machine"

// Metadata is the metadata server of Google Cloud, for a machine with a service account, or with none if mint is nil. It answers
// nobody who does not say that it is Google's that they want, or who asks for somebody else:
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func Metadata(mint Mint) http.Handler {
	m := http.NewServeMux()
	const root = "GET /computeMetadata/v1/instance/service-accounts/default/"
	m.HandleFunc(root+"identity", func(w http.ResponseWriter, r *http.Request) {
		if mint == nil {
			http.NotFound(w, r)
			return
		}
		claims := map[string]any{}
		if r.FormValue("format") != "full" { // without which the account's address is left out
			claims["email"], claims["email_verified"] = nil, nil
		}
		if token, ok := minted(w, with(mint, claims), r.FormValue("audience")); ok {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(token))
		}
	})
	m.HandleFunc(root+"token", func(w http.ResponseWriter, r *http.Request) {
		if mint == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, map[string]any{"access_token": access, "expires_in": 3599, "token_type": "Bearer"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
			http.Error(w, "not for a browser, nor for another machine", http.StatusForbidden)
			return
		}
		m.ServeHTTP(w, r)
	})
}

// IAMHost is where IAM is.
const IAMHost = "iamcredentials.googleapis.com"

// IAM is the API of Google Cloud by which the machine's service account gets a token for another, of its own project only:
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func IAM(mint Mint) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/projects/-/serviceAccounts/{call}", func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Audience     string
			IncludeEmail bool
		}
		name, ok := strings.CutSuffix(r.PathValue("call"), ":generateIdToken")
		switch err := json.NewDecoder(r.Body).Decode(&asked); {
		case r.Header.Get("Authorization") != "Bearer "+access:
			http.Error(w, `{"error":{"code":401,"status":"UNAUTHENTICATED"}}`, http.StatusUnauthorized)
			return
		case !ok || err != nil:
			http.Error(w, `{"error":{"code":400,"status":"INVALID_ARGUMENT"}}`, http.StatusBadRequest)
			return
		case !strings.HasSuffix(name, "@project.iam.gserviceaccount.com"):
			http.Error(w, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`, http.StatusForbidden)
			return
		}
		claims := map[string]any{"email": nil, "email_verified": nil}
		if asked.IncludeEmail {
			claims = map[string]any{"email": name, "email_verified": true}
		}
		if token, ok := minted(w, with(mint, claims), asked.Audience); ok {
			answer(w, map[string]any{"token": token})
		}
	})
	return m
}

// with makes tokens with more claims.
func with(mint Mint, claims map[string]any) Mint {
	return func(audience map[string]any) (string, error) {
		for name, value := range audience {
			claims[name] = value
		}
		return mint(claims)
	}
}

// minted makes a token for an audience, or answers that it does not.
func minted(w http.ResponseWriter, mint Mint, audience string) (token string, ok bool) {
	if audience == "" {
		http.Error(w, "an audience is missing", http.StatusBadRequest)
		return "", false
	}
	token, err := mint(map[string]any{"aud": audience})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return "", false
	}
	return token, true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who no longer listens has nothing to be told
}
