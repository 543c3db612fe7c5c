package digest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests hash on simulated cores: kernels that take time and compute nothing,
// under a clock that moves only when all wait. What the scheduler makes of the
// time is then the same on any machine, however busy.

// blockTime is what a simulated core needs for a block of one message.
const blockTime = 50 * time.Nanosecond

// alone is how long a simulated core needs for one message of so many bytes.
func alone(bytes int64) time.Duration { return time.Duration(bytes/blockSize) * blockTime }

// simulated is a backend that gains from several messages what real ones gain.
func simulated() *backend {
	costs := make(costs)
	b := &backend{name: "simulated"}
	for _, k := range []struct {
		kernel
		took float64 // for a block of each fast message, in units of blockTime
	}{
		{kernel{name: "x1", fast: 1, ratio: 1}, 1},
		{kernel{name: "x2", fast: 2, ratio: 1}, 1.1},
		{kernel{name: "x4", fast: 4, ratio: 1}, 1.6},
		{kernel{name: "x10", fast: 2, slow: 8, ratio: 8}, 1.3},
	} {
		costs[k.name] = k.took * float64(k.ratio) * blockTime.Seconds()
		k.kernel.compress = func(_ *lanes, n int) {
			time.Sleep(time.Duration(k.took * float64(n*k.ratio) * float64(blockTime)))
		}
		b.kernels = append(b.kernels, &k.kernel)
	}
	b.tune(costs)
	return b
}

// simulation is a tree on simulated cores, and what was seen of it.
type simulation struct {
	items []Item

	mu     sync.Mutex
	start  time.Time
	opened []time.Duration // when each item was opened
	end    time.Duration   // when all was done
}

// add adds items of a size whose reads take a time for each 64 KiB.
func (s *simulation) add(n int, size int64, read time.Duration) {
	for range n {
		i := len(s.items)
		it := zeroItem(fmt.Sprint(i), size, func(n int, off int64) error {
			time.Sleep(read * time.Duration(n) / (64 << 10))
			return nil
		})
		open := it.Open
		it.Open = func() (File, error) {
			s.mu.Lock()
			s.opened[i] = time.Since(s.start)
			s.mu.Unlock()
			return open()
		}
		s.items = append(s.items, it)
		s.opened = append(s.opened, -1)
	}
}

// run hashes the tree on so many cores.
func (s *simulation) run(t *testing.T, cores int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.start = time.Now()
		results := make([]Result, len(s.items))
		newBoard(context.Background(), Hasher{Threads: cores}, simulated(), s.items, results).run()
		s.end = time.Since(s.start)
		for _, res := range results {
			if res.Err != nil {
				t.Fatal(res.Err)
			}
		}
	})
}

// The largest file starts at once, wherever it is listed, and larger ones before
// smaller ones.
func TestLargestStartsFirst(t *testing.T) {
	for _, cores := range []int{1, 2, 4} {
		var s simulation
		r := rand.New(rand.NewPCG(11, uint64(cores)))
		for range 200 {
			s.add(1, 1<<20+r.Int64N(1<<20), 0)
		}
		s.add(1, 64<<20, 0)
		largest := len(s.items) - 1
		s.run(t, cores)
		if s.opened[largest] != 0 {
			t.Errorf("%d cores: the largest was opened after %v", cores, s.opened[largest])
		}
		order := largestFirst(s.items)
		if !slices.IsSortedFunc(order, func(a, b int) int { return int(s.opened[a] - s.opened[b]) }) {
			t.Errorf("%d cores: a smaller item was opened before a larger one", cores)
		}
	}
}

// A tree ends when its largest file does at one stream's speed, if the rest by
// itself takes less: nothing that its neighbours do holds it up, and none of them
// is left for the end.
func TestNothingHoldsUpTheLargest(t *testing.T) {
	const size = 256 << 20
	decided := 0
	for _, cores := range []int{1, 2, 3, 8} {
		for _, neighbours := range []int{1, 3, 9, 40, 400} {
			for _, read := range []time.Duration{0, 100 * time.Microsecond, 500 * time.Microsecond, 1900 * time.Microsecond, 2100 * time.Microsecond, 5 * time.Millisecond} {
				var all, rest simulation
				rest.add(neighbours, size/4/int64(neighbours), read)
				rest.run(t, cores)
				if rest.end > alone(size)*9/10 {
					continue
				}
				decided++
				all.add(neighbours, size/4/int64(neighbours), read)
				all.add(1, size, 0)
				all.run(t, cores)
				if slack := float64(all.end) / float64(alone(size)); slack > 1.1 {
					t.Errorf("%d cores, %d neighbours, reads of %v: all took %.2f times as long as the largest by itself", cores, neighbours, read, slack)
				}
			}
		}
	}
	if decided < 60 {
		t.Errorf("only %d trees were looked at", decided)
	}
}

// Files of one size fill the lanes of all cores to the end.
func TestEqualFilesShareTheCores(t *testing.T) {
	const size = 64 << 20
	for _, test := range []struct {
		files, cores int
		took         float64 // of a block of each
	}{{2, 1, 1.1}, {4, 2, 1.1}, {4, 1, 1.6}, {8, 2, 1.6}, {16, 4, 1.6}} {
		var s simulation
		s.add(test.files, size, 60*time.Microsecond)
		s.run(t, test.cores)
		if slack := float64(s.end) / (test.took * float64(alone(size))); slack > 1.1 {
			t.Errorf("%d files on %d cores took %.2f times as long as they have to", test.files, test.cores, slack)
		}
	}
}

// Who waits for a read does nothing meanwhile: the simulated clock stands still
// as long as anybody is busy, so that one who looked again and again would be seen
// to never come to an end.
func TestWaitingIsIdle(t *testing.T) {
	for _, cores := range []int{1, 2, 5} {
		var s simulation
		s.add(3, 0, 0)
		s.add(40, 100, time.Hour)
		s.add(4, 200<<10, time.Hour)
		s.add(2, 3<<20, time.Minute)
		start := time.Now()
		s.run(t, cores)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%d cores: %v passed while hours were simulated", cores, took)
		}
		if s.end < 3*time.Hour {
			t.Errorf("%d cores: only %v were simulated", cores, s.end)
		}
	}
}

// A small file that is slow to read holds up those of its batch at most, however
// many there are.
func TestSlowSmallFilesHoldUpFew(t *testing.T) {
	const slow, all = 10, 5000
	for _, cores := range []int{1, 2} {
		var s simulation
		for i := range all {
			read := time.Duration(0)
			if i%(all/slow) == 0 {
				read = time.Hour * (64 << 10) / 4096
			}
			s.add(1, 4096, read)
		}
		s.run(t, cores)
		late := 0
		for _, opened := range s.opened {
			if opened > time.Second {
				late++
			}
		}
		if late > slow*batchItems {
			t.Errorf("%d cores: %d files waited for %d slow ones", cores, late, slow)
		}
		if s.end > 2*time.Hour {
			t.Errorf("%d cores: all took %v, and a slow file takes an hour", cores, s.end)
		}
	}
}

// Small files fill the lanes of all cores, and hash on no more cores than they are
// given.
func TestSmallFilesShareTheCores(t *testing.T) {
	const files, size = 4000, 16 << 10
	for _, cores := range []int{1, 2, 4} {
		var s simulation
		s.add(files, size, 0)
		s.run(t, cores)
		alone := float64(alone(files*size)) / float64(cores)
		if gain := alone / float64(s.end); gain < 1.8 || gain > 2.5 { // x4 is 2.5 times as fast, and lanes of batches stand empty at times
			t.Errorf("%d cores: %.2f times as fast as a file a core", cores, gain)
		}
	}
}
