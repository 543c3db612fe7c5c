package digest

import (
	"context"
	"crypto/sha256"
	"hash"
	"slices"
	"time"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/blake3"
)

// Speed is how fast something hashes from memory on one core, in bytes a second.
type Speed struct {
	Name  string
	Lanes int // messages at a time
	// Median says what to expect of the machine as it is, Best what the CPU can do.
	Median, Best float64
}

// Speeds is what [Measure] found.
type Speeds struct {
	Backends []Speed // of SHA-256, from the plain to the wide
	// Others are the libraries' own code for one message: crypto/sha256, to
	// compare with, and the other algorithms.
	Others []Speed
}

// Measure times every backend and the libraries for about d, in turns, so that
// what else the machine does strikes all. From then on the best times are what
// the automatic choice is made by on this machine. It fails only when ctx ends.
func Measure(ctx context.Context, d time.Duration) (Speeds, error) {
	data := make([]byte, pieceSize)
	var runs []*timed
	kernels := allKernels()
	for _, k := range kernels {
		runs = append(runs, timeKernel(k, data))
	}
	for _, lib := range libraries() {
		runs = append(runs, timeHash(lib.name, lib.hash, data))
	}
	for end := time.Now().Add(d); len(runs[0].seconds) == 0 || time.Now().Before(end); {
		for _, r := range runs {
			if err := ctx.Err(); err != nil {
				return Speeds{}, err
			}
			r.turn()
		}
	}
	var s Speeds
	best := make(costs)
	for i, r := range runs {
		slices.Sort(r.seconds)
		if i < len(kernels) {
			s.Backends = append(s.Backends, r.speed())
			best[r.name] = r.seconds[0] / float64(r.n)
		} else {
			s.Others = append(s.Others, r.speed())
		}
	}
	if len(kernels) > 1 {
		writeCache(cachePath(), calibration{Times: calibrationTimes, Seconds: best})
	}
	return s, nil
}

// timed is code that is timed again and again.
type timed struct {
	name    string
	lanes   int
	bytes   int // of one run
	n       int // of a kernel's run
	run     func()
	seconds []float64 // of one run, the mean of a turn
}

// turn is how many bytes are hashed in a turn: long enough for the CPU to
// settle to the code, short enough for ^C.
const turn = 4 << 20

func (t *timed) turn() {
	runs := turn / t.bytes
	began := time.Now()
	for range runs {
		t.run()
	}
	t.seconds = append(t.seconds, max(time.Since(began).Seconds()/float64(runs), 1e-9))
}

func (t *timed) speed() Speed {
	rate := func(seconds float64) float64 { return float64(t.bytes) / seconds }
	return Speed{Name: t.name, Lanes: t.lanes, Median: rate(t.seconds[len(t.seconds)/2]), Best: rate(t.seconds[0])}
}

// timeKernel runs a kernel with all its lanes in use.
func timeKernel(k *kernel, data []byte) *timed {
	var l lanes
	for i := range l.data {
		l.data[i] = &data[0]
	}
	t := &timed{name: k.name, lanes: k.fast + k.slow, n: maxCall / blockSize / k.ratio}
	t.bytes = t.n * k.blocks(t.lanes) * blockSize
	t.run = func() { k.compress(&l, t.n) }
	return t
}

func timeHash(name string, h hash.Hash, data []byte) *timed {
	return &timed{name: name, lanes: 1, bytes: len(data), run: func() { h.Write(data) }}
}

// library is somebody else's code for one message.
type library struct {
	name string
	hash hash.Hash
}

func libraries() []library {
	all := []library{{"crypto/sha256", sha256.New()}, {"blake3", blake3.New(32, nil)}}
	if h, err := blake2b.New512(nil); err == nil { // without a key it does not fail
		all = append(all, library{"blake2b", h})
	}
	return all
}
