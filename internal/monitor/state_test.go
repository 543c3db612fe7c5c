package monitor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/monitor"
)

// TestDamagedState holds that a state which cannot be used is an error, and is neither taken for none nor written over.
func TestDamagedState(t *testing.T) {
	tests := []struct {
		name   string
		change func(state map[string]any)
		says   string
	}{
		{"another version", func(s map[string]any) { s["version"] = 2 }, "version is 2"},
		{"of another log", func(s map[string]any) { s["log"] = "https://log.example.com" }, "it is that of https://log.example.com"},
		{"an unknown member", func(s map[string]any) { s["nexxt"] = 3 }, "nexxt"},
		{"a negative place", func(s map[string]any) { s["next"] = -1 }, "no place"},
		{"a place behind the end", func(s map[string]any) { s["next"] = 5 }, "5 entries were read, and the log has 3"},
		{"no trees", func(s map[string]any) { s["trees"] = []any{} }, "no place"},
		{"no time", func(s map[string]any) { delete(s, "begun") }, "when it was begun"},
		{"a checkpoint that is none", func(s map[string]any) { tree(s)["checkpoint"] = "x" }, "checkpoint"},
		{"a checkpoint that was altered", func(s map[string]any) {
			tree(s)["checkpoint"] = strings.Replace(tree(s)["checkpoint"].(string), "\n3\n", "\n2\n", 1)
		}, "not signed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, w *watch) {
				w.fill(t, 3)
				w.want(t)
				file := stateFile(t, w.o.Folder)
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var state map[string]any
				if err := json.Unmarshal(raw, &state); err != nil {
					t.Fatal(err)
				}
				tt.change(state)
				if raw, err = json.Marshal(state); err != nil {
					t.Fatal(err)
				}
				w.refuses(t, file, raw, monitor.ErrState, tt.says)
			})
		})
	}
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		file := stateFile(t, w.o.Folder)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.refuses(t, file, nil, monitor.ErrState, file)
		w.refuses(t, file, raw[:len(raw)/2], monitor.ErrState, file)
		w.refuses(t, file, bytes.Repeat([]byte(" "), 16<<20+1), bounded.ErrTooLarge, file)
	})
}

// TestListed holds that what the first run was told of other logs is kept as it was then, and that a state which does not say so, as
// earlier versions have written it, is read.
func TestListed(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		listed := func(want ...string) {
			t.Helper()
			w.want(t)
			kept, err := monitor.Before(w.o.Folder, w.o.Log)
			if err != nil || !slices.Equal(kept.Listed, want) {
				t.Errorf("kept %q, %v; want %q", kept.Listed, err, want)
			}
		}
		listed() // as an earlier version would
		w.o.Listed = []string{w.o.Log.URL}
		listed(w.o.Log.URL)
		w.o.Listed = []string{w.o.Log.URL, "https://log.example.com"}
		listed(w.o.Log.URL)
		w.o.Folder = t.TempDir()
		listed(w.o.Listed...)
	})
}

// refuses puts a state in the place of the one that was kept, and wants it to be refused and left alone.
func (w *watch) refuses(t *testing.T, file string, state []byte, want error, says string) {
	t.Helper()
	if err := os.WriteFile(file, state, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.run(t); !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want %v with %q", err, want, says)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, state) {
		t.Errorf("the state was changed (%v)", err)
	}
}

// tree is the first tree of a state.
func tree(state map[string]any) map[string]any {
	return state["trees"].([]any)[0].(map[string]any)
}

// stateFile is the state in a folder, which only its owner may read.
func stateFile(t *testing.T, folder string) string {
	t.Helper()
	file := filepath.Join(folder, "state.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	return file
}

// TestTwoAtOnce holds that of two runs with one state each entry is reported by one, and that neither harms the other.
func TestTwoAtOnce(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		for i := range 40 {
			w.log.Add(w.body(t, "alice", i))
		}
		var mu sync.Mutex
		times := map[int64]int{}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := monitor.Run(t.Context(), w.o, func(e monitor.Entry) error {
					mu.Lock()
					defer mu.Unlock()
					times[e.Index]++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range int64(40) {
			if times[i] != 1 {
				t.Errorf("entry %d was reported %d times", i, times[i])
			}
		}
	})
}

// TestLocked holds that a run waits for another one, but not for ever.
func TestLocked(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		unlock, err := durable.Lock(t.Context(), filepath.Join(w.o.Folder, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := monitor.Run(ctx, w.o, func(monitor.Entry) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
		w.want(t)
	})
}

// TestMuchEvidence holds that a log which is asked for years does not fill the disk.
func TestMuchEvidence(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.fill(t, 3)
		w.want(t)
		w.log.Rewrite(1, []byte("{}"))
		var files []string
		for range 25 {
			w.fill(t, 1)
			_, _, err := w.run(t)
			var bad *monitor.Misbehaviour
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if _, err := os.Stat(bad.File); err != nil {
				t.Error(err)
			}
			if err := fs.WalkDir(os.DirFS(w.o.Folder), ".", func(path string, _ fs.DirEntry, err error) error {
				files = append(files, path)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if len(files) > 20+3 { // the folder itself, the state and the lock
				t.Fatalf("%d files: %q", len(files), files)
			}
			files = nil
		}
	})
}

// TestStateThatCannotBeKept holds that nothing is reported as found whose finding would be forgotten.
func TestStateThatCannotBeKept(t *testing.T) {
	both(t, func(t *testing.T, w *watch) {
		w.want(t)
		w.log.Add(w.body(t, "alice", 1))
		in := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(in, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w.o.Folder = filepath.Join(in, "folder")
		if found, _, err := w.run(t); err == nil || len(found) > 0 {
			t.Errorf("found %v, error %v", found, err)
		}
	})
}
