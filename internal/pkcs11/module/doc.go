// Package module is the half of package pkcs11 that runs in the helper program: it loads a PKCS #11 module, a shared library,
// and does with it what the other half asks for.
//
// It calls C without cgo, through purego, so that the helper is built everywhere without a C compiler. A module is trusted
// with this process and with nothing else: there is one module to a process, what it answers is bounded, and whoever reads
// the helper's answers takes them for foreign input.
//
// The layout of structures is that of PKCS #11 v2.40, whose names are used in comments; later versions keep it. On Windows
// CK_ULONG has four bytes and structures are packed, elsewhere it has the size of a pointer and structures are aligned.
package module
