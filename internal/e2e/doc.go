// Package e2e holds the tests of the whole: the real programs, built and put on PATH, run by the real git and the real git-lfs
// in a private HOME, against a git and LFS server on the loopback interface.
//
// The sessions under testdata/script read like what somebody types into a terminal, and anybody can add one:
// commands_test.go tells which commands there are besides testscript's own. What is a table rather than a session (tampering,
// interoperability with the reference signer, the corpus of real signatures, odd names, the documentation) is a Go test here.
//
// Nothing imports this package. What a test needs from outside the module, and what becomes of it where that is missing, is
// decided by package needs.
package e2e
