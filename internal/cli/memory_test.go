package cli

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// Nothing is collected at first; with the first collection, which memory brings
// about, all is as usual again.
func TestCollectLater(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	usual := debug.SetGCPercent(90)
	defer func() {
		debug.SetGCPercent(usual)
		debug.SetMemoryLimit(math.MaxInt64)
	}()
	collectLater()
	if now := debug.SetGCPercent(-1); now != -1 {
		t.Fatalf("the percentage is %d", now)
	}
	var hoard [][]byte
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if len(hoard) < 64 {
			hoard = append(hoard, make([]byte, 1<<20))
		}
		now := debug.SetGCPercent(-1)
		if now == 90 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the percentage stays %d with %d MiB in use", now, len(hoard))
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("the limit stays %d bytes", limit)
	}
	runtime.KeepAlive(hoard)
}

// Who has said when to collect is heeded.
func TestCollectAsAsked(t *testing.T) {
	t.Setenv("GOGC", "80")
	usual := debug.SetGCPercent(80)
	defer debug.SetGCPercent(usual)
	collectLater()
	if now := debug.SetGCPercent(80); now != 80 {
		t.Errorf("the percentage is %d", now)
	}
}
