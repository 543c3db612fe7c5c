package digest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The regression guard compares us with a plain program, one beside the other and
// from memory, by ratios and never by times: whatever else the machine does
// strikes both.

// guardTrees are what both hash.
var guardTrees = []struct {
	name  string
	files int
	size  int
}{{"large files", 24, 4 << 20}, {"small files", 10_000, 4 << 10}}

const (
	// guardFloor holds where interleaving gains nothing.
	guardFloor = 0.9
	// guardShare is the part of what the kernels gain that has to be left in the end,
	// on a machine that does other things too.
	guardShare = 0.5
	// guardPatience is how long a machine may take to be quiet for a moment.
	guardPatience = 20 * time.Second
)

// guarded says how many times as fast as a plain program the backend hashes so many
// files of a size, and what it has to be. It goes on until that is reached or its
// time is up.
func guarded(b *backend, files, size int, patience time.Duration) (ratio, floor float64) {
	var items []Item
	content := make([]byte, size)
	for i := range files {
		items = append(items, memoryItem(fmt.Sprint(i), content))
	}
	took := func(f func()) time.Duration {
		start := time.Now()
		f()
		return max(time.Since(start), 1)
	}
	for end := time.Now().Add(patience); ; {
		costs := measure(allKernels())
		gain := b.tunedTo(costs) / (blockSize / costs.of(&portable))
		floor = max(guardFloor, guardShare*gain)
		plain := took(func() { plainly(items) })
		ours := took(func() {
			h := Hasher{Threads: runtime.GOMAXPROCS(0)}
			newBoard(context.Background(), h, b, items, make([]Result, len(items))).run()
		})
		ratio = max(ratio, plain.Seconds()/ours.Seconds())
		if ratio >= floor || time.Now().After(end) {
			return ratio, floor
		}
	}
}

// tunedTo is the best rate of the backend in bytes a second, by measured costs.
func (b *backend) tunedTo(costs costs) float64 {
	b.best = 0
	b.tune(costs)
	return b.best
}

// plainly hashes as a plain program does: an item a core, with crypto/sha256.
func plainly(items []Item) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				f, err := items[i].Open()
				if err != nil {
					panic(err)
				}
				h := sha256.New()
				if _, err := io.CopyBuffer(h, io.NewSectionReader(f, 0, items[i].Size), buf); err != nil {
					panic(err)
				}
				h.Sum(nil)
			}
		})
	}
	wg.Wait()
}

func TestNotSlowerThanPlain(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement: left out in short mode")
	}
	costs, _ := calibrate(true)
	b := fastest(costs)
	for _, tree := range guardTrees {
		ratio, floor := guarded(b, tree.files, tree.size, guardPatience)
		t.Logf("%s, %s: %.2f times as fast as the plain program, floor %.2f", tree.name, b.name, ratio, floor)
		if ratio < floor {
			t.Errorf("%s, %s: %.2f times as fast as the plain program, want at least %.2f", tree.name, b.name, ratio, floor)
		}
	}
}

// The guard sees kernels that are slower than crypto/sha256.
func TestGuardSeesWhatIsSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement: left out in short mode")
	}
	widest := allKernels()[len(allKernels())-1]
	slow := *widest
	slow.name = "slow"
	slow.compress = func(l *lanes, n int) {
		in := *l
		for range 3 {
			*l = in
			widest.compress(l, n)
			portable.compress(&lanes{data: l.data}, n*widest.ratio)
		}
	}
	kernels := []*kernel{&slow}
	if widest != &portable {
		kernels = []*kernel{&portable, &slow}
	}
	for _, tree := range guardTrees {
		ratio, floor := guarded(&backend{name: slow.name, kernels: kernels}, tree.files, tree.size, time.Second)
		t.Logf("%s: %.2f times as fast, floor %.2f", tree.name, ratio, floor)
		if ratio >= floor {
			t.Errorf("%s: kernels that do three times the work are %.2f times as fast as the plain program, and the floor is %.2f", tree.name, ratio, floor)
		}
	}
}
