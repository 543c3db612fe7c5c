package digest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// go test -run TestStress -stress 5m ./internal/digest looks longer.
var stressFor = flag.Duration("stress", 2*time.Second, "how long TestStress takes")

// Whatever files do, and whenever the context ends, Sum returns, says the same of
// each item as a plain loop would, and leaves no goroutine behind.
func TestStress(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	source := content(rand.New(rand.NewPCG(7, 7)), 5<<20)
	disk := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(disk, source, 0o600); err != nil {
		t.Fatal(err)
	}
	goroutines := runtime.NumGoroutine()
	rounds := 0
	for end := time.Now().Add(*stressFor); time.Now().Before(end); rounds++ {
		seed := uint64(time.Now().UnixNano())
		runtime.GOMAXPROCS(1 + int(seed>>8%4))
		if !stressRound(t, seed, source, disk) {
			return
		}
	}
	t.Logf("%d rounds", rounds)
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			t.Fatalf("%d goroutines were left behind", runtime.NumGoroutine()-goroutines)
		}
	}
}

// stressPatience is how long a round may take that works on a few megabytes.
const stressPatience = time.Minute

// stressRound hashes one random tree, and says whether to go on.
func stressRound(t *testing.T, seed uint64, source []byte, disk string) bool {
	r := rand.New(rand.NewPCG(seed, 8))
	backends := available()
	h := Hasher{Threads: 1 + r.IntN(9), Backend: backends[r.IntN(len(backends))].name}
	if r.IntN(4) == 0 {
		h.Algorithm = []Algorithm{BLAKE2b, BLAKE3}[r.IntN(2)]
	}
	items, files := stressTree(r, source, disk)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cancels := r.IntN(3) == 0
	if cancels {
		time.AfterFunc(time.Duration(r.IntN(20_000))*time.Microsecond, cancel)
	}
	watchdog := time.AfterFunc(stressPatience, func() {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(fmt.Sprintf("seed %d: %+v on %d items is not done after %v", seed, h, len(items), stressPatience))
	})
	defer watchdog.Stop()
	results, err := h.Sum(ctx, items)
	if err != nil {
		if !cancels || !errors.Is(err, context.Canceled) || results != nil {
			t.Errorf("seed %d: %v, %v", seed, results, err)
		}
		return !t.Failed()
	}
	for i, res := range results {
		want, wantErr := files[i].plainly(h.Algorithm)
		if !bytes.Equal(res.Digest, want) || !errors.Is(res.Err, wantErr) || (res.Err == nil) != (wantErr == nil) {
			t.Errorf("seed %d: item %d (%+v): %x, %v; want %x, %v", seed, i, files[i], res.Digest, res.Err, want, wantErr)
		}
	}
	return !t.Failed()
}

// stressTree makes up to a few hundred items: mostly small, some of many
// chunks, some ranges of a file on disk, some broken, some slow.
func stressTree(r *rand.Rand, source []byte, disk string) ([]Item, []*stressFile) {
	var items []Item
	var files []*stressFile
	most := 1 << r.IntN(9)
	for range r.IntN(most + 1) {
		size := r.IntN(3)
		switch r.IntN(10) {
		case 0:
			size = r.IntN(len(source))
		case 1, 2:
			size = r.IntN(300_000)
		case 3, 4, 5, 6:
			size = r.IntN(9000)
		}
		if len(items) > 40 {
			size = min(size, 20_000) // so that a round stays short
		}
		off := r.IntN(len(source) - size)
		f := &stressFile{content: source[off : off+size], trouble: trouble(max(0, r.IntN(40)-40+int(troubles)))}
		f.at = int64(r.IntN(size + 1))
		if r.IntN(30) == 0 {
			f.delay = time.Duration(r.IntN(4000)) * time.Microsecond
		}
		it := Item{Name: fmt.Sprint(len(items)), Length: -1, Size: int64(size), Open: f.open}
		if r.IntN(5) == 0 {
			it.Size = -1
		}
		if r.IntN(5) == 0 {
			f.trouble = none
			it.Open = func() (File, error) { return os.Open(disk) }
			it.Offset, it.Length, it.Size = int64(off), int64(size), int64(len(source))
		}
		items, files = append(items, it), append(files, f)
	}
	return items, files
}

// trouble is what is wrong with a file.
type trouble int

const (
	none trouble = iota
	noOpen
	noStat
	noRead  // from some offset on
	shrunk  // ends there
	changes // has another time after it was opened
	troubles
)

var errStress = errors.New("broken for the test")

// stressFile is a file in memory that may go wrong in a way.
type stressFile struct {
	content []byte
	trouble trouble
	at      int64
	delay   time.Duration // of each read
	stats   int
}

func (f *stressFile) String() string {
	return fmt.Sprintf("%d bytes, trouble %d at %d", len(f.content), f.trouble, f.at)
}

// plainly is the digest that the file has, or the error.
func (f *stressFile) plainly(a Algorithm) ([]byte, error) {
	switch {
	case f.trouble == noOpen, f.trouble == noStat, f.trouble == noRead && f.at < int64(len(f.content)):
		return nil, errStress
	case f.trouble == shrunk && f.at < int64(len(f.content)), f.trouble == changes:
		return nil, ErrChanged
	}
	if a == "" {
		a = SHA256
	}
	h, err := a.New()
	if err != nil {
		return nil, err
	}
	h.Write(f.content)
	return h.Sum(nil), nil
}

func (f *stressFile) open() (File, error) {
	if f.trouble == noOpen {
		return nil, errStress
	}
	return f, nil
}

func (f *stressFile) Close() error { return nil }

func (f *stressFile) Stat() (fs.FileInfo, error) {
	f.stats++
	if f.trouble == noStat {
		return nil, errStress
	}
	info := memoryInfo{size: int64(len(f.content))}
	if f.trouble == changes && f.stats > 1 {
		info.modified = time.Unix(1, 0)
	}
	return info, nil
}

func (f *stressFile) ReadAt(p []byte, off int64) (int, error) {
	if f.delay > 0 {
		time.Sleep(f.delay)
	}
	end := off + int64(len(p))
	if f.trouble == noRead && end > f.at && len(p) > 0 {
		return 0, errStress
	}
	content := f.content
	if f.trouble == shrunk {
		content = content[:f.at]
	}
	n := copy(p, content[min(off, int64(len(content))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
