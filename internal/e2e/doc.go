// Package e2e holds the tests of the whole: the real programs, built and put on PATH, run by the real git and the real git-lfs
// in a private HOME, against a git and LFS server on the loopback interface.
//
// The sessions under testdata/script read like what somebody types into a terminal, and anybody can add one:
// commands_test.go tells which commands there are besides testscript's own. What is a table rather than a session (tampering,
// interoperability with the reference signer, the corpus of real signatures, odd names, the documentation) is a Go test here.
//
// Sessions with the Hugging Face Hub have one of their own (package hubserver), which the Hub's real client takes for the Hub; so
// they can tell what hf does with a host that lies, and what our programs do. A session with all of it:
//
//	[!hf] skip 'needs hf'
//	hub start                                # $HF_ENDPOINT is its address
//	hub client                               # hf is on PATH
//	hub repo org/model model                 # publish the git repository model
//	hub fault corrupt weights.safetensors    # same size, other bytes
//	exec hf download org/model
//	hub asked 1 '^GET cdn .* auth=none'      # requests that match
//	hub sent <20k                            # bytes of all answers
//
// Every subcommand is described in hubserver_test.go, every fault in hubserver/fault.go.
//
// The sessions of testdata/sigstack, and the tests called TestSigstack..., sign at a Sigstore instance of real servers; they are
// skipped unless package sigstack runs them: go run ./internal/e2e/sigstack.
//
// Nothing imports this package. What a test needs from outside the module, and what becomes of it where that is missing, is
// decided by package needs.
package e2e
