// Package oms reads and writes the signature format of OpenSSF Model Signing
// (OMS), version 1.0: https://github.com/ossf/model-signing-spec.
//
// A signature is a Sigstore bundle ([Bundle]). It carries a DSSE envelope, whose
// payload is an in-toto statement, whose predicate is a manifest of the model's
// files ([Manifest]). This package turns each into the other and holds them to
// the format: names are canonical, digests have the length of their algorithm,
// shards cover their file, the root digest is that of the files listed.
//
// It opens no file, knows no key and speaks to no network, and it judges no
// trust: what [ParseBundle] and [ParseStatement] return is well formed, and
// still only a claim. Package verify decides whether to believe it.
//
// Everything read is taken to be hostile. Size, depth and counts are bounded
// before memory is spent on them, the JSON is held to I-JSON (RFC 7493: no
// duplicate member, no invalid UTF-8, nothing after the value), and errors quote
// foreign text so that it is safe to print. Unknown members are skipped, as
// in-toto asks of its readers, after they have passed the same checks.
//
// Section numbers in comments are those of the OMS specification v1.0.
package oms

import (
	"errors"
	"fmt"
)

// Identifiers that the format fixes.
const (
	// PayloadType is the DSSE payload type of a model signature (section 6.7).
	PayloadType = "application/vnd.in-toto+json"

	// StatementType is the in-toto statement's _type (section 8.3).
	StatementType = "https://in-toto.io/Statement/v1"

	// PredicateType marks a manifest of version 1.0 (section 5.1).
	PredicateType = "https://model_signing/signature/v1.0"

	// LegacyPredicateType marks a manifest of version 0.2, which lists its
	// files as subjects (section 5.1). It is read and never written.
	LegacyPredicateType = "https://model_signing/Digests/v0.1"

	// BundleMediaType is the media type of the bundles that are written.
	BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

	// bundleMediaTypeParameter is the older spelling of the same version.
	bundleMediaTypeParameter = "application/vnd.dev.sigstore.bundle+json;version=0.3"
)

// ErrFormat is wrapped by every error about bytes that are not a well-formed
// signature, or values that would not make one. The error's text is one line
// that says what is wrong and where, without this error's own text.
var ErrFormat = errors.New("malformed signature")

// formatError is a sentence about malformed input that is an ErrFormat.
type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }

func (e *formatError) Unwrap() error { return ErrFormat }

// formatErrorf makes an error that wraps ErrFormat. Foreign text among args must
// be passed through quote.
func formatErrorf(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

// maxQuoted is how many bytes of a foreign string an error repeats.
const maxQuoted = 256

// quote returns a foreign string in double quotes, with everything that a
// terminal could act on escaped, and cut where it is longer than an error line
// should be.
func quote[T string | []byte](s T) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%q… (%d bytes)", string(s[:maxQuoted]), len(s))
	}
	return fmt.Sprintf("%q", string(s))
}
