// Package stopwatch measures whole processes, for the benchmarks of this project. The programs do not import it.
package stopwatch

import (
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// Usage is what one run of a command took.
type Usage struct {
	Wall time.Duration
	CPU  time.Duration // of all cores, the command's own children included
	Peak int64         // resident memory in bytes; 0 where the system does not tell
}

// Run runs a command that has to succeed, and says what it took. Neither stdout nor stderr may be set: the error
// holds what was printed.
func Run(cmd *exec.Cmd) (Usage, error) {
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		return Usage{}, fmt.Errorf("%w: %s", err, out)
	}
	return Usage{Wall: wall, CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Peak: peak(cmd.ProcessState)}, nil
}

// Median is the middle value of something of the runs, of which there is at least one; of an even number it is the larger
// of the two in the middle.
func Median[T cmp.Ordered](runs []Usage, of func(Usage) T) T {
	values := make([]T, len(runs))
	for i, u := range runs {
		values[i] = of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// Wall is that part of a usage, for [Median].
func Wall(u Usage) time.Duration { return u.Wall }

// CPU is that part of a usage, for [Median].
func CPU(u Usage) time.Duration { return u.CPU }

// Peak is that part of a usage, for [Median].
func Peak(u Usage) int64 { return u.Peak }

// Range returns the shortest and the longest wall time of the runs, of which there is at least one.
func Range(runs []Usage) (shortest, longest time.Duration) {
	byWall := func(a, b Usage) int { return cmp.Compare(a.Wall, b.Wall) }
	return slices.MinFunc(runs, byWall).Wall, slices.MaxFunc(runs, byWall).Wall
}
