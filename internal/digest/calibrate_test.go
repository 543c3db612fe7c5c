package digest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// cacheIn lets the user's cache folder be dir, on every system.
func cacheIn(t *testing.T, dir string) {
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("LocalAppData", dir)
	t.Setenv(EnvBackend, "")
}

// TestMain keeps the tests from the cache of whoever runs them.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "digest-test-")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_CACHE_HOME", dir)
	os.Setenv("HOME", dir)
	os.Setenv("LocalAppData", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestCalibrationIsBounded(t *testing.T) {
	best := time.Hour
	for range 5 {
		start := time.Now()
		measure(allKernels())
		best = min(best, time.Since(start))
	}
	if best > 20*time.Millisecond && !testing.Short() {
		t.Errorf("measuring took %v", best)
	}
}

func TestCalibrationIsCached(t *testing.T) {
	if len(allKernels()) == 1 {
		t.Skip("there is one kernel here and nothing to measure")
	}
	cacheIn(t, t.TempDir())
	first, _ := calibrate(false)
	if c := readCache(cachePath(), allKernels()); c == nil {
		t.Fatal("nothing was cached")
	}
	again, how := calibrate(false)
	for name, s := range first {
		if again[name] != s {
			t.Errorf("%s: %v was measured, %v (%s) is used", name, s, again[name], how)
		}
	}
	// What is wrong in any way is measured anew and mended.
	good, err := os.ReadFile(cachePath())
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"no JSON":         "x",
		"another version": strings.Replace(string(good), `"version":3`, `"version":2`, 1),
		"another CPU":     strings.Replace(string(good), `"cpu":"`, `"cpu":"x`, 1),
		"a kernel less":   strings.Replace(string(good), `"generic"`, `"specific"`, 1),
		"a wild number":   strings.Replace(string(good), `"generic":`, `"generic":1e`, 1),
		"a negative one":  strings.Replace(string(good), `"generic":`, `"generic":-`, 1),
		"too long":        string(good) + strings.Repeat(" ", maxCacheFile),
		"cut off":         string(good[:len(good)/2]),
	} {
		if bad == string(good) {
			t.Fatalf("%s: the file is as it was", name)
		}
		if err := os.WriteFile(cachePath(), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if c := readCache(cachePath(), allKernels()); c != nil {
			t.Errorf("%s: was believed: %v", name, c)
		}
		calibrate(false)
		if c := readCache(cachePath(), allKernels()); c == nil {
			t.Errorf("%s: was not mended", name)
		}
	}
}

// Where there is much to hash, what was measured on a busy machine is put right,
// a few times.
func TestCalibrationIsImproved(t *testing.T) {
	kernels := allKernels()
	if len(kernels) == 1 {
		t.Skip("there is one kernel here and nothing to measure")
	}
	cacheIn(t, t.TempDir())
	busy, fast := make(costs), make(costs)
	for _, k := range kernels {
		busy[k.name], fast[k.name] = 9e-3, 2e-12
	}
	name := kernels[len(kernels)-1].name

	writeCache(cachePath(), calibration{Times: 1, Seconds: busy})
	if c := calibrateFor(calibrationWork - 1); c[name] != busy[name] {
		t.Errorf("it was measured again for little work")
	}
	if c := calibrateFor(calibrationWork); c[name] >= busy[name] {
		t.Errorf("it was not measured again: %v", c)
	}
	if c := readCache(cachePath(), kernels); c == nil || c.Times != 2 || c.Seconds[name] >= busy[name] {
		t.Errorf("what was measured was not kept: %+v", c)
	}

	writeCache(cachePath(), calibration{Times: 1, Seconds: fast})
	if c := calibrateFor(calibrationWork); c[name] != fast[name] {
		t.Errorf("a worse time counts: %v", c)
	}
	writeCache(cachePath(), calibration{Times: calibrationTimes, Seconds: busy})
	if c := calibrateFor(calibrationWork); c[name] != busy[name] {
		t.Errorf("there is no end to measuring")
	}
}

// A cache that cannot be written, or be at all, costs time and nothing else.
func TestCalibrationWithoutCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, "", "relative"} {
		cacheIn(t, dir)
		if _, err := choose("", 0); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat("relative"); err == nil {
		t.Error("a folder was made below the current one")
		os.RemoveAll("relative")
	}
}

func TestCalibrationSideBySide(t *testing.T) {
	cacheIn(t, t.TempDir())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				c, _ := calibrate(true)
				writeCache(cachePath(), calibration{Seconds: c})
				if b, err := os.ReadFile(cachePath()); err == nil && len(allKernels()) > 1 && parseCache(b, allKernels()) == nil {
					t.Errorf("half a file was seen: %q", b)
				}
			}
		})
	}
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(cachePath()), "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestChoice(t *testing.T) {
	cacheIn(t, t.TempDir())
	c, err := Choose("", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	var best Backend
	for _, b := range c.Backends {
		if b.BytesPerSecond > best.BytesPerSecond {
			best = b
		}
		got, err := choose(b.Name, 0)
		if err != nil || got.name != b.Name {
			t.Errorf("asked for %s: got %v, %v", b.Name, got, err)
		}
		for m := 1; m <= got.lanes(); m++ {
			if k := got.kernelFor(m); k.blocks(m) == 0 {
				t.Errorf("%s: %s is no kernel for %d messages", b.Name, k.name, m)
			}
			if k := got.evenKernelFor(m); k.blocks(m) == 0 || k.slow > 0 {
				t.Errorf("%s: %s is no kernel for the rest of %d messages", b.Name, k.name, m)
			}
		}
	}
	if c.Backends[0].Name != portable.name {
		t.Errorf("the first backend is %s", c.Backends[0].Name)
	}

	t.Setenv(EnvBackend, "generic")
	if c, err := Choose("", false); err != nil || c.Used != "generic" || !strings.Contains(c.Reason, EnvBackend) {
		t.Errorf("by the environment: %+v, %v", c, err)
	}
	if b, err := choose("", 0); err != nil || b.name != "generic" {
		t.Errorf("by the environment: %v, %v", b, err)
	}
	if c, err := Choose(best.Name, false); err != nil || c.Used != best.Name {
		t.Errorf("an option does not come before the environment: %+v, %v", c, err)
	}
	t.Setenv(EnvBackend, "abacus")
	if _, err := (Hasher{}).Sum(t.Context(), nil); !errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), "generic") {
		t.Errorf("got %v, want ErrBackend that lists what there is", err)
	}
}

// The plan follows the measurement, not the width.
func TestPlanFollowsMeasurement(t *testing.T) {
	a, b, c := &kernel{name: "a", fast: 1, ratio: 1}, &kernel{name: "b", fast: 2, ratio: 1}, &kernel{name: "c", fast: 2, slow: 8, ratio: 8}
	ladder := &backend{name: "c", kernels: []*kernel{a, b, c}}
	for _, test := range []struct {
		costs costs
		want  string // kernel for 1, 2, 3 and 10 messages
	}{
		{costs{"a": 1, "b": 1.5, "c": 12}, "abcc"},
		{costs{"a": 1, "b": 2.5, "c": 12}, "aacc"},
		{costs{"a": 1, "b": 1.5, "c": 16}, "abbc"},
		{costs{"a": 1, "b": 1.5, "c": 30}, "abbb"},
		{nil, "abcc"},
	} {
		ladder.tune(test.costs)
		got := ""
		for _, m := range []int{1, 2, 3, 10} {
			got += ladder.kernelFor(m).name
		}
		if got != test.want {
			t.Errorf("%v: got %s, want %s", test.costs, got, test.want)
		}
	}
}

func FuzzParseCache(f *testing.F) {
	f.Add([]byte(`{"version":3,"cpu":"x","seconds":{"generic":1e-9}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		kernels := allKernels()
		c := parseCache(b, kernels)
		if c == nil {
			return
		}
		for _, k := range kernels {
			if s := c.Seconds.of(k); !(s > 0 && s < 1) {
				t.Errorf("%s costs %v", k.name, s)
			}
		}
	})
}
