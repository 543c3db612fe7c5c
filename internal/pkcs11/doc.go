// Package pkcs11 signs with keys that PKCS #11 modules give access to: security tokens, smart cards, HSMs. RFC 7512's URIs
// say which.
//
// A module is a shared library of somebody else's. It never runs in this process: a helper program, git-model-sign-pkcs11,
// loads it and is asked by pipes, one line of JSON each way. So a module that crashes, hangs or writes where it should not
// ends a signature and harms nothing else; and this program can be linked statically, without a C library.
// Package pkcs11/module is the helper's half. This package starts the helper, finds the PIN, and judges what comes back: a
// module's answers are foreign input.
//
// A PIN is tried once and never again, since tokens lock themselves after a few wrong ones. It goes to the helper by its
// standard input, and is in no error and no argument list.
package pkcs11
