package platform_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/platform"
)

// mint writes claims down in the place of a token.
func mint(claims map[string]any) (string, error) { return fmt.Sprint(claims), nil }

// TestRefusals asks each server rightly, and with one thing wrong at a time.
func TestRefusals(t *testing.T) {
	const identity = "/computeMetadata/v1/instance/service-accounts/default/identity"
	for name, c := range map[string]struct {
		handler      http.Handler
		method, path string
		header, body string
		status       int
		text         string
	}{
		"GitHub":                       {platform.GitHub(mint, "s"), "GET", "/token?api-version=2.0&audience=sigstore", "Authorization: bearer s", "", 200, `{"count":1,"value":"map[aud:sigstore]"}`},
		"GitHub, another secret":       {platform.GitHub(mint, "s"), "GET", "/token?api-version=2.0&audience=sigstore", "Authorization: bearer t", "", 401, ""},
		"GitHub, another way":          {platform.GitHub(mint, "s"), "GET", "/token?api-version=2.0&audience=sigstore", "Authorization: basic s", "", 401, ""},
		"GitHub, no query":             {platform.GitHub(mint, "s"), "GET", "/token?audience=sigstore", "Authorization: bearer s", "", 400, ""},
		"GitHub, no audience":          {platform.GitHub(mint, "s"), "GET", "/token?api-version=2.0", "Authorization: bearer s", "", 400, ""},
		"Google":                       {platform.Metadata(mint), "GET", identity + "?audience=sigstore&format=full", "Metadata-Flavor: Google", "", 200, "map[aud:sigstore]"},
		"Google, without the address":  {platform.Metadata(mint), "GET", identity + "?audience=sigstore", "Metadata-Flavor: Google", "", 200, "email:<nil>"},
		"Google, a browser":            {platform.Metadata(mint), "GET", identity + "?audience=sigstore", "Accept: text/html", "", 403, ""},
		"Google, no audience":          {platform.Metadata(mint), "GET", identity, "Metadata-Flavor: Google", "", 400, ""},
		"Google, no account":           {platform.Metadata(nil), "GET", identity + "?audience=sigstore", "Metadata-Flavor: Google", "", 404, ""},
		"IAM":                          {platform.IAM(mint), "POST", "/v1/projects/-/serviceAccounts/a@project.iam.gserviceaccount.com:generateIdToken", "Authorization: Bearer access-token-of-the-machine", `{"audience":"sigstore","includeEmail":true}`, 200, "email:a@project.iam.gserviceaccount.com"},
		"IAM, nobody":                  {platform.IAM(mint), "POST", "/v1/projects/-/serviceAccounts/a@project.iam.gserviceaccount.com:generateIdToken", "Authorization: Bearer other", `{"audience":"sigstore"}`, 401, ""},
		"IAM, a stranger's account":    {platform.IAM(mint), "POST", "/v1/projects/-/serviceAccounts/a@stranger.iam.gserviceaccount.com:generateIdToken", "Authorization: Bearer access-token-of-the-machine", `{"audience":"sigstore"}`, 403, ""},
		"IAM, something else is asked": {platform.IAM(mint), "POST", "/v1/projects/-/serviceAccounts/a@project.iam.gserviceaccount.com:signBlob", "Authorization: Bearer access-token-of-the-machine", `{}`, 400, ""},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		key, value, _ := strings.Cut(c.header, ": ")
		r.Header.Set(key, value)
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s: %d %s, want %d with %q", name, w.Code, w.Body, c.status, c.text)
		}
	}
}
