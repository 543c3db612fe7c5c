package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A file that is changed when all of it has been read or mapped, and not all of
// it hashed, has the digest of what it was, or none.
func TestChangedBeforeTheLastByteIsHashed(t *testing.T) {
	b := content(rand.New(rand.NewPCG(10, 10)), 2*maxWindow+minWindow/2) // fits in three buffers
	want := sha256.Sum256(b)
	for name, change := range map[string]func(path string) error{
		"written over": func(path string) error { return os.WriteFile(path, make([]byte, len(b)), 0o600) },
		"cut off":      func(path string) error { return os.Truncate(path, int64(2*maxWindow-100)) },
	} {
		it, path := diskItem(t, b)
		past := time.Unix(1e9, 0) // so that a change shows even where clocks are coarse
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
		// The first step is held up until the reader has had time for all the rest.
		var once sync.Once
		slow := &kernel{name: "slow", fast: 1, ratio: 1, compress: func(l *lanes, n int) {
			once.Do(func() {
				time.Sleep(100 * time.Millisecond)
				if err := change(path); err != nil {
					t.Error(err)
				}
			})
			portable.compress(l, n)
		}}
		backend := &backend{name: slow.name, kernels: []*kernel{slow}}
		backend.tune(nil)
		results := make([]Result, 1)
		newBoard(context.Background(), Hasher{Threads: 1}, backend, []Item{it}, results).run()
		res := results[0]
		if errors.Is(res.Err, ErrChanged) && res.Digest == nil && strings.Contains(res.Err.Error(), path) {
			continue
		}
		if res.Err != nil || !bytes.Equal(res.Digest, want[:]) {
			t.Errorf("%s: got %x, %v; want %x, or ErrChanged that names the file", name, res.Digest, res.Err, want)
		}
	}
}
