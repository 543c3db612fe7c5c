package chromium_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/chromium"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// TestForm fills in a form and reads the page that it leads to.
func TestForm(t *testing.T) {
	needs.Chromium(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<!DOCTYPE html><form method="post" action="/form"><input name="who" required><button>Go</button></form>`)
	})
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/hello?who="+r.FormValue("who"), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "<!DOCTYPE html><title>Hello</title><p>Hello, "+r.FormValue("who")+"<img src=/seen.png>")
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := chromium.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, err := range []error{
		b.Open(ctx, s.URL), b.Await(ctx, "document.forms.length == 1"), b.Type(ctx, "input", "somebody"), b.Click(ctx, "button"),
		b.Await(ctx, `location.pathname == "/hello" && document.readyState == "complete"`),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Page(ctx)
	if err != nil || p.URL != s.URL+"/hello?who=somebody" || p.Title != "Hello" || !strings.Contains(p.Text, "Hello, somebody") || !strings.Contains(p.HTML, "<img") {
		t.Errorf("page is %+v, %v", p, err)
	}
	var image chromium.Request
	for _, r := range b.Requests() {
		if strings.HasSuffix(r.URL, "/seen.png") {
			image = r
		}
	}
	if image.Method != "GET" || image.Referer != p.URL {
		t.Errorf("asked for %+v, and for the image with %+v", b.Requests(), image)
	}
	if err := b.Open(ctx, "http://127.0.0.1:1"); err == nil {
		t.Error("an address where nothing is could be opened")
	}
	if err := b.Type(ctx, "#nothing", "x"); err == nil {
		t.Error("something could be typed where nothing is")
	}
	b.Close()
	if err := b.Open(ctx, s.URL); err == nil {
		t.Error("a browser that has ended opened an address")
	}
}
