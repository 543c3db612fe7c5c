//go:build !race

package digest

// raceEnabled says that the race detector takes its part of time and memory.
const raceEnabled = false
