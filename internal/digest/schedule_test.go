package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// zeros is a file of n bytes that takes no memory, and lets a test see reads.
type zeros struct {
	size int64
	read func(n int, off int64) error
}

func (z *zeros) ReadAt(p []byte, off int64) (int, error) {
	if z.read != nil {
		if err := z.read(len(p), off); err != nil {
			return 0, err
		}
	}
	clear(p)
	return len(p), nil
}
func (z *zeros) Close() error               { return nil }
func (z *zeros) Stat() (fs.FileInfo, error) { return memoryInfo{size: z.size}, nil }

func zeroItem(name string, size int64, read func(n int, off int64) error) Item {
	return Item{Name: name, Length: -1, Size: size, Open: func() (File, error) { return &zeros{size, read}, nil }}
}

// Nobody waits for a read that takes its time but its own item.
func TestSlowReadStallsNobody(t *testing.T) {
	const slowReads, wait, size = 10, 100 * time.Millisecond, 24 << 20
	var left atomic.Int64
	left.Store(slowReads)
	var slowDone, restDone atomic.Int64
	start := time.Now()
	slow := zeroItem("slow", slowReads*largeBuffer, func(int, int64) error {
		time.Sleep(wait)
		if left.Add(-1) == 0 {
			slowDone.Store(int64(time.Since(start)))
		}
		return nil
	})
	items := []Item{slow}
	for i := range 3 {
		items = append(items, zeroItem(fmt.Sprint(i), size, func(n int, off int64) error {
			if off+int64(n) == size {
				restDone.Store(int64(time.Since(start)))
			}
			return nil
		}))
	}
	all := available()
	if _, err := (Hasher{Threads: 1, Backend: all[len(all)-1].name}).Sum(context.Background(), items); err != nil {
		t.Fatal(err)
	}
	if restDone.Load() >= slowDone.Load() {
		t.Errorf("others were read only after %v, the slow item after %v", time.Duration(restDone.Load()), time.Duration(slowDone.Load()))
	}
}

// However many cores and lanes, every lane has a stream, what the streams read
// into is bounded, and up to eight cores files are mapped.
func TestDimensions(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 4, 8, 16, 64, 1000} {
		for _, lanes := range []int{1, 2, 4, 10} {
			d := &board{backend: &backend{kernels: []*kernel{{fast: lanes}}}, queue: make([]int, 10_000)}
			streams := d.dimension(workers)
			if streams < min(maxStreams, workers*lanes) || streams > maxStreams {
				t.Errorf("%d workers of %d lanes: %d streams", workers, lanes, streams)
			}
			if n := streams * d.buffers * d.bufferSize; n > memory {
				t.Errorf("%d workers of %d lanes: buffers take %d bytes", workers, lanes, n)
			}
			if n := int64(streams*d.buffers) * d.window; n > mapped {
				t.Errorf("%d workers of %d lanes: windows take %d bytes", workers, lanes, n)
			}
			if workers <= 8 && d.window < minWindow {
				t.Errorf("%d workers of %d lanes: nothing is mapped", workers, lanes)
			}
		}
	}
}

// The largest items are the first that are opened.
func TestLargestFirst(t *testing.T) {
	var mu sync.Mutex
	var opened []int
	var items []Item
	for i := range 100 {
		items = append(items, Item{Length: -1, Size: int64(i) << 16, Open: func() (File, error) {
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, i)
			return &zeros{size: int64(i) << 16}, nil
		}})
	}
	for _, algorithm := range []Algorithm{SHA256, BLAKE2b, BLAKE3} {
		opened = nil
		if _, err := (Hasher{Algorithm: algorithm, Threads: 2}).Sum(context.Background(), items); err != nil {
			t.Fatal(err)
		}
		if i := slices.Index(opened, 99); i > 40 {
			t.Errorf("%s: the largest was the %dth to be opened", algorithm, i)
		}
		if i := slices.Index(opened, 1); i < 60 {
			t.Errorf("%s: nearly the smallest was the %dth to be opened", algorithm, i)
		}
	}
}

// Whatever the number of workers and of processors, and whatever the backend,
// the digests are the same: many small items, and some in many chunks.
func TestEveryShapeOfTree(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	var items []Item
	var want [][32]byte
	source := content(r, 3<<20)
	for i := range 400 {
		n := r.IntN(5000)
		switch {
		case i%40 == 0:
			n = r.IntN(len(source))
		case i%7 == 0:
			n = r.IntN(200_000)
		}
		b := source[len(source)-n:]
		it := memoryItem(fmt.Sprint(i), b)
		if i%3 == 0 { // a range, and a size that is not known
			off := r.IntN(n + 1)
			it.Size, it.Offset, b = -1, int64(off), b[off:]
			if i%2 == 0 {
				b = b[:r.IntN(len(b)+1)]
				it.Length = int64(len(b))
			}
		}
		items, want = append(items, it), append(want, sha256.Sum256(b))
	}
	check := func(h Hasher) {
		results, err := h.Sum(context.Background(), items)
		if err != nil {
			t.Fatal(err)
		}
		for i, res := range results {
			if res.Err != nil || !bytes.Equal(res.Digest, want[i][:]) {
				t.Fatalf("%s, %d threads: item %d: %x, %v; want %x", h.Backend, h.Threads, i, res.Digest, res.Err, want[i])
			}
		}
	}
	for _, processors := range []int{1, runtime.NumCPU()} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		for _, b := range available() {
			for _, threads := range []int{0, 1, 3, 16} {
				check(Hasher{Backend: b.name, Threads: threads})
			}
		}
		check(Hasher{Backend: Auto})
	}
}

// An error of one item is told in its place and spares the others, wherever in
// the file it strikes.
func TestErrorsKeepToTheirItems(t *testing.T) {
	broken := errors.New("broken")
	for _, algorithm := range []Algorithm{SHA256, BLAKE2b, BLAKE3} {
		var items []Item
		for i := range 60 {
			size := int64(i) * 50_000
			items = append(items, zeroItem(fmt.Sprint("item ", i), size, func(n int, off int64) error {
				if i%5 == 1 && off+int64(n) > size/2 {
					return broken
				}
				return nil
			}))
		}
		results, err := Hasher{Algorithm: algorithm}.Sum(context.Background(), items)
		if err != nil {
			t.Fatal(err)
		}
		for i, res := range results {
			if i%5 == 1 {
				if !errors.Is(res.Err, broken) || res.Digest != nil || !strings.Contains(res.Err.Error(), items[i].Name) || res.Bytes >= max(1, items[i].Size) {
					t.Errorf("%s: item %d: %x, %d bytes, %v", algorithm, i, res.Digest, res.Bytes, res.Err)
				}
				continue
			}
			hash, _ := algorithm.New()
			hash.Write(make([]byte, items[i].Size))
			if res.Err != nil || !bytes.Equal(res.Digest, hash.Sum(nil)) || res.Bytes != items[i].Size {
				t.Errorf("%s: item %d: %x, %d bytes, %v", algorithm, i, res.Digest, res.Bytes, res.Err)
			}
		}
	}
}

// Interleaving has to gain something on a CPU that is known to take it: those of
// AMD, whose SHA unit has room for several streams, and those with vector units
// for more. Only ratios are compared, the best of several tries, and the bar is far
// below what it is on a quiet machine.
func TestInterleavingIsFaster(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement: left out in short mode")
	}
	all := available()
	b := all[len(all)-1]
	if b.lanes() <= maxFast && !(cpuid.CPU.IsVendor(cpuid.AMD) && b.lanes() > 1) {
		t.Skipf("nothing is known of what %s gains on a %s", b.name, cpuName())
	}
	const bar = 1.15
	var ratio float64
	for deadline := time.Now().Add(5 * time.Second); ratio < bar && time.Now().Before(deadline); {
		costs := measure(allKernels())
		b.tune(costs)
		plain := blockSize / costs.of(&portable)
		ratio = max(ratio, b.best/plain)
	}
	t.Logf("%s is %.2f times as fast as crypto/sha256", b.name, ratio)
	if ratio < bar {
		t.Errorf("%s is %.2f times as fast as crypto/sha256, want %.2f", b.name, ratio, bar)
	}
}
