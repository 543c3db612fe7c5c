package monitor_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
)

func TestShards(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		if !w.log.V1 {
			t.Skip("a log of tiles has one tree")
		}
		w.fill(t, 3)
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		w.log.Shard("1002")
		w.fill(t, 12)
		w.log.Add(w.body(t, "alice", 2))
		w.want(t, 3, 16)
		w.log.Add(w.body(t, "alice", 3))
		w.want(t, 17)
	})
}

// TestKeysChange holds that a tree counts which was signed with the key that the log had in its time, and that entries of it are known
// by that key; but that nothing new is signed with an old one.
func TestKeysChange(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.want(t)
		bundle := w.log.AddBundle(t, []byte(unlogged), "alice@example.com", issuer)
		if err := w.known.AddBundle(bundle); err != nil {
			t.Fatal(err)
		}
		w.log.NewKey(t)
		w.relist(t)
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "not signed") {
			t.Errorf("still signed with the old key: error %v", err)
		}
		if !w.log.V1 {
			return // a log of tiles begins anew under another address
		}
		w.log.Shard("1002")
		w.log.Add(w.body(t, "alice", 1))
		if r := w.want(t, 4); r.Unproven != 0 {
			t.Errorf("%+v", r)
		}

		// The trusted root forgets the old key: what was kept by it cannot be checked.
		w.log.List(1)
		w.relist(t)
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrState) {
			t.Errorf("without the old key: error %v", err)
		}
		// Who begins then goes by what the log says of the old tree's size, and reads nothing of it.
		w.o.Folder = t.TempDir()
		if r := w.want(t); r.Unproven != 4 || r.Size != 5 {
			t.Errorf("%+v", r)
		}
		w.log.Add(w.body(t, "alice", 2))
		w.want(t, 5)
		w.o.Since = 2
		var unproven *monitor.Unproven
		if _, _, err := w.run(t); !errors.As(err, &unproven) || unproven.Next != 4 {
			t.Errorf("reading what cannot be proven: error %v", err)
		}
		w.o.Since = unproven.Next
		w.want(t, 4)
		// What the log says of that size, it may not change.
		before := w.log.Resize(0, 3)
		w.o.Since = -1
		var bad *monitor.Misbehaviour
		if _, _, err := w.run(t); !errors.As(err, &bad) || !strings.Contains(err.Error(), "began at index 4, and begins at 3 now") {
			t.Errorf("with another size: error %v", err)
		}
		w.log.Resize(0, before)
		// ... and nothing changes when the key is listed after all.
		w.log.List(2)
		w.relist(t)
		w.o.Since = -1
		w.want(t)
	})
}

// TestUnsigned holds that a tree which was signed is not taken for one whose key is not listed, later.
func TestUnsigned(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		if !w.log.V1 {
			t.Skip("a log of tiles has one tree")
		}
		w.fill(t, 3)
		w.log.NewKey(t)
		w.log.Shard("1002")
		w.relist(t)
		w.want(t)
		w.log.Hook(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/api/v1/log" {
				return false
			}
			answer := httptest.NewRecorder()
			w.log.Hook(nil)
			w.log.ServeHTTP(answer, r)
			var info map[string]any
			if err := json.Unmarshal(answer.Body.Bytes(), &info); err != nil {
				t.Error(err)
			}
			info["inactiveShards"].([]any)[0].(map[string]any)["signedTreeHead"] = "a\n3\nb\n\n— a YWFhYWFhYWE=\n"
			if err := json.NewEncoder(rw).Encode(info); err != nil {
				t.Error(err)
			}
			return true
		})
		if _, _, err := w.run(t); !errors.Is(err, monitor.ErrUnavailable) || !strings.Contains(err.Error(), "is not any more") {
			t.Errorf("error %v", err)
		}
	})
}

// TestEnds holds that a log which takes entries no longer is read to its end, and that this is kept.
func TestEnds(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 30)
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		w.fill(t, 30)
		w.o.Log.Ended, w.o.Limit = true, 20
		for part, want := range [][]int64{{30}, {}, {}, {}} {
			w.want(t, want...)
			kept, err := monitor.Before(w.o.Folder, w.o.Log)
			if finished := part >= 1; err != nil || kept.Begun.IsZero() || kept.Finished != finished {
				t.Errorf("after part %d: kept %+v, error %v", part, kept, err)
			}
		}
	})
}

// TestNew holds that a log which has come to others is read from its beginning.
func TestNew(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.log.Add(w.body(t, "alice", 1))
		w.o.New = true
		w.want(t, 0)
		w.want(t)
		if kept, err := monitor.Before(w.o.Folder, w.o.Log); err != nil || kept.Finished {
			t.Errorf("kept %+v, error %v", kept, err)
		}
	})
}
