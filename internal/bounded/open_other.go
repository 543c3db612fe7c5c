//go:build !unix

package bounded

// nonBlock has no meaning where opening a file never waits.
const nonBlock = 0
