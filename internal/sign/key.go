package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Key signs with a private key. Make it with NewKey or NewDevice.
type Key struct {
	// TimestampURLs are the RFC 3161 timestamp authorities that each signature is taken to, so that it can be known when it was
	// made, also where a certificate expires.
	TimestampURLs []string

	public     *ecdsa.PublicKey
	signDigest func(ctx context.Context, digest []byte) ([]byte, error)
	unasked    error // see Unasked
}

// NewKey reads an ECDSA private key on P-256, P-384 or P-521 from PEM: SEC 1 ("EC PRIVATE KEY"), PKCS #8 ("PRIVATE KEY") or
// encrypted PKCS #8 ("ENCRYPTED PRIVATE KEY"). Other blocks beside it, as openssl's "EC PARAMETERS" or certificates, are
// skipped; a second private key is an error. The passphrase function is called only if the key is encrypted, and what it
// returns is overwritten after use; it may be nil.
func NewKey(pemBytes []byte, passphrase func() ([]byte, error)) (*Key, error) {
	block, err := findPrivateKey(pemBytes)
	if err != nil {
		return nil, err
	}
	defer clear(block.Bytes)
	var private *ecdsa.PrivateKey
	switch block.Type {
	case "EC PRIVATE KEY":
		private, err = parseSEC1(block.Bytes)
	case "PRIVATE KEY":
		private, err = parsePKCS8(block.Bytes)
	default:
		private, err = parseEncrypted(block.Bytes, passphrase)
	}
	if err != nil {
		return nil, err
	}
	return &Key{public: &private.PublicKey, signDigest: func(_ context.Context, digest []byte) ([]byte, error) {
		return ecdsa.SignASN1(rand.Reader, private, digest)
	}}, nil
}

// Public returns the public key.
func (k *Key) Public() *ecdsa.PublicKey { return k.public }

// ID returns the key's fingerprint, as package verify does for the public key.
func (k *Key) ID() string { return verify.KeyID(verify.KeyHint(k.Public())) }

// Describe names the key by its fingerprint.
func (k *Key) Describe() string { return "key " + k.ID() }

// Sign returns a bundle that names the public key by its hint.
func (k *Key) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	signature, err := k.sign(ctx, payload)
	if err != nil {
		return nil, err
	}
	stamps, err := k.stamps(ctx, signature, nil)
	if err != nil {
		return nil, err
	}
	return oms.EncodeBundle(oms.Bundle{
		Material: oms.MaterialKey, KeyHint: verify.KeyHint(k.Public()), Timestamps: encoded(stamps),
		PayloadType: oms.PayloadType, Payload: payload, Signature: signature,
	})
}

// sign signs the payload's pre-authentication encoding with the hash that belongs to the curve.
func (k *Key) sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	hash, _ := verify.Hash(k.Public())
	h := hash.New()
	h.Write(oms.PAE(oms.PayloadType, payload))
	return k.signDigest(ctx, h.Sum(nil))
}

// findPrivateKey returns the one block that holds a private key of a supported form.
func findPrivateKey(b []byte) (found *pem.Block, err error) {
	if len(b) > verify.MaxPEMSize {
		return nil, fmt.Errorf("%w: file has %d bytes, the largest that is read has %d", ErrKey, len(b), verify.MaxPEMSize)
	}
	var other string
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
			if found != nil {
				return nil, fmt.Errorf("%w: file holds more than one", ErrKey)
			}
			found = block
		case "RSA PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY":
			return nil, fmt.Errorf("%w: PEM block %q, supported are %s in SEC 1 or PKCS #8", ErrKeyType, block.Type, verify.SupportedKeys)
		case "EC PARAMETERS":
		default:
			other = block.Type
		}
	}
	switch {
	case found != nil && (found.Headers["DEK-Info"] != "" || strings.Contains(found.Headers["Proc-Type"], "ENCRYPTED")):
		return nil, fmt.Errorf("%w: convert it by openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW", ErrLegacyPEM)
	case found != nil:
		return found, nil
	case other == "PUBLIC KEY":
		return nil, ErrPublicKey
	case other != "":
		return nil, fmt.Errorf("%w: expected a PEM block \"PRIVATE KEY\", found %s", ErrKey, plain.Quote(other))
	}
	return nil, fmt.Errorf("%w: expected a PEM block \"PRIVATE KEY\", found none", ErrKey)
}
