//go:build !race

package programs

// raceFlags are for building the programs as the test was built: without the race detector.
var raceFlags []string
