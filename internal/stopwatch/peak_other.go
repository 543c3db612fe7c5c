//go:build !linux

package stopwatch

import "os"

// peak is not known: systems count in different units, or not at all.
func peak(*os.ProcessState) int64 { return 0 }
