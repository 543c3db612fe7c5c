package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const token = "e30.e30.e30"

// TestMain has a proxy in the environment, before anything looks there, that leads nowhere.
func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Exit(m.Run())
}

func environment(pairs ...string) Environment {
	return Environment{Pause: time.Millisecond, Machine: "/nonexistent", Getenv: func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}}
}

// get gets a token for "sigstore" from the platform that is detected.
func get(t *testing.T, e Environment, name string) (string, error) {
	t.Helper()
	p, err := Detect(e)
	if err != nil {
		return "", err
	}
	if p == nil || p.Name != name {
		t.Fatalf("detected is %v, want %s", p, name)
	}
	return p.Token(t.Context(), "sigstore")
}

// serve answers as long as the test lasts.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

func TestNowhere(t *testing.T) {
	if p, err := Detect(environment()); p != nil || err != nil {
		t.Errorf("detected is %v, %v", p, err)
	}
}

func TestGitHub(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer request-secret" || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("api-version") != "2.0" {
			http.Error(w, "you sent "+r.Header.Get("Authorization")+r.URL.RawQuery, http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"count":1,"value":%q}`, token)
	})
	job := func(url, secret string) Environment {
		return environment("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", secret)
	}
	if got, err := get(t, job(s.URL+"/token?api-version=2.0", "request-secret"), "GitHub Actions"); got != token || err != nil {
		t.Errorf("token is %q, %v", got, err)
	}
	_, err := get(t, job(s.URL, "other-secret"), "GitHub Actions")
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), s.URL) || strings.Contains(fmt.Sprintf("%v %#v", err, err), "other-secret") {
		t.Errorf("wrong secret: %v", err)
	}
	if _, err := get(t, job("http://example.com/token", "request-secret"), "GitHub Actions"); err == nil || !strings.Contains(err.Error(), "not https") {
		t.Errorf("in the clear: %v", err)
	}
	var hinted *Error
	if _, err := Detect(environment("GITHUB_ACTIONS", "true")); !errors.As(err, &hinted) || !errors.Is(err, ErrNoToken) || !strings.Contains(hinted.Hint, "id-token: write") {
		t.Errorf("without permission: %v", err)
	}
}

// TestAnswers has the platform's server misbehave.
func TestAnswers(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		asked  int32
		text   string // of the error; "" for a token
	}{
		"overloaded once": {nil, 2, ""},
		"overloaded":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, tries, "503 Service Unavailable"},
		"forbidden":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); fmt.Fprint(w, "no\n\x1b[2Jno") }, 1, `403 Forbidden: no \x1b[2Jno`},
		"moved":           {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, 1, "302 Found"},
		"not JSON":        {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, 1, "none that holds a token"},
		"no token":        {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":""}`) }, 1, "no identity token in the answer"},
		"no text":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":7}`) }, 1, "no identity token in the answer"},
		"broken":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, tries, "connection broke"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			fmt.Fprint(w, "{")
		}, tries, "connection broke"},
		"repeats a token": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")
		}, 1, ": (identity token)"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range maxAnswer>>10 + 2 {
				_, _ = w.Write(make([]byte, 1<<10))
			}
		}, tries, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n := asked.Add(1)
				switch {
				case c.answer != nil:
					c.answer(w, r)
				case n == 1:
					w.WriteHeader(503)
				default:
					fmt.Fprintf(w, `{"value":%q}`, token)
				}
			})
			got, err := get(t, environment("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", s.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s"), "GitHub Actions")
			if c.text == "" && (err != nil || got != token) || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("token is %q, error %v, want %q", got, err, c.text)
			}
			var hinted *Error
			if err != nil && (!errors.As(err, &hinted) || hinted.Hint == "" && !errors.Is(err, ErrNoToken) && name != "endless") {
				t.Errorf("there is no hint to %v", err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "identity token of GitHub Actions: ") || strings.ContainsAny(err.Error(), "\n\x1b")) {
				t.Errorf("error is not one printable line about the platform: %q", err)
			}
			if asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), c.asked)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	p, err := Detect(environment("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", s.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Token(ctx, "sigstore"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestGitLab(t *testing.T) {
	if got, err := get(t, environment("GITLAB_CI", "true", GitLabVariable, token), "GitLab CI"); got != token || err != nil {
		t.Errorf("token is %q, %v", got, err)
	}
	var hinted *Error
	if _, err := Detect(environment("GITLAB_CI", "true")); !errors.As(err, &hinted) || !errors.Is(err, ErrNoToken) || !strings.Contains(hinted.Hint, "id_tokens") {
		t.Errorf("without id_tokens: %v", err)
	}
}

func TestBuildkite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the agent of the test is a shell script")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	job := environment("BUILDKITE", "true")
	var hinted *Error
	if _, err := Detect(job); !errors.As(err, &hinted) || !strings.Contains(err.Error(), "buildkite-agent is not on PATH") || hinted.Hint == "" {
		t.Errorf("without an agent: %v", err)
	}
	agent := func(script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "buildkite-agent"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	agent(`test "$*" = "oidc request-token --audience sigstore" && echo ` + token)
	if got, err := get(t, job, "Buildkite"); got != token || err != nil {
		t.Errorf("token is %q, %v", got, err)
	}
	t.Setenv("MODELSIGN_PASSPHRASE", "hunter2")
	agent(`test -z "$MODELSIGN_PASSPHRASE" && echo ` + token)
	if _, err := get(t, job, "Buildkite"); err != nil {
		t.Errorf("the agent gets to know a passphrase: %v", err)
	}
	agent("echo eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln >&2; exit 3")
	if _, err := get(t, job, "Buildkite"); err == nil || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("the agent's token is shown: %v", err)
	}
	agent("exec sleep 100")
	slow := environment("BUILDKITE", "true")
	slow.Agent = 100 * time.Millisecond
	if _, err := get(t, slow, "Buildkite"); !errors.Is(err, errAgent) {
		t.Errorf("an agent that does not answer: %v", err)
	}
	agent("echo 'fatal: not\n a job' >&2; exit 3")
	if _, err := get(t, job, "Buildkite"); err == nil || !strings.Contains(err.Error(), "exit status 3: fatal: not a job") {
		t.Errorf("agent fails: %v", err)
	}
}

// metadata is a metadata server, which knows of one account.
func metadata(t *testing.T) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		const root = "/computeMetadata/v1/instance/service-accounts/default/"
		query := r.URL.Query()
		switch {
		case r.Header.Get("Metadata-Flavor") != "Google":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == root+"identity" && query.Get("audience") == "sigstore" && query.Get("format") == "full":
			fmt.Fprintln(w, token)
		case r.URL.Path == root+"token" && query.Get("scopes") == "https://www.googleapis.com/auth/cloud-platform":
			fmt.Fprint(w, `{"access_token":"access-secret","expires_in":3599,"token_type":"Bearer"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
}

func TestGoogle(t *testing.T) {
	host := strings.TrimPrefix(metadata(t).URL, "http://")
	if runtime.GOOS == "linux" {
		host = strings.Replace(host, "127.0.0.1", "0.0.0.0", 1) // this machine too, and not one that proxies are left out for anyway
	}
	if got, err := get(t, environment("GCE_METADATA_HOST", host), "Google Cloud"); got != token || err != nil {
		t.Errorf("token is %q, %v", got, err)
	}
	none := serve(t, http.NotFound)
	var hinted *Error
	if _, err := get(t, environment("GCE_METADATA_HOST", strings.TrimPrefix(none.URL, "http://")), "Google Cloud"); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "service account") {
		t.Errorf("without an account: %v", err)
	}
	moved := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, none.URL, http.StatusFound) })
	if _, err := get(t, environment("GCE_METADATA_HOST", strings.TrimPrefix(moved.URL, "http://")), "Google Cloud"); err == nil || !strings.Contains(err.Error(), "302 Found") {
		t.Errorf("a redirect of a metadata server: %v", err)
	}
	page := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html>sign in to this network. please. now</html>")
	})
	if _, err := get(t, environment("GCE_METADATA_HOST", strings.TrimPrefix(page.URL, "http://")), "Google Cloud"); !errors.Is(err, errForm) || !strings.Contains(err.Error(), page.URL) {
		t.Errorf("a page in place of a token: %v", err)
	}
	machine := filepath.Join(t.TempDir(), "product_name")
	for product, known := range map[string]bool{"Google Compute Engine\n": true, "Google\n": true, "Google Pixelbook\n": false, "Standard PC\n": false} {
		if err := os.WriteFile(machine, []byte(product), 0o644); err != nil {
			t.Fatal(err)
		}
		e := environment()
		e.Machine = machine
		if p, err := Detect(e); (p != nil) != known || err != nil {
			t.Errorf("on %q: %v, %v", product, p, err)
		}
	}
}

func TestImpersonation(t *testing.T) {
	iam := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1<<10)
		n, _ := r.Body.Read(body)
		switch {
		case r.Header.Get("Authorization") != "Bearer access-secret" || string(body[:n]) != `{"audience":"sigstore","includeEmail":true}` && string(body[:n]) != `{"includeEmail":true,"audience":"sigstore"}`:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/v1/projects/-/serviceAccounts/signer@project.iam.gserviceaccount.com:generateIdToken":
			fmt.Fprintf(w, `{"token":%q}`, token)
		default:
			http.Error(w, "not with "+r.Header.Get("Authorization"), http.StatusForbidden)
		}
	})
	as := func(account string) Environment {
		e := environment("GCE_METADATA_HOST", strings.TrimPrefix(metadata(t).URL, "http://"), "GOOGLE_SERVICE_ACCOUNT_NAME", account)
		e.IAM = iam.URL
		return e
	}
	if got, err := get(t, as("signer@project.iam.gserviceaccount.com"), "Google Cloud"); got != token || err != nil {
		t.Errorf("token is %q, %v", got, err)
	}
	_, err := get(t, as("../other@project.iam.gserviceaccount.com"), "Google Cloud")
	var hinted *Error
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "serviceAccountOpenIdTokenCreator") || strings.Contains(err.Error(), "access-secret") {
		t.Errorf("another's account: %v", err)
	}
}
