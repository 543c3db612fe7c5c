package digest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// osItem is a whole file on disk.
func osItem(path string, size int64) digest.Item {
	return digest.Item{Name: path, Length: -1, Size: size, Open: func() (digest.File, error) { return os.Open(path) }}
}

func randomBytes(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

func TestEveryBackendOnATree(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	rr := rand.New(r)
	dir := t.TempDir()
	var items []digest.Item
	var want [][32]byte
	for i := range 300 {
		n := rr.IntN(6000)
		if i%50 == 0 {
			n = rr.IntN(3 << 20)
		}
		b := randomBytes(r, n)
		p := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		items = append(items, osItem(p, int64(n)))
		want = append(want, sha256.Sum256(b))
	}
	c, err := digest.Choose("", true)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	for _, b := range append(c.Backends, digest.Backend{Name: "auto"}) {
		for _, threads := range []int{1, 2, 5} {
			res, err := digest.Hasher{Threads: threads, Backend: b.Name}.Sum(context.Background(), items)
			if err != nil {
				t.Fatal(err)
			}
			for i := range res {
				if res[i].Err != nil || !bytes.Equal(res[i].Digest, want[i][:]) || res[i].Bytes != items[i].Size {
					t.Fatalf("%s: %d threads: item %d of %d bytes: %x %v, want %x", b.Name, threads, i, items[i].Size, res[i].Digest, res[i].Err, want[i])
				}
			}
		}
	}
}
