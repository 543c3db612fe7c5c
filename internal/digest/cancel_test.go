package digest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// promptly is how long Sum may take to end, once its context has.
func promptly() time.Duration {
	if raceEnabled || testing.Short() { // short mode is for emulated machines
		return time.Second
	}
	return 100 * time.Millisecond
}

const (
	// A machine that is busy with something else can make anybody late, but not
	// each time, and not by seconds.
	cancelTries = 10
	hopelessly  = 20 * time.Second
)

// Sum returns soon after its context ends, whatever it is doing and even where a
// read never ends.
func TestCancel(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	few := func(read func(int, int64) error) func(*testing.T) []Item {
		return func(*testing.T) []Item {
			var items []Item
			for i := range 8 {
				items = append(items, zeroItem(fmt.Sprint(i), 1<<40, read))
			}
			return items
		}
	}
	for name, tree := range map[string]func(*testing.T) []Item{
		"huge files":       few(nil),
		"a slow disk":      few(func(int, int64) error { time.Sleep(30 * time.Millisecond); return nil }),
		"a stuck read":     few(func(int, int64) error { <-stuck; return nil }),
		"many small files": smallForever,
		"mapped files":     sparse,
	} {
		for _, algorithm := range []Algorithm{SHA256, BLAKE2b, BLAKE3} {
			t.Run(fmt.Sprint(algorithm, ", ", name), func(t *testing.T) {
				items := tree(t)
				best := hopelessly
				for range cancelTries {
					if best = min(best, cancelled(t, algorithm, items)); best <= promptly() {
						return
					}
				}
				t.Errorf("it took %v at least, in %d tries", best, cancelTries)
			})
		}
	}
}

// cancelled ends a Sum in the middle of its work and says how long that took.
func cancelled(t *testing.T, algorithm Algorithm, items []Item) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var at time.Time
	time.AfterFunc(50*time.Millisecond, func() { at = time.Now(); cancel() })
	results, err := Hasher{Algorithm: algorithm}.Sum(ctx, items)
	took := time.Since(at)
	if !errors.Is(err, context.Canceled) || results != nil {
		t.Fatalf("got %d results, %v", len(results), err)
	}
	if took > hopelessly {
		t.Fatalf("it took %v", took)
	}
	return took
}

// smallForever is more small items than can be hashed in the time.
func smallForever(*testing.T) []Item {
	items := make([]Item, 100_000)
	for i := range items {
		items[i] = zeroItem("small", int64(i%5000), nil)
	}
	return items
}

// sparse is large files that take no space on disk.
func sparse(t *testing.T) []Item {
	var items []Item
	for i := range 4 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 4<<30)); err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{Name: path, Length: -1, Size: -1, Open: func() (File, error) { return os.Open(path) }})
	}
	return items
}
