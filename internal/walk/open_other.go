//go:build !unix

package walk

// nonBlock has no meaning where opening a file never waits.
const nonBlock = 0
