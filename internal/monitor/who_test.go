package monitor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// TestStrangers holds that whoever logs a certificate of their own making is not taken for the one whom it names, and another
// log's key not for the log's.
func TestStrangers(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		other := monitortest.New(t)
		w.log.Add(monitortest.Body("dsse 0.0.2", other.Certificate(t, "alice@example.com", issuer), "x"))
		w.want(t)
		logs, err := monitor.Logs(other.TrustedRoot(t), "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		w.o.Log.Keys[0].Public, w.o.Folder = logs[0].Keys[0].Public, t.TempDir()
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "not signed") {
			t.Errorf("by another key: error %v", err)
		}
	})
}

func TestWhoIsWatched(t *testing.T) {
	tests := []struct {
		who  verify.Identity
		want bool
	}{
		{verify.Identity{ID: "alice@example.com", Issuer: issuer}, true},
		{verify.Identity{ID: "alice@example.com", Issuer: "https://other.example.com"}, false},
		{verify.Identity{ID: "lice@example.com"}, false},
		{verify.Identity{ID: "alice@example.com", IssuerRegexp: "https://accounts[.].*"}, true},
		{verify.Identity{ID: "alice@example.com", IssuerRegexp: "https://accounts[.]"}, false},
		{verify.Identity{ID: "alice@example.com", Issuer: issuer, Workflow: verify.Workflow{Repository: "org/model"}}, false},
		{verify.Identity{Regexp: ".*@example[.]com"}, true},
		{verify.Identity{Regexp: "alice"}, false},
		{verify.Identity{Regexp: "x|alice@example[.]com", Issuer: issuer}, true},
	}
	for _, test := range tests {
		t.Run(test.who.String(), func(t *testing.T) {
			both(t, func(t *testing.T, w *watch) {
				w.o.Watched = monitor.Watched{test.who}
				w.want(t)
				w.log.Add(w.body(t, "alice", 1))
				if found, _, err := w.run(t); err != nil || (len(found) == 1) != test.want {
					t.Errorf("found %v, error %v", found, err)
				}
			})
		})
	}
}

func TestNobodyToWatch(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		for _, who := range []verify.Identity{{}, {Issuer: issuer}, {ID: "a", Regexp: "b"}, {ID: "a", Issuer: "b", IssuerRegexp: "c"},
			{Regexp: "a)|(b"}, {ID: "a", IssuerRegexp: "("}} {
			w.o.Watched = monitor.Watched{who}
			if _, _, err := w.run(t); !errors.Is(err, monitor.ErrWatched) {
				t.Errorf("%+v: error %v", who, err)
			}
		}
	})
}

func TestKinds(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		cert := w.log.Certificate(t, "alice@example.com", issuer)
		for _, kind := range []string{"hashedrekord 0.0.1", "hashedrekord 0.0.2", "dsse 0.0.1", "dsse 0.0.2", "intoto 0.0.1", "intoto 0.0.2"} {
			w.log.Add(monitortest.Body(kind, cert, "payload"))
		}
		w.o.Since = 0
		n := 0
		if _, err := monitor.Run(t.Context(), w.o, func(e monitor.Entry) error {
			const digest = "sha256:239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5"
			if n++; e.Digest != digest || e.Identity != "alice@example.com" || e.Issuer != issuer || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
			return nil
		}); err != nil || n != 6 {
			t.Errorf("found %d, error %v", n, err)
		}
		w.log.Add([]byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":7}`))
		w.o.Since = -1
		w.log.Add([]byte(`{"apiVersion":"0.0.3","kind":"dsse","spec":{}}`), []byte(`{"apiVersion":"0.0.3","kind":"rekord","spec":{}}`))
		if r := w.want(t); r.Unreadable != 2 {
			t.Errorf("%+v", r)
		}
	})
}
