package signin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPage reads the page at which a browser ends. It says what became of the sign-in, not only that the browser came back, and
// tells nothing of it to anybody.
func TestPage(t *testing.T) {
	for name, c := range map[string]struct {
		issuer func(*testIssuer)
		status int
		text   string
	}{
		"signed in":      {nil, http.StatusOK, "You are signed in."},
		"refused":        {func(i *testIssuer) { i.Refuse("access_denied") }, http.StatusBadRequest, "You are not signed in."},
		"another state":  {func(i *testIssuer) { i.state = "of-another" }, http.StatusBadRequest, "You are not signed in."},
		"another nonce":  {func(i *testIssuer) { i.claims = map[string]any{"nonce": "x"} }, http.StatusBadRequest, "You are not signed in."},
		"another client": {func(i *testIssuer) { i.claims = map[string]any{"aud": "x"} }, http.StatusBadRequest, "You are not signed in."},
		"no token": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/token": http.NotFound}
		}, http.StatusBadRequest, "You are not signed in."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			if c.issuer != nil {
				c.issuer(i)
			}
			pages := make(chan *http.Response, 1)
			o := options()
			if name == "another state" {
				o.wait = unmet // which is waited for the right one
			}
			o.open = func(url string) error {
				go func() {
					a, err := http.Get(url)
					if err != nil {
						t.Error(err)
					}
					pages <- a
				}()
				return nil
			}
			_, err := run(t, o, i.URL)
			a := <-pages
			if a == nil {
				return
			}
			defer a.Body.Close()
			b, errBody := io.ReadAll(a.Body)
			if errBody != nil || a.StatusCode != c.status || !strings.Contains(string(b), c.text) || (err == nil) != (c.status == http.StatusOK) {
				t.Errorf("the page is %d %q, want %d %q; the terminal says %v", a.StatusCode, b, c.status, c.text, err)
			}
			for name, values := range a.Request.URL.Query() {
				if strings.Contains(string(b), values[0]) {
					t.Errorf("the page repeats the %s: %s", name, b)
				}
			}
			for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestOtherHost has a page lead here by a name of its own, as in DNS rebinding.
func TestOtherHost(t *testing.T) {
	out := make(chan answer, 1)
	var strangers atomic.Int32
	h := new(flow).answers("st", "localhost:1", out, &strangers)
	w := httptest.NewRecorder()
	left, leave := context.WithCancel(t.Context())
	leave() // nobody waits for the page
	h.ServeHTTP(w, httptest.NewRequestWithContext(left, http.MethodGet, "http://rebound.test:1"+callback+"?state=st&code=c", nil))
	if w.Code != http.StatusBadRequest || strangers.Load() != 1 || len(out) != 0 {
		t.Errorf("the page is %d %s, %d strangers, %d answers", w.Code, w.Body, strangers.Load(), len(out))
	}
}

// TestSecondAnswer has a browser come back twice, as after pressing Reload.
func TestSecondAnswer(t *testing.T) {
	out := make(chan answer, 1)
	h := new(flow).answers("st", "localhost:1", out, new(atomic.Int32))
	back := "http://localhost:1" + callback + "?" + url.Values{"state": {"st"}, "code": {"c"}}.Encode()
	out <- answer{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, back, nil))
	if !strings.Contains(w.Body.String(), "answered already") || w.Code != http.StatusBadRequest {
		t.Errorf("the page is %d %s", w.Code, w.Body)
	}
}
