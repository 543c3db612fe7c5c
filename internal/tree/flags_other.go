//go:build !unix

package tree

// openFlags has no counterpart here: no file of a folder can hold an opener up.
const openFlags = 0
