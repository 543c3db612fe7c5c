package hub_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

const resolved = `{"id":"org/name","sha":"` + commit + `","siblings":[{"rfilename":"f"}]}`

func TestResolve(t *testing.T) {
	dataset := hub.Repo{Type: hub.Dataset, ID: "org/name"}
	for _, test := range []struct {
		name     string
		repo     hub.Repo
		revision string
		uri      string
		answer   string
		want     hub.Revision
	}{
		{"nothing named", model("org/name"), "", "/api/models/org/name/revision/main", resolved, hub.Revision{Name: "main"}},
		{"tag", model("org/name"), "v1.0", "/api/models/org/name/revision/v1.0", resolved, hub.Revision{Name: "v1.0"}},
		{"commit", model("org/name"), commit, "/api/models/org/name/revision/" + commit, resolved, hub.Revision{Name: commit}},
		{"pull request", dataset, "refs/pr/1", "/api/datasets/org/name/revision/refs%2Fpr%2F1", resolved, hub.Revision{Name: "refs/pr/1"}},
		{"odd characters", dataset, "a#%b", "/api/datasets/org/name/revision/a%23%25b", resolved, hub.Revision{Name: "a#%b"}},
		{"no id in the answer", model("org/name"), "", "/api/models/org/name/revision/main", `{"sha":"` + commit + `"}`, hub.Revision{Name: "main"}},
		{"renamed without a redirect", model("name"), "", "/api/models/name/revision/main", resolved, hub.Revision{Name: "main", MovedTo: "org/name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			hosts := map[string]http.Handler{theHub: at(map[string]http.Handler{test.uri: reply(200, test.answer)})}
			online(t, hosts, func(t *testing.T, n *network) {
				got, err := n.client(hub.Environment{}).Resolve(t.Context(), test.repo, test.revision)
				test.want.Repo, test.want.Commit = test.repo, commit
				if err != nil || got != test.want {
					t.Errorf("%+v, %v; want %+v", got, err, test.want)
				}
				if h := n.requests()[0].header; h.Get("User-Agent") != "test/1" || h.Get("Authorization") != "" {
					t.Errorf("header %v", h)
				}
			})
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, test := range []struct {
		name     string
		revision string
		answer   http.Handler
		is       error // nil for any
		text     string
	}{
		{"no repository", "", reply(401, "", "X-Error-Code", "RepoNotFound", "X-Error-Message", "Repository not found"), hub.ErrRepoNotFound, "HTTP status 401 (Unauthorized): Repository not found"},
		{"no repository, as 404", "", reply(404, "", "X-Error-Code", "RepoNotFound"), hub.ErrRepoNotFound, ""},
		{"bare 401", "", reply(401, ""), hub.ErrRepoNotFound, "private"},
		{"token that is not accepted", "", reply(401, "", "X-Error-Message", "Invalid credentials in Authorization header"), hub.ErrUnauthorized, ""},
		{"no revision", "", reply(404, "", "X-Error-Code", "RevisionNotFound"), hub.ErrRevisionNotFound, ""},
		{"gated", "", reply(403, "", "X-Error-Code", "GatedRepo"), hub.ErrGated, ""},
		{"disabled", "", reply(403, "", "X-Error-Message", "Access to this resource is disabled."), nil, "is disabled"},
		{"message with controls", "", reply(403, "", "X-Error-Message", "\x9b31mred"), nil, `: \x9b31mred`},
		{"message with the token", "", reply(403, "", "X-Error-Message", "no such token: "+secret), nil, `no such token: [token]`},
		{"bare 404", "", reply(404, ""), nil, "HTTP status 404"},
		{"no content", "", reply(204, ""), nil, "HTTP status 204"},
		{"not modified", "", reply(304, ""), nil, "HTTP status 304"},
		{"page", "", reply(200, "<html>"), nil, "no valid JSON"},
		{"two answers", "", reply(200, resolved+resolved), nil, "no valid JSON"},
		{"two commits", "", reply(200, `{"sha":"`+commit+`","sha":"`+strings.Repeat("f", 40)+`"}`), nil, "no valid JSON"},
		{"no commit", "", reply(200, `{}`), nil, "expected 40 hex digits"},
		{"commit that is none", "", reply(200, `{"sha":"main"}`), nil, "expected 40 hex digits"},
		{"other commit", strings.Repeat("f", 40), reply(200, resolved), nil, "expected " + strings.Repeat("f", 40)},
		{"endless", "", reply(200, strings.Repeat(" ", 64<<20+1)), nil, "larger than"},
		{"compressed", "", reply(200, resolved, "Content-Encoding", "br"), nil, "compressed"},
		{"revision that climbs", "../..", reply(200, resolved), nil, "no name of a branch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.answer}, func(t *testing.T, n *network) {
				_, err := n.client(hub.Environment{Token: token(t)}).Resolve(t.Context(), model("org/name"), test.revision)
				checkError(t, err, test.is, test.text)
				if len(n.requests()) > 1 {
					t.Errorf("it was tried %d times", len(n.requests()))
				}
			})
		})
	}
}

// checkError checks what an error is and says, and that it holds no secret.
func checkError(t *testing.T, err, is error, text string) {
	t.Helper()
	if err == nil || is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %v with %q", err, is, text)
	}
	if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
		t.Errorf("error %q holds a secret or a control character", err)
	}
}

func TestStatusError(t *testing.T) {
	online(t, map[string]http.Handler{theHub: reply(403, "", "X-Error-Code", "GatedRepo", "X-Error-Message", "Ask")}, func(t *testing.T, n *network) {
		_, err := n.client(hub.Environment{}).Resolve(t.Context(), model("org/name"), "")
		var e *hub.StatusError
		if !errors.As(err, &e) || *e != (hub.StatusError{Status: 403, Code: "GatedRepo", Message: "Ask"}) {
			t.Errorf("%v is %+v", err, e)
		}
	})
}

func TestOffline(t *testing.T) {
	online(t, nil, func(t *testing.T, n *network) {
		c := n.client(hub.Environment{Offline: true})
		r := hub.Revision{Repo: model("org/name"), Commit: commit}
		_, err := c.Resolve(t.Context(), r.Repo, "")
		checkError(t, err, hub.ErrOffline, "")
		_, err = c.List(t.Context(), r)
		checkError(t, err, hub.ErrOffline, "")
		_, err = c.Open(t.Context(), r, "f", 0)
		checkError(t, err, hub.ErrOffline, "")
		if len(n.requests()) > 0 {
			t.Errorf("requests were made: %v", n.uris())
		}
	})
}

func TestBadArguments(t *testing.T) {
	online(t, nil, func(t *testing.T, n *network) {
		c := n.client(hub.Environment{})
		good := hub.Revision{Repo: model("org/name"), Commit: commit}
		for _, id := range []string{"", "..", "a/../b", "a/b/c", "a?b"} {
			_, err := c.Resolve(t.Context(), model(id), "")
			checkError(t, err, nil, "no repository id")
		}
		_, err := c.Resolve(t.Context(), hub.Repo{Type: "user", ID: "a/b"}, "")
		checkError(t, err, nil, "no type of repository")
		for _, r := range []hub.Revision{{Repo: good.Repo, Commit: "main"}, {Repo: good.Repo}, {Repo: good.Repo, Commit: commit, MovedTo: "../x"}} {
			_, err = c.List(t.Context(), r)
			checkError(t, err, nil, "expected")
		}
		for _, path := range []string{"", "../f", "/f", "a//b", "a\\b", "a\nb", ".git/config"} {
			_, err = c.Open(t.Context(), good, path, 0)
			checkError(t, err, nil, "path")
		}
		_, err = c.Open(t.Context(), good, "f", -1)
		checkError(t, err, nil, "offset")
		_, err = n.client(hub.Environment{Endpoint: "file:///etc"}).Resolve(t.Context(), good.Repo, "")
		checkError(t, err, nil, "no address of a Hub")
		if len(n.requests()) > 0 {
			t.Errorf("requests were made: %v", n.uris())
		}
	})
}

func TestRedirectsOfTheAPI(t *testing.T) {
	const asked = "/api/models/org/name/revision/main"
	to := func(location string) http.Handler {
		return reply(307, "Temporary Redirect", "Location", location)
	}
	for _, test := range []struct {
		name, endpoint, location string
		moved                    string // "" where it is refused
		text                     string
	}{
		{"renamed", theHub, "/api/models/new/name/revision/main", "new/name", ""},
		{"renamed, whole address", theHub, theHub + "/api/models/new/name/revision/main", "new/name", ""},
		{"renamed, port named", theHub, theHub + ":443/api/models/new/name/revision/main", "new/name", ""},
		{"renamed on a mirror", mirror, "/hf/api/models/new/name/revision/main", "new/name", ""},
		{"the Hub's address from a mirror", mirror, theHub + "/api/models/new/name/revision/main", "new/name", ""},
		{"another host", theHub, "https://evil.example.com/api/models/new/name/revision/main?key=hunter2", "", "https://evil.example.com/api/models/new/name/revision/main: the API"},
		{"another port", theHub, theHub + ":8443/api/models/new/name/revision/main", "", "only asked at"},
		{"another host without a scheme", theHub, "//evil.example.com/api/models/new/name/revision/main", "", "only asked at"},
		{"http", theHub, "http://huggingface.co/api/models/new/name/revision/main", "", "from https to http"},
		{"file", theHub, "file:///etc/passwd", "", "refused redirect"},
		{"user", theHub, "https://user:hunter2@huggingface.co/api/models/new/name/revision/main", "", "without a user"},
		{"another kind", theHub, "/api/datasets/new/name/revision/main", "", "renamed repository"},
		{"another revision", theHub, "/api/models/new/name/revision/dev", "", "renamed repository"},
		{"another question", theHub, "/api/models/new/name/other/main", "", "renamed repository"},
		{"an id that is none", theHub, "/api/models/new/na--me/revision/main", "", "renamed repository"},
		{"circle", theHub, asked, "", "more than 10"},
		{"nowhere", theHub, "", "", "no address"},
		{"broken", theHub, "https://huggingface.co/%zz?key=hunter2", "", "no address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := reply(200, resolved)
				if strings.HasSuffix(r.RequestURI, asked) {
					h = to(test.location)
				}
				h.ServeHTTP(w, r)
			})
			origin := strings.TrimSuffix(test.endpoint, "/hf")
			hosts := map[string]http.Handler{origin: server}
			online(t, hosts, func(t *testing.T, n *network) {
				r, err := n.client(hub.Environment{Endpoint: test.endpoint, Token: token(t)}).Resolve(t.Context(), model("org/name"), "")
				if test.moved == "" {
					checkError(t, err, hub.ErrRedirect, test.text)
				} else if err != nil || r.MovedTo != test.moved || r.Repo != model("org/name") || r.Commit != commit {
					t.Errorf("%+v, %v", r, err)
				}
				for _, uri := range n.uris() {
					if !strings.HasPrefix(uri, origin) {
						t.Errorf("%s was asked", uri)
					}
				}
			})
		})
	}
}

func TestTokenOverHTTP(t *testing.T) {
	for endpoint, sent := range map[string]bool{
		"https://hub.example.com":           true,
		"http://hub.example.com":            false,
		"http://127.0.0.1:8080":             true,
		"http://[::1]:8080":                 true,
		"http://localhost:8080":             true,
		"http://127.0.0.1.example.com:8080": false,
	} {
		online(t, map[string]http.Handler{endpoint: reply(401, "")}, func(t *testing.T, n *network) {
			_, err := n.client(hub.Environment{Endpoint: endpoint, Token: token(t)}).Resolve(t.Context(), model("org/name"), "")
			if got := len(n.tokensAt()) == 1; got != sent {
				t.Errorf("%s: the token is sent: %t", endpoint, got)
			}
			if strings.Contains(err.Error(), "not sent over http") == sent {
				t.Errorf("%s: error %v", endpoint, err)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	good := reply(200, resolved)
	broken := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	garbage := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 200 \x1b[2J\r\nbad\x1b\r\n\r\n"))
	})
	limited := func(header ...string) http.Handler { return reply(429, "", header...) }
	for _, test := range []struct {
		name     string
		server   http.Handler
		requests int
		min, max time.Duration // waited, in all
		text     string        // of the error; "" where it succeeds
	}{
		{"500 once", inTurn(reply(500, ""), good), 2, 250 * time.Millisecond, 500 * time.Millisecond, ""},
		{"502, 503, 504, 408", inTurn(reply(502, ""), reply(503, ""), reply(504, ""), reply(408, ""), good), 5, 3750 * time.Millisecond, 7500 * time.Millisecond, ""},
		{"503 for good", reply(503, ""), 5, 3750 * time.Millisecond, 7500 * time.Millisecond, "HTTP status 503 (Service Unavailable) (tried 5 times)"},
		{"501", reply(501, ""), 1, 0, 0, "HTTP status 501"},
		{"400", reply(400, ""), 1, 0, 0, "HTTP status 400"},
		{"broken connection", inTurn(broken, broken, good), 3, 750 * time.Millisecond, 1500 * time.Millisecond, ""},
		{"garbage", garbage, 5, 3750 * time.Millisecond, 7500 * time.Millisecond, "(tried 5 times)"},
		{"broken for good", broken, 5, 3750 * time.Millisecond, 7500 * time.Millisecond, "(tried 5 times)"},
		{"silent once", inTurn(silent, good), 2, 250 * time.Millisecond, 500 * time.Millisecond, ""},
		{"silent for good", silent, 3, 750 * time.Millisecond, 1500 * time.Millisecond, "nothing came for 30s, or next to nothing (tried 3 times)"},
		{"429 without a time", inTurn(limited(), good), 2, 250 * time.Millisecond, 500 * time.Millisecond, ""},
		{"429 in seconds", inTurn(limited("Retry-After", "7"), good), 2, 8 * time.Second, 8 * time.Second, ""},
		{"503 in seconds", inTurn(reply(503, "", "Retry-After", " 7 "), good), 2, 8 * time.Second, 8 * time.Second, ""},
		{"429 by date", inTurn(limited("Retry-After", "Sat, 01 Jan 2000 00:01:40 GMT"), good), 2, 100 * time.Second, 100 * time.Second, ""},
		{"429 by a date that is past", inTurn(limited("Retry-After", "Fri, 31 Dec 1999 00:00:00 GMT"), good), 2, 0, 0, ""},
		{"429 by the Hub's own header", inTurn(limited("RateLimit", `"api";r=0;t=55`, "Retry-After", "7"), good), 2, 56 * time.Second, 56 * time.Second, ""},
		{"429 with requests left", inTurn(limited("RateLimit", `"api";r=9;t=55`), good), 2, 250 * time.Millisecond, 500 * time.Millisecond, ""},
		{"429 in nonsense", inTurn(limited("Retry-After", "soon"), good), 2, 250 * time.Millisecond, 500 * time.Millisecond, ""},
		{"429 for six minutes", limited("Retry-After", "360"), 1, 0, 0, "HTTP status 429"},
		{"429 for an hour", limited("Retry-After", "3600"), 1, 0, 0, "HTTP status 429"},
		{"429 for ever", limited("Retry-After", "99999999999999999999999"), 1, 0, 0, "HTTP status 429"},
		{"429 by a date far away", limited("Retry-After", "Sat, 01 Jan 2050 00:00:00 GMT"), 1, 0, 0, "HTTP status 429"},
		{"429 again and again", limited("Retry-After", "250"), 3, 502 * time.Second, 502 * time.Second, "there have been 8m22s of waiting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.server}, func(t *testing.T, n *network) {
				_, err := n.client(hub.Environment{}).Resolve(t.Context(), model("org/name"), "")
				if test.text != "" {
					checkError(t, err, nil, test.text)
				} else if err != nil {
					t.Error(err)
				}
				var waited time.Duration
				for _, d := range n.waits {
					waited += d
				}
				if len(n.requests()) != test.requests || waited < test.min || waited > test.max {
					t.Errorf("%d requests and %s of waiting, want %d and %s to %s", len(n.requests()), waited, test.requests, test.min, test.max)
				}
			})
		})
	}
}

// What a proxy says when it refuses becomes the text of net/http's error.
func TestErrorsOfTheTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := hub.NewClient(hub.Environment{}, hub.ClientOptions{Transport: transport(func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: "https://huggingface.co/?key=hunter2", Err: errors.New("refused\x1b[2J\nby the proxy")}
		})})
		_, err := c.Resolve(t.Context(), model("org/name"), "")
		checkError(t, err, nil, `refused\x1b[2J by the proxy (tried 5 times)`)
	})
}

func TestUnreachable(t *testing.T) {
	online(t, nil, func(t *testing.T, n *network) {
		_, err := n.client(hub.Environment{}).Resolve(t.Context(), model("org/name"), "")
		checkError(t, err, nil, "connection refused (tried 3 times)")
		if len(n.requests()) != 3 {
			t.Errorf("%d tries", len(n.requests()))
		}
	})
}

// trickle sends some bytes every twenty seconds.
func trickle(some int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", blob)
		for r.Context().Err() == nil {
			_, _ = w.Write(bytes.Repeat([]byte(" "), some))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
	})
}

// Some bytes now and then keep a connection, but no answer of the API may take for ever.
func TestTrickle(t *testing.T) {
	online(t, map[string]http.Handler{theHub: trickle(512)}, func(t *testing.T, n *network) {
		began := time.Now()
		_, err := n.client(hub.Environment{}).Resolve(t.Context(), model("org/name"), "")
		checkError(t, err, nil, "did not arrive within 5m0s")
		if took := time.Since(began); took != 5*time.Minute || len(n.requests()) != 1 {
			t.Errorf("it took %s and %d requests", took, len(n.requests()))
		}
	})
}

// A byte now and then is silence, of the API and of a file, and nobody is kept by it.
func TestTrickleOfBytes(t *testing.T) {
	online(t, map[string]http.Handler{theHub: trickle(1)}, func(t *testing.T, n *network) {
		began := time.Now()
		_, err := n.client(hub.Environment{}).Resolve(t.Context(), model("org/name"), "")
		checkError(t, err, nil, "next to nothing (tried 3 times)")
		f, err := open(t, n, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = io.ReadAll(f)
		checkError(t, err, nil, "next to nothing (tried 3 times)")
		if took := time.Since(began); took > 4*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestCancel(t *testing.T) {
	for name, server := range map[string]http.Handler{"asking": silent, "waiting": reply(503, "", "Retry-After", "200")} {
		t.Run(name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: server}, func(t *testing.T, n *network) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				_, err := n.client(hub.Environment{}).Resolve(ctx, model("org/name"), "")
				checkError(t, err, context.DeadlineExceeded, "")
				if took := time.Since(began); took != 10*time.Second || !slices.Equal(n.uris(), []string{theHub + "/api/models/org/name/revision/main"}) {
					t.Errorf("it took %s and %v", took, n.uris())
				}
			})
		})
	}
}
