// Package lfstest writes Git LFS pointers for tests and measurements. The programs only read them, and must not
// import it.
package lfstest

import (
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// Encode returns the canonical text of a pointer without extensions.
func Encode(p lfs.Pointer) []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", p.OID, p.Size)
}
