package digest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What a Sum may take, in bytes, beyond what the program takes that only has the
// list of items and a digest for each.
const memoryBound = 64 << 20

// Names of what a child of TestPeakMemory is told.
const (
	peakTree      = "DIGEST_TEST_PEAK_TREE"
	peakDir       = "DIGEST_TEST_PEAK_DIR"
	peakAlgorithm = "DIGEST_TEST_PEAK_ALGORITHM"
	peakThreads   = "DIGEST_TEST_PEAK_THREADS" // -1: make the list only
)

// peakTrees are what the children hash, from files on disk.
var peakTrees = map[string]func(dir string) []Item{
	"100,000 small files": func(dir string) []Item {
		items := make([]Item, 100_000)
		for i := range items {
			items[i] = peakItem(dir, "small")
		}
		return items
	},
	"huge files": func(dir string) []Item {
		var items []Item
		for range 4 {
			items = append(items, peakItem(dir, "huge"))
		}
		return items
	},
}

func peakItem(dir, name string) Item {
	path := filepath.Join(dir, name)
	return Item{Name: path, Length: -1, Size: -1, Open: func() (File, error) { return os.Open(path) }}
}

// The whole process stays within the bound, what the kernel counts of mapped files
// included, whatever the sizes and the number of files.
func TestPeakMemory(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("reads gigabytes, and the race detector takes memory of its own")
	}
	dir := t.TempDir()
	small, huge := filepath.Join(dir, "small"), filepath.Join(dir, "huge")
	if err := errors.Join(os.WriteFile(small, make([]byte, 4000), 0o600), os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 512<<20)); err != nil {
		t.Fatal(err)
	}
	for tree := range peakTrees {
		list := peakOf(t, dir, tree, SHA256, -1)
		for _, algorithm := range []Algorithm{SHA256, BLAKE3, BLAKE2b} {
			for _, threads := range map[string][]int{"100,000 small files": {0}, "huge files": {0, 32}}[tree] {
				used := peakOf(t, dir, tree, algorithm, threads) - list
				t.Logf("%s, %s, %d threads: %d MiB beyond %d", tree, algorithm, threads, used>>20, list>>20)
				if used > memoryBound {
					t.Errorf("%s, %s, %d threads: %d MiB", tree, algorithm, threads, used>>20)
				}
			}
		}
	}
	// The measurement sees what a process takes.
	if used := peakOf(t, dir, "hog", SHA256, -1) - peakOf(t, dir, "huge files", SHA256, -1); used <= memoryBound {
		t.Errorf("a process that has taken 80 MiB is seen to take %d", used>>20)
	}
}

// peakOf is the most memory that a process had which hashed a tree, in bytes.
func peakOf(t *testing.T, dir, tree string, algorithm Algorithm, threads int) int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPeakMemoryChild$", "-test.v")
	cmd.Env = append(os.Environ(), peakTree+"="+tree, peakDir+"="+dir, peakAlgorithm+"="+string(algorithm), peakThreads+"="+strconv.Itoa(threads))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", tree, err, out)
	}
	_, text, _ := strings.Cut(string(out), "peak ")
	text, _, _ = strings.Cut(text, " KiB")
	kib, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v\n%s", tree, err, out)
	}
	return kib << 10
}

// TestPeakMemoryChild is the process that TestPeakMemory measures.
func TestPeakMemoryChild(t *testing.T) {
	tree, ok := os.LookupEnv(peakTree)
	if !ok {
		t.Skip("it is TestPeakMemory that runs it")
	}
	threads, err := strconv.Atoi(os.Getenv(peakThreads))
	if err != nil {
		t.Fatal(err)
	}
	var results []Result
	switch {
	case tree == "hog":
		results = []Result{{Digest: bytes.Repeat([]byte{1}, 80<<20)}}
	case threads < 0:
		results = make([]Result, len(peakTrees[tree](os.Getenv(peakDir))))
		for i := range results {
			results[i].Digest = make([]byte, 32)
		}
	default:
		h := Hasher{Algorithm: Algorithm(os.Getenv(peakAlgorithm)), Threads: threads}
		if results, err = h.Sum(context.Background(), peakTrees[tree](os.Getenv(peakDir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, res := range results {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, " kB")
	fmt.Printf("peak %s KiB\n", strings.TrimSpace(peak))
}
