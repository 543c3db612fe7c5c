// Package verify decides whether a signature is to be believed: by the key, the certificate authorities or the Sigstore identity
// that the caller trusts. It turns a bundle into the manifest that was signed, and says who signed it.
//
// The method follows from what the caller trusts, never from what the bundle says of itself: a bundle made by another method
// is refused. Nothing in a bundle is a root of trust, and nothing of its payload is read before the signature over it has been
// checked. The package opens no file, and uses the network only where Sigstore's own trusted root has to be fetched by TUF.
package verify

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
)

// The reasons for which a signature is refused. Every error of Verify and [Manifest] wraps one of them, or [oms.ErrFormat] for
// bytes that are no well-formed signature, or [ErrUnavailable]. The texts of those errors are one line that names the cause,
// without the text of the reason.
var (
	// ErrMethod: made by another method than the caller trusts.
	ErrMethod = errors.New("another signing method")
	// ErrSignature: the signature does not match payload and key; one of the three was changed.
	ErrSignature = errors.New("wrong signature")
	// ErrUntrusted: made with a key or a certificate that the caller does not trust, or a certificate that is not for signing.
	ErrUntrusted = errors.New("untrusted signer")
	// ErrExpired: a certificate was not valid at the time that counts.
	ErrExpired = errors.New("certificate not valid")
	// ErrTimestamp: beside ErrExpired, there is a timestamp, and it is not believed.
	ErrTimestamp = errors.New("timestamp not believed")
	// ErrIdentity: made by somebody else, whom the Sigstore instance did identify.
	ErrIdentity = errors.New("another identity")
	// ErrLog: no trusted log or timestamp proves when the signature was made.
	ErrLog = errors.New("not proven by a transparency log")
)

// ErrUnavailable is wrapped by errors that are no verdict: Sigstore's trusted root could not be fetched.
var ErrUnavailable = sigstore.ErrUnavailable

// ErrConfig is wrapped by errors of the constructors: what was given to be trusted can not be used.
var ErrConfig = errors.New("trust")

// IsStranger says whether a refusal is of a signature that nobody whom the caller trusts has made, or by a certificate that does
// not say what was asked for. Any other may be of a signature by one of them that was broken.
func IsStranger(err error) bool {
	if all := (refusals)(nil); errors.As(err, &all) {
		return !slices.ContainsFunc(all, func(err error) bool { return !IsStranger(err) })
	}
	return errors.Is(err, ErrMethod) || errors.Is(err, ErrUntrusted) || errors.Is(err, ErrIdentity)
}

// Verifier checks bundles against one thing that the caller trusts. Those of this package may be used from several
// goroutines.
type Verifier interface {
	// Method is the method that the verifier is for.
	Method() oms.Material
	// Verify checks method, signature and payload type, and returns who signed. It does not read the payload.
	Verify(ctx context.Context, b *oms.Bundle) (*Signer, error)
}

// Manifest returns the manifest that a bundle holds and who signed it, if one of the verifiers accepts the signature. If
// none does, the error is that of the verifiers for the bundle's method, all of them in one line if there are several.
func Manifest(ctx context.Context, bundle []byte, verifiers ...Verifier) (*oms.Manifest, *Signer, error) {
	b, err := oms.ParseBundle(bundle)
	if err != nil {
		return nil, nil, err
	}
	signer, err := accept(ctx, b, verifiers)
	if err != nil {
		return nil, nil, err
	}
	m, err := oms.ParseStatement(b.Payload)
	if err != nil {
		return nil, nil, err
	}
	return m, signer, nil
}

func accept(ctx context.Context, b *oms.Bundle, verifiers []Verifier) (*Signer, error) {
	var refusals refusals
	for _, v := range verifiers {
		if v.Method() != b.Material {
			continue
		}
		signer, err := v.Verify(ctx, b)
		if err == nil {
			return signer, nil
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		refusals = append(refusals, err)
	}
	switch len(refusals) {
	case 0:
		return nil, methodError(b, verifiers...)
	case 1:
		return nil, refusals[0]
	}
	return nil, refusals
}

// refusals are the errors of several verifiers.
type refusals []error

func (r refusals) Error() string {
	var b strings.Builder
	seen := make(map[string]bool)
	for _, err := range r {
		if text := err.Error(); !seen[text] {
			if seen[text] = true; b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(text)
		}
	}
	return b.String()
}

func (r refusals) Unwrap() []error { return r }

// methodError says which method was found and which were asked for.
func methodError(b *oms.Bundle, asked ...Verifier) error {
	if len(asked) == 0 {
		return refuse(ErrMethod, "signature was made with %s, and no key, certificate or identity is trusted", made(b.Material))
	}
	var names []string
	seen := make(map[oms.Material]bool)
	for _, v := range asked {
		if !seen[v.Method()] {
			seen[v.Method()] = true
			names = append(names, made(v.Method()))
		}
	}
	return refuse(ErrMethod, "signature was made with %s, %s was asked for", made(b.Material), strings.Join(names, " or "))
}

// checkMethod refuses a bundle that another verifier is for.
func checkMethod(v Verifier, b *oms.Bundle) error {
	if v.Method() != b.Material {
		return methodError(b, v)
	}
	return nil
}

func made(m oms.Material) string {
	if m == oms.MaterialSigstore {
		return "a Sigstore identity"
	}
	return "a " + m.String()
}
