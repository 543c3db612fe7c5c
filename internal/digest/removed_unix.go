//go:build unix

package digest

import (
	"io/fs"
	"syscall"
)

// removed says whether a file has lost its last name: it was deleted, or another
// one has taken its place.
func removed(before, after fs.FileInfo) bool {
	b, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	a, ok := after.Sys().(*syscall.Stat_t)
	return ok && b.Nlink > 0 && a.Nlink == 0
}
