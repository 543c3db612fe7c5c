// Package sign makes signatures: a private key, a private key with a certificate, or a Sigstore identity turns the payload
// that package oms wrote into a bundle.
//
// It opens no file, asks nobody for anything but by the functions that it is given, and uses the network for Sigstore and
// timestamps only.
// Secrets are neither shown in an error nor kept longer than they are needed, as far as Go lets us know. It imports package
// verify because a signature that we would not accept is not handed out: keys and certificates are held to the verifier's
// rules, and what a Sigstore instance has made is verified before it is returned.
package sign

import (
	"context"
	"errors"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
)

// Signer makes bundles.
type Signer interface {
	// Sign returns the bundle for a payload, an in-toto statement.
	Sign(ctx context.Context, payload []byte) ([]byte, error)
	// Describe names the signer in one printable line. Sigstore's is known after Sign only, as it is the certificate's.
	Describe() string
	// Made says whether the bundle holds a valid signature by this same signer, so that signing again would change nothing.
	Made(ctx context.Context, b *oms.Bundle) bool
}

// Errors that callers tell apart. Those about keys, certificates, tokens and configuration come from the constructors, and
// mean that something else has to be given.
var (
	// ErrKey: there is no private key in what was given, or none that can be read.
	ErrKey = errors.New("no usable private key")
	// ErrKeyType: the private key is not ECDSA on P-256, P-384 or P-521.
	ErrKeyType = errors.New("private key is of a type that can not sign models")
	// ErrPublicKey: a public key was given in place of the private one.
	ErrPublicKey = errors.New("this is a public key, to sign takes the private key")
	// ErrLegacyPEM: the private key is encrypted in the way of old PEM files.
	ErrLegacyPEM = errors.New("private key is encrypted in the old PEM format (Proc-Type: 4,ENCRYPTED), which is not supported")
	// ErrPassphrase: the passphrase is wrong, or there is none.
	ErrPassphrase = errors.New("wrong passphrase for the private key")
	// ErrCurve: a key was to be generated on a curve that the format does not have.
	ErrCurve = errors.New("unknown curve")

	// ErrCertificate: the signing certificate or its chain can not be used. Where it is outside its validity the error
	// wraps verify.ErrExpired too.
	ErrCertificate = errors.New("signing certificate can not be used")
	// ErrMismatch: the signing certificate is another key's.
	ErrMismatch = errors.New("signing certificate does not belong to the private key")

	// ErrToken: the identity token can not be used.
	ErrToken = idtoken.ErrToken
	// ErrConfig: the trust configuration can not be used.
	ErrConfig = sigstore.ErrConfig
	// ErrService: a service of the Sigstore instance, or a timestamp authority, failed; the error is a *ServiceError.
	ErrService = errors.New("sigstore service failed")
	// ErrUnverified: what a Sigstore instance returned does not stand up to verification by the instance's own trusted root.
	ErrUnverified = errors.New("signature is not returned, as it would not verify")
	// ErrMaybeLogged: signing failed when a transparency log may have had the signature already. To sign again logs another.
	ErrMaybeLogged = errors.New("signature may be in the transparency log")
	// ErrMaybeTooLarge: a transparency log that is sent the whole statement failed, and this one is so large that this may be why.
	ErrMaybeTooLarge = errors.New("statement may be larger than the transparency log takes")
)
