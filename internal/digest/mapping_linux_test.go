package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// diskItem writes a file and returns an item for it.
func diskItem(t *testing.T, b []byte) (Item, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights.bin")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return Item{Name: path, Length: -1, Size: int64(len(b)), Open: func() (File, error) { return os.Open(path) }}, path
}

// A page that goes away while any kernel hashes it, in any lane, is a fault of
// that stream, and nothing has happened to the others.
func TestLostPageInEveryLane(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for _, k := range allKernels() {
		lanes := k.fast + k.slow
		for lost := range lanes {
			w := &worker{board: &board{results: make([]Result, lanes)}}
			var paths []string
			for i := range lanes {
				it, path := diskItem(t, content(rand.New(rand.NewPCG(8, uint64(i))), minWindow))
				w.board.items = append(w.board.items, it)
				f, err := it.Open()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				m := mapRange(f, 0, minWindow)
				if m == nil {
					t.Skip("files cannot be mapped here")
				}
				defer m.done()
				st := &stream{board: w.board, state: initial, free: make(chan []byte, 1)}
				st.rest = m.window(0, minWindow)
				if st.rest == nil {
					t.Skip("this kernel cannot populate a mapping")
				}
				st.chunk = chunk{mapping: m, data: st.rest, item: i, last: true, total: minWindow}
				w.running = append(w.running, st)
				w.messages = append(w.messages, message{&st.state, st.rest})
				paths = append(paths, path)
			}
			// The second page goes: every lane gets that far.
			if err := os.Truncate(paths[lost], int64(os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			n := len(w.messages[0].data) / blockSize / k.ratio
			at := w.compress(k, n)
			if st := w.lost(at); at == 0 || st != w.running[lost] {
				t.Fatalf("%s, lane %d: the fault at %#x is not the stream's", k.name, lost, at)
			}
			for i, st := range w.running {
				if st.state != initial {
					t.Errorf("%s, lane %d: the state of lane %d has changed", k.name, lost, i)
				}
			}
			w.running[lost].lose()
			if res := w.board.results[lost]; !errors.Is(res.Err, ErrChanged) || !strings.Contains(res.Err.Error(), paths[lost]) || res.Digest != nil {
				t.Errorf("%s, lane %d: got %v, want ErrChanged that names the file", k.name, lost, res)
			}
			for i, st := range w.running {
				if i != lost {
					st.chunk.release()
				}
			}
		}
	}
}

// A fault that is no mapped file's is a defect, and ends the program.
func TestOtherFaultsAreNotHidden(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the fault was taken for one of a file")
		}
	}()
	broken := &kernel{fast: 1, ratio: 1, compress: func(*lanes, int) { panic("broken") }}
	st := state{}
	w := &worker{messages: []message{{&st, make([]byte, blockSize)}}}
	w.compress(broken, 1)
}

// Files that are cut off in the middle of hashing are errors that name them, for
// every backend, and the others get their digests.
func TestMappedFilesCutOff(t *testing.T) {
	const size, files = 4 << 20, 14
	b := content(rand.New(rand.NewPCG(9, 9)), size)
	want := sha256.Sum256(b)
	for _, backend := range available() {
		var items []Item
		var paths []string
		for range files {
			it, path := diskItem(t, b)
			items, paths = append(items, it), append(paths, path)
		}
		var told atomic.Int64
		h := Hasher{Backend: backend.name, Threads: 2, Progress: func(p Progress) {
			if p.Bytes > 0 && told.Add(1) == 1 {
				for i := 0; i < files; i += 2 {
					if err := os.Truncate(paths[i], 5000); err != nil {
						t.Error(err)
					}
				}
			}
		}}
		results, err := h.Sum(context.Background(), items)
		if err != nil {
			t.Fatal(err)
		}
		changed := 0
		for i, res := range results {
			switch {
			case i%2 == 0 && res.Err == nil && bytes.Equal(res.Digest, want[:]): // all of it was hashed before
			case i%2 == 1 && (res.Err != nil || !bytes.Equal(res.Digest, want[:])):
				t.Errorf("%s: file %d: got %x, %v", backend.name, i, res.Digest, res.Err)
			case i%2 == 0 && (!errors.Is(res.Err, ErrChanged) || !strings.Contains(res.Err.Error(), paths[i]) || res.Digest != nil):
				t.Errorf("%s: file %d: got %x, %v; want ErrChanged that names it", backend.name, i, res.Digest, res.Err)
			case i%2 == 0:
				changed++
			}
		}
		if changed == 0 {
			t.Errorf("%s: no file was cut off in time", backend.name)
		}
	}
}

// Ranges that begin and end anywhere in a page are mapped right.
func TestMappedRanges(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	b := content(r, 6<<20)
	whole, _ := diskItem(t, b)
	var items []Item
	for range 40 {
		it := whole
		it.Offset = int64(r.IntN(2 << 20))
		it.Length = int64(mapFrom - 100 + r.IntN(3<<20))
		if r.IntN(2) == 0 {
			it.Offset &^= 4095
		}
		items = append(items, it)
	}
	results, err := Hasher{}.Sum(context.Background(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i, res := range results {
		want := sha256.Sum256(b[items[i].Offset:][:items[i].Length])
		if res.Err != nil || !bytes.Equal(res.Digest, want[:]) || res.Bytes != items[i].Length {
			t.Errorf("%d bytes from %d: got %x, %v", items[i].Length, items[i].Offset, res.Digest, res.Err)
		}
	}
}

// What is mapped counts to the memory of a program: it stays bounded, and is let
// go when the context ends.
func TestMappedMemoryIsBounded(t *testing.T) {
	var items []Item
	dir := t.TempDir()
	for i := range 40 {
		path := filepath.Join(dir, fmt.Sprint(i))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(8 << 20); err != nil { // a hole
			t.Fatal(err)
		}
		f.Close()
		items = append(items, Item{Name: path, Length: -1, Size: 8 << 20, Open: func() (File, error) { return os.Open(path) }})
	}
	before := mappedMemory(t)
	var peak atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var told atomic.Int64
	h := Hasher{Progress: func(Progress) {
		used := mappedMemory(t) - before
		for old := peak.Load(); used > old && !peak.CompareAndSwap(old, used); old = peak.Load() {
		}
		if told.Add(1) == 200 {
			cancel()
		}
	}}
	if _, err := h.Sum(ctx, items); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	t.Logf("%d KiB", peak.Load()>>10)
	// The kernel counts pages of a file in the tens before it adds them up.
	if slack := int64(runtime.NumCPU()) << 20; peak.Load() > mapped+slack {
		t.Errorf("%d MiB were mapped", peak.Load()>>20)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip(err)
		}
		if !strings.Contains(string(maps), dir) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("files are still mapped")
		}
	}
}

// mappedMemory is the bytes of files that are in this program's memory.
func mappedMemory(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssFile:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		t.Skip("the kernel does not tell")
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Skip(err)
	}
	return n << 10
}
