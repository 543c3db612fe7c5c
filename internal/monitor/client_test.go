package monitor_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
)

// TestSlow holds that a log which takes its time is waited for only so long, and is asked again.
func TestSlow(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		w.o.Client.Timeout = 2 * time.Second
		slow := 1
		hang := func(rw http.ResponseWriter, r *http.Request) bool {
			if slow--; slow < 0 {
				return false
			}
			rw.Header().Set("Content-Length", "10")
			if _, err := io.WriteString(rw, "1"); err != nil {
				t.Error(err)
			}
			http.NewResponseController(rw).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
			return true
		}
		w.log.Hook(hang)
		w.want(t, 3)
		slow = 100
		begun := time.Now()
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("gave up after %s", took)
		}
		slow = 0
		w.want(t)
	})
}

// TestEndless holds that an answer without an end is not read to it.
func TestEndless(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		for _, path := range []string{"checkpoint", "api/v1/log", "tile/0", "tile/entries", "proof", "retrieve"} {
			met := false
			w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, path) && !strings.Contains(r.URL.Path, path+"/") || w.log.V1 && path == "checkpoint" {
					return false
				}
				met = true
				zeros := make([]byte, 1<<20)
				for r.Context().Err() == nil {
					if _, err := rw.Write(zeros); err != nil {
						break
					}
				}
				return true
			})
			found, _, err := w.run(t)
			if met != (err != nil) || met && (!errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "bytes")) {
				t.Errorf("%s: found %v, error %v", path, found, err)
			}
			if !met && len(found) > 0 {
				w.log.Add(w.body(t, "alice", 2))
			}
		}
	})
}

// TestLargeEntries holds that nobody can keep others from reading on by logging what is too much for one answer.
func TestLargeEntries(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		if !w.log.V1 {
			t.Skip("an entry of a log of tiles has 64 KB at most")
		}
		w.want(t)
		large := append([]byte(`{"apiVersion":"0.0.1","kind":"rekord","spec":"`), bytes.Repeat([]byte("a"), 8<<20)...)
		for range 7 {
			w.log.Add(append(large, `"}`...))
		}
		w.log.Add(w.body(t, "alice", 1))
		w.want(t, 7)
	})
}

// TestRedirects holds that no answer is fetched over less than TLS that was asked for over it, and that circles end.
func TestRedirects(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		secure := httptest.NewTLSServer(http.RedirectHandler(w.log.Server.URL, http.StatusFound))
		defer secure.Close()
		plain := w.o
		w.o.Log.URL, w.o.Client = secure.URL, &monitor.Client{Pause: time.Millisecond, Transport: secure.Client().Transport}
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "a redirect from https to http") {
			t.Errorf("out of TLS: error %v", err)
		}
		w.o = plain
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, r.URL.Path, http.StatusFound)
			return true
		})
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "more than 10 redirects") {
			t.Errorf("in a circle: error %v", err)
		}
	})
}
