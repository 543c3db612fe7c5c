package digest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/blake3"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// content is n bytes that no other seed gives.
func content(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// file writes b and returns an item for all of it.
func file(t *testing.T, b []byte) digest.Item {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return digest.Item{Name: "f", Open: func() (digest.File, error) { return os.Open(name) }, Length: -1, Size: int64(len(b))}
}

// progress adds reports up.
type progress struct {
	mu sync.Mutex
	digest.Progress
}

func (p *progress) add(n digest.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ExpectedBytes += n.ExpectedBytes
	p.ExpectedItems += n.ExpectedItems
	p.Bytes += n.Bytes
	p.Items += n.Items
}

func TestSumAgreesWithTheLibraries(t *testing.T) {
	sizes := []int{0, 1, 63, 64, 65, 4096, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7}
	want := map[digest.Algorithm]func([]byte) []byte{
		digest.SHA256:  func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		digest.BLAKE2b: func(b []byte) []byte { s := blake2b.Sum512(b); return s[:] },
		digest.BLAKE3:  func(b []byte) []byte { s := blake3.Sum256(b); return s[:] },
	}
	for algorithm, sum := range want {
		var items []digest.Item
		var contents [][]byte
		for i, n := range sizes {
			b := content(n, uint64(i))
			items, contents = append(items, file(t, b)), append(contents, b)
		}
		var told progress
		h := digest.Hasher{Algorithm: algorithm, Threads: 3, Progress: told.add}
		results, err := h.Sum(t.Context(), items)
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for i, r := range results {
			if r.Err != nil || !bytes.Equal(r.Digest, sum(contents[i])) || r.Bytes != int64(sizes[i]) {
				t.Errorf("%s of %d bytes: %x, %d bytes, %v", algorithm, sizes[i], r.Digest, r.Bytes, r.Err)
			}
			total += r.Bytes
		}
		want := digest.Progress{ExpectedBytes: total, ExpectedItems: len(items), Bytes: total, Items: len(items)}
		if told.Progress != want {
			t.Errorf("%s: progress told of %+v, want %+v", algorithm, told.Progress, want)
		}
	}
}

func TestSumOfRanges(t *testing.T) {
	b := content(3<<20, 1)
	whole := file(t, b)
	for _, r := range [][2]int64{{0, 1}, {5, 1 << 20}, {1 << 20, 2 << 20}, {3<<20 - 1, 1}, {7, 0}} {
		it := whole
		it.Offset, it.Length = r[0], r[1]
		results, err := digest.Hasher{}.Sum(t.Context(), []digest.Item{it})
		if err != nil {
			t.Fatal(err)
		}
		want := sha256.Sum256(b[r[0] : r[0]+r[1]])
		if results[0].Err != nil || !bytes.Equal(results[0].Digest, want[:]) {
			t.Errorf("range %v: %x, %v; want %x", r, results[0].Digest, results[0].Err, want)
		}
	}
}

// changing is a file to which something happens after the first read.
type changing struct {
	*os.File
	then func()
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	c.then()
	return n, err
}

// A file to which something happens between the first byte and the last is an
// error that names it, however it is hashed: whole or a range, small or large
// enough to be mapped.
func TestSumOfChangingFiles(t *testing.T) {
	const size = 3 << 20
	was, other := content(size, 2), content(size, 9)
	past := time.Unix(1e9, 0) // so that a change shows even where clocks are coarse
	changes := map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 10) },
		"grown":     func(path string) error { return os.Truncate(path, 4<<20) },
		"written over": func(path string) error {
			return os.WriteFile(path, other, 0o644)
		},
	}
	if runtime.GOOS != "windows" { // where an open file keeps its name
		changes["removed"] = os.Remove
		changes["replaced"] = func(path string) error {
			if err := os.WriteFile(path+".new", other, 0o644); err != nil {
				return err
			}
			return errors.Join(os.Chtimes(path+".new", past, past), os.Rename(path+".new", path))
		}
	}
	ranges := [][2]int64{{0, -1}, {5, size - 10}, {0, 1000}}
	for name, change := range changes {
		for _, h := range []digest.Hasher{{}, {Backend: "generic", Threads: 1}, {Algorithm: digest.BLAKE3}, {Algorithm: digest.BLAKE2b}} {
			for _, r := range ranges {
				path := filepath.Join(t.TempDir(), "weights.bin")
				if err := errors.Join(os.WriteFile(path, was, 0o644), os.Chtimes(path, past, past)); err != nil {
					t.Fatal(err)
				}
				happen := sync.OnceFunc(func() {
					if err := change(path); err != nil {
						t.Error(err)
					}
				})
				it := digest.Item{Name: "weights.bin", Offset: r[0], Length: r[1], Size: -1, Open: func() (digest.File, error) {
					f, err := os.Open(path)
					return &changing{f, happen}, err
				}}
				results, err := h.Sum(t.Context(), []digest.Item{it})
				if err != nil {
					t.Fatal(err)
				}
				if err := results[0].Err; !errors.Is(err, digest.ErrChanged) || !strings.Contains(err.Error(), "weights.bin") || results[0].Digest != nil {
					t.Errorf("%s, range %v, %+v: %x, %v; want ErrChanged that names the file", name, r, h, results[0].Digest, err)
				}
			}
		}
	}
}

func TestSumOfUnexpectedFiles(t *testing.T) {
	good := file(t, []byte("abc"))
	other := good
	other.Size = 4
	gone := digest.Item{Name: "gone", Length: -1, Size: -1, Open: func() (digest.File, error) { return nil, fs.ErrNotExist }}
	results, err := digest.Hasher{}.Sum(t.Context(), []digest.Item{other, gone, good})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(results[0].Err, digest.ErrChanged) || !errors.Is(results[1].Err, fs.ErrNotExist) || results[2].Err != nil {
		t.Errorf("got %v, %v, %v; want ErrChanged, ErrNotExist and none", results[0].Err, results[1].Err, results[2].Err)
	}
}

func TestSumEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := digest.Hasher{Threads: 1, Progress: func(p digest.Progress) {
		if p.Bytes > 0 {
			cancel()
		}
	}}
	if _, err := h.Sum(ctx, []digest.Item{file(t, content(8<<20, 3))}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestSumRefusesUnknownAlgorithms(t *testing.T) {
	if _, err := (digest.Hasher{Algorithm: "md5"}).Sum(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "md5") {
		t.Errorf("got %v, want an error that names md5", err)
	}
}
