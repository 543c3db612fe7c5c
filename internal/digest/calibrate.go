package digest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// CPUs of one instruction set differ in how many messages their SHA unit can
// take at once, and in whether the other units have something to add. So the
// choice is measured, once for a machine.

// costs is the time in seconds that each kernel takes for n=1.
type costs map[string]float64

// of is the cost of a kernel. One without a measurement is taken to be as fast
// as on a common CPU, two cycles a byte for one message and little more for two.
func (c costs) of(k *kernel) float64 {
	if t, ok := c[k.name]; ok {
		return t
	}
	const cycle = 1e-9 / 3
	return cycle * float64(k.ratio) * (100 + 30*float64(k.fast))
}

// calibration is the cached form of costs.
type calibration struct {
	Version int    `json:"version"`
	CPU     string `json:"cpu"`
	Times   int    `json:"times"` // it was measured; the best of all counts
	Seconds costs  `json:"seconds"`
}

const (
	// calibrationVersion changes with the kernels and with how they are measured.
	calibrationVersion = 3
	// calibrationRounds is how often each kernel is timed; the best time counts,
	// as whatever else the machine does can only add to it.
	calibrationRounds = 16
	// calibrationLimit ends measuring early on a machine that is slow or busy.
	calibrationLimit = 15 * time.Millisecond
	// calibrationTimes is how often all that is repeated, in runs that have
	// calibrationWork bytes to hash: the first time, the machine may have been
	// busy throughout, and beside so much work nobody notices.
	calibrationTimes = 8
	calibrationWork  = 1 << 30
	// Bytes of one message that a kernel is timed with.
	calibrationBytes = 16 << 10
	// A cache file is a few hundred bytes.
	maxCacheFile = 4 << 10
)

// calibrate gives the costs of this machine's kernels and where they are from:
// from the cache if it has them, or else measured and left there.
func calibrate(again bool) (costs, string) {
	kernels := allKernels()
	if len(kernels) == 1 && !again {
		return nil, "one" // nothing to choose from
	}
	path := cachePath()
	if !again {
		if c := readCache(path, kernels); c != nil {
			return c.Seconds, "what was measured on this CPU before"
		}
	}
	c := measure(kernels)
	if len(kernels) > 1 {
		writeCache(path, calibration{Times: 1, Seconds: c})
	}
	return c, "what was measured now"
}

// calibrateFor gives the costs for so many bytes of work. It improves on those in
// the cache where that is worth while.
func calibrateFor(work int64) costs {
	kernels, path := allKernels(), cachePath()
	var known *calibration
	if work >= calibrationWork && len(kernels) > 1 {
		known = readCache(path, kernels)
	}
	if known == nil || known.Times >= calibrationTimes {
		c, _ := calibrate(false)
		return c
	}
	for name, t := range measure(kernels) {
		known.Seconds[name] = min(known.Seconds[name], t)
	}
	known.Times++
	writeCache(path, *known)
	return known.Seconds
}

func allKernels() []*kernel {
	kernels := []*kernel{&portable}
	if hw := hardware(); len(hw) > 0 {
		kernels = append(kernels, hw[len(hw)-1].kernels...)
	}
	return kernels
}

// measure times every kernel, in turns, so that what else happens meanwhile
// strikes all of them.
func measure(kernels []*kernel) costs {
	data := make([]byte, calibrationBytes)
	var l lanes
	for i := range l.data {
		l.data[i] = &data[0]
	}
	best := make(costs)
	start := time.Now()
	for round := range calibrationRounds {
		for _, k := range kernels {
			n := calibrationBytes / blockSize / k.ratio
			began := time.Now()
			k.compress(&l, n)
			t := time.Since(began).Seconds() / float64(n)
			if old, ok := best[k.name]; !ok || t < old {
				best[k.name] = max(t, 1e-12) // a coarse clock may say zero
			}
		}
		if round > 0 && time.Since(start) > calibrationLimit {
			break
		}
	}
	return best
}

// cpuName is the CPU's own name, or the architecture's.
func cpuName() string {
	if n := cpuid.CPU.BrandName; n != "" {
		return n
	}
	return runtime.GOARCH
}

// cpuModel tells CPUs apart that may need another choice.
func cpuModel() string {
	c := cpuid.CPU
	return fmt.Sprintf("%s %s %d.%d.%d", runtime.GOARCH, cpuName(), c.Family, c.Model, c.Stepping)
}

// cachePath is the file for this CPU, "" if the user has no cache folder. A home
// that several machines share has one for each kind.
func cachePath() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", calibrationVersion, cpuModel())
	return filepath.Join(dir, "git-model-sign", fmt.Sprintf("hash-backend-%016x.json", h.Sum64()))
}

// readCache gives what the file says of these kernels, or nil if it is not
// there, is of another CPU, or says anything that cannot be. At worst a wrong
// file makes hashing slower.
func readCache(path string, kernels []*kernel) *calibration {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCacheFile {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parseCache(b, kernels)
}

func parseCache(b []byte, kernels []*kernel) *calibration {
	var c calibration
	if json.Unmarshal(b, &c) != nil || c.Version != calibrationVersion || c.CPU != cpuModel() {
		return nil
	}
	known := make(costs)
	for _, k := range kernels {
		t := c.Seconds[k.name]
		if !(t > 1e-12 && t < 1e-2) {
			return nil
		}
		known[k.name] = t
	}
	c.Seconds = known
	return &c
}

// writeCache leaves the measurement for the next program, whole or not at all,
// as another may be reading or writing it. That it cannot costs a measurement.
func writeCache(path string, c calibration) {
	if path == "" {
		return
	}
	c.Version, c.CPU = calibrationVersion, cpuModel()
	b, err := json.Marshal(c)
	if err != nil {
		return
	}
	dir := filepath.Dir(path)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(dir, "hash-backend-*.tmp")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
}
