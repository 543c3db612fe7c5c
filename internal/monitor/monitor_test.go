package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
)

const issuer = "https://accounts.example.com"

// watch is a log and how it is watched.
type watch struct {
	log   *monitortest.Log
	o     monitor.Options
	known monitor.Known
}

// both runs a test for each of the two APIs.
func both(t *testing.T, test func(t *testing.T, w *watch)) {
	for _, v1 := range []bool{false, true} {
		name := "tiles"
		if v1 {
			name = "rekor1"
		}
		t.Run(name, func(t *testing.T) {
			l := monitortest.New(t)
			l.V1 = v1
			trusted := l.TrustedRoot(t)
			logs, err := monitor.Logs(trusted, "", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			w := &watch{l, monitor.Options{Log: logs[0], Trusted: trusted, Watched: monitor.Watched{{ID: "alice@example.com"}},
				Folder: t.TempDir(), Since: -1, Client: &monitor.Client{Pause: time.Millisecond}}, monitor.Known{}}
			w.o.Known = func(context.Context) (monitor.Known, error) { return w.known, nil }
			test(t, w)
		})
	}
}

// unlogged is a bundle without a log's entry.
const unlogged = `{"dsseEnvelope":{"payload":"YQ==","payloadType":"a","signatures":[{"sig":"YQ=="}]},"verificationMaterial":{}}`

// relist has the log watched by its trusted root as that is now.
func (w *watch) relist(t *testing.T) {
	t.Helper()
	w.o.Trusted = w.log.TrustedRoot(t)
	logs, err := monitor.Logs(w.log.TrustedRoot(t), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.o.Log = logs[0]
}

// run reads the log and returns the indexes that were reported.
func (w *watch) run(t *testing.T) ([]int64, monitor.Result, error) {
	t.Helper()
	var found []int64
	r, err := monitor.Run(t.Context(), w.o, func(e monitor.Entry) error {
		found = append(found, e.Index)
		return nil
	})
	return found, r, err
}

// want is run that has to work, and to find certain entries.
func (w *watch) want(t *testing.T, indexes ...int64) monitor.Result {
	t.Helper()
	found, r, err := w.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, indexes) {
		t.Fatalf("found %v, want %v", found, indexes)
	}
	return r
}

// body is an entry of somebody; nobody is watched whose name is not alice.
func (w *watch) body(t *testing.T, who string, n int) []byte {
	t.Helper()
	if who == "" {
		return fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"rekord","spec":{"n":%d}}`, n)
	}
	kind := "dsse 0.0.2"
	if w.log.V1 {
		kind = "dsse 0.0.1"
	}
	return monitortest.Body(kind, w.log.Certificate(t, who+"@example.com", issuer), fmt.Sprint(n))
}

// fill adds n entries that nobody looks for.
func (w *watch) fill(t *testing.T, n int) {
	for i := range n {
		w.log.Add(w.body(t, "", i))
	}
}

func TestFindsWhatIsNew(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.log.Add(w.body(t, "alice", 1)) // before the first run, which begins at the end
		r := w.want(t)
		if !r.First || r.From != 4 || r.Size != 4 {
			t.Errorf("first run: %+v", r)
		}
		w.want(t)
		w.log.Add(w.body(t, "bob", 2), w.body(t, "alice", 3))
		w.fill(t, 700)
		w.log.Add(w.body(t, "alice", 4))
		r = w.want(t, 5, 706)
		if r.First || r.From != 4 || r.To != 707 || r.Found != 2 {
			t.Errorf("second run: %+v", r)
		}
		w.want(t)

		// Read again from the beginning: what was reported is not reported again, and what was never looked at is.
		w.o.Since = 0
		w.want(t, 3)
		w.want(t)
	})
}

func TestKnownEntries(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 2)
		w.want(t)
		bundle := w.log.AddBundle(t, []byte(unlogged), "alice@example.com", issuer)
		if err := w.known.AddBundle(bundle); err != nil {
			t.Fatal(err)
		}
		w.want(t)
		// The same index in another log, or another content at it, is not known.
		w.log.Rewrite(2, w.body(t, "alice", 9))
		w.o.Folder, w.o.Since = t.TempDir(), 0
		w.want(t, 2)
	})
}

func TestLimitResumes(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.fill(t, 30)
		w.log.Add(w.body(t, "alice", 1))
		w.o.Limit = 20
		if r := w.want(t); r.To != 20 || r.Size != 31 {
			t.Errorf("first part: %+v", r)
		}
		w.want(t, 30)
	})
}

func TestMisbehaviour(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, w *watch)
		says string
	}{
		{"another entry in a tree of the same size", func(t *testing.T, w *watch) { w.log.Rewrite(4, []byte("{}")) }, "forked"},
		{"another entry in a larger tree", func(t *testing.T, w *watch) { w.log.Rewrite(4, []byte("{}")); w.fill(t, 300) }, "forked"},
		{"fewer entries", func(t *testing.T, w *watch) { w.log.Show(200) }, "shrunk: its tree had 300 entries, and has 200"},
		{"an entry that is not in the tree", func(t *testing.T, w *watch) { w.fill(t, 5); w.log.Lie(303, w.body(t, "alice", 1)) }, "contradicts itself"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, w *watch) {
				w.fill(t, 300)
				w.want(t)
				test.do(t, w)
				for range 2 { // it does not go away by itself
					found, _, err := w.run(t)
					var bad *monitor.Misbehaviour
					if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.says) || len(found) > 0 {
						t.Fatalf("found %v, error %v", found, err)
					}
					evidence, err := os.ReadFile(bad.File)
					if err != nil {
						t.Fatal(err)
					}
					if strings.Count(string(evidence), "— 127.0.0.1 ") != 2 {
						t.Errorf("evidence without two signed checkpoints:\n%s", evidence)
					}
				}
			})
		})
	}
}

// TestAnotherTree holds that an entry which is in a tree, but not in the one that was signed, is not believed.
func TestAnotherTree(t *testing.T) {
	for _, more := range []int{0, 7} {
		both(t, func(t *testing.T, w *watch) {
			w.want(t)
			w.fill(t, 5)
			other := monitortest.New(t)
			other.V1 = w.log.V1
			other.Add(w.body(t, "alice", 1))
			for i := range 4 + more {
				other.Add(w.body(t, "", i))
			}
			w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
				swap := strings.Contains(r.URL.Path, "entries")
				if swap {
					other.ServeHTTP(rw, r)
				}
				return swap
			})
			found, _, err := w.run(t)
			var bad *monitor.Misbehaviour
			if len(found) > 0 || !errors.As(err, &bad) && (more == 0 || !errors.Is(err, monitor.ErrUnavailable)) {
				t.Errorf("found %v, error %v", found, err)
			}
		})
	}
}

// TestTooFew holds that entries which are signed to be there, and are not given, are not passed over.
func TestTooFew(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.fill(t, 5)
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "entries") {
				return false
			}
			answer := "[]"
			if !w.log.V1 {
				answer = "\x00\x02{}\x00\x02{}"
			}
			if _, err := io.WriteString(rw, answer); err != nil {
				t.Error(err)
			}
			return true
		})
		if _, _, err := w.run(t); err == nil {
			t.Error("no error")
		}
		w.log.Hook(nil)
		if r := w.want(t); r.From != 0 || r.To != 5 {
			t.Errorf("%+v", r)
		}
	})
}

// TestAnotherName holds that what the log's key has signed for another log, or for another tree, is not taken for this one's.
func TestAnotherName(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.log.Origin = "rekor.example.com - 1002"
		w.o.Folder = t.TempDir()
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "its checkpoint is that of") {
			t.Errorf("error %v", err)
		}
	})
}

// TestReportedIsKept holds that a run which is killed has not reported what the next one will report again, but for the last part.
func TestReportedIsKept(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		w.fill(t, 1700)
		w.log.Add(w.body(t, "alice", 2))
		_, err := monitor.Run(t.Context(), w.o, func(e monitor.Entry) error {
			if e.Index == 0 {
				return nil
			}
			raw, err := os.ReadFile(stateFile(t, w.o.Folder))
			var state struct{ Reported []int64 }
			if err == nil {
				err = json.Unmarshal(raw, &state)
			}
			if err != nil || !slices.Equal(state.Reported, []int64{0}) {
				t.Errorf("kept %v, error %v", state.Reported, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestCollect holds that what nobody was told of is found again, however far the log was read behind it.
func TestCollect(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		collect := func(want ...int64) *monitor.Held {
			t.Helper()
			var found []int64
			_, held, err := monitor.Collect(t.Context(), w.o, func(e monitor.Entry) error {
				found = append(found, e.Index)
				return nil
			})
			if err != nil || !slices.Equal(found, want) || (held == nil) != (want == nil) {
				t.Fatalf("found %v, held %v, error %v; want %v", found, held, err, want)
			}
			return held
		}
		end := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		end(collect().Told()) // begins at the end; nothing is held
		w.fill(t, 5)
		end(collect().Drop())
		w.log.Add(w.body(t, "alice", 1))
		w.fill(t, 2500) // more than are read before the place is kept
		w.log.Add(w.body(t, "alice", 2))

		held := collect(5, 2506)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := monitor.Run(ctx, w.o, func(monitor.Entry) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another run has got in between: %v", err)
		}
		end(held.Drop())
		w.o.Limit = 1000
		end(collect(5).Told())
		w.o.Limit = 0
		end(collect(2506).Drop())
		end(collect(2506).Told())
		collect()
		w.want(t)
		// Read from the beginning, there is nothing else.
		w.o.Since = 0
		collect()
	})
}

func TestSmallerForAMoment(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 10)
		w.want(t)
		w.log.Show(5)
		asked := 0
		w.log.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
			if asked++; asked == 5 {
				w.log.Show(-1)
			}
			return false
		})
		w.want(t)
	})
}

func TestGrowsWhileItIsRead(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.fill(t, 40)
		once := false
		w.log.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
			if !once && strings.Contains(r.URL.Path, "entries") {
				once = true
				w.fill(t, 7)
				w.log.Add(w.body(t, "alice", 1))
			}
			return false
		})
		w.want(t)
		w.want(t, 47)
	})
}

func TestBusyAndBroken(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		seen := map[string]int{}
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			seen[r.URL.Path]++
			switch seen[r.URL.Path] {
			case 1:
				rw.WriteHeader(http.StatusTooManyRequests)
			case 2:
				rw.WriteHeader(http.StatusServiceUnavailable)
			default:
				return false
			}
			return true
		})
		w.want(t, 3)

		// Down for good: trouble, and nothing is lost.
		w.log.Add(w.body(t, "alice", 2))
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool { rw.WriteHeader(http.StatusBadGateway); return true })
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		w.log.Hook(nil)
		w.want(t, 4)
	})
}

func TestMissingTiles(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.fill(t, 300)
		w.log.Add(w.body(t, "alice", 1))
		w.log.Show(260) // the log has grown by 41 since it has signed
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			gone := strings.Contains(r.URL.Path, ".p/") && !strings.Contains(r.URL.Path, "tile/1/")
			if gone {
				http.NotFound(rw, r)
			}
			return gone
		})
		if w.log.V1 {
			w.want(t)
			return
		}
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) {
			t.Errorf("without the tile: error %v", err)
		}
		w.fill(t, 300) // now there is the full tile
		w.want(t)
		w.log.Hook(nil)
		w.log.Show(-1)
		w.want(t, 300)
	})
}

func TestInterrupted(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		ctx, cancel := context.WithCancel(t.Context())
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "entries") {
				cancel()
				_, _ = io.Copy(io.Discard, r.Body) // only then the server sees who goes
				<-r.Context().Done()
				return true
			}
			return false
		})
		if _, err := monitor.Run(ctx, w.o, func(monitor.Entry) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		w.log.Hook(nil)
		w.want(t, 0)
	})
}
