package cli

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

// unhurried is the memory in bytes that a program may take before anything is
// collected. Hashing maps as much again.
const unhurried = 32 << 20

// collectLater puts the first garbage collection off until there is something
// worth collecting: most runs end before, and with many small files collections
// of a few megabytes each would take a tenth of the time. From then on all is as
// usual. Whoever has set GOGC or GOMEMLIMIT wants something else.
func collectLater() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	usual := debug.SetGCPercent(-1)
	debug.SetMemoryLimit(unhurried)
	first := new([16]byte)
	runtime.AddCleanup(first, func(percent int) {
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(percent)
	}, usual)
}
