package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// ErrDevice: what a token or key service returned as a signature is none by its key.
var ErrDevice = errors.New("signature is not returned, as it would not verify: the device that made it is broken, or signed something else")

// Device signs with a private key that stays where it is: in a token, or with a key service.
type Device interface {
	// Public is the public half.
	Public() crypto.PublicKey
	// SignDigest returns the ASN.1 signature over a digest, which was made by the hash that belongs to the key's curve.
	SignDigest(ctx context.Context, digest []byte) ([]byte, error)
}

// NewDevice makes a key of a device. The device is not believed: each signature is verified before it is handed out.
func NewDevice(d Device) (*Key, error) {
	public, ok := d.Public().(*ecdsa.PublicKey)
	if ok {
		_, ok = verify.Hash(public)
	}
	if !ok {
		return nil, fmt.Errorf("%w: it is %s, supported are %s", ErrKeyType, verify.KeyType(d.Public()), verify.SupportedKeys)
	}
	return &Key{public: public, signDigest: func(ctx context.Context, digest []byte) ([]byte, error) {
		signature, err := d.SignDigest(ctx, digest)
		if err != nil {
			return nil, err
		}
		if !ecdsa.VerifyASN1(public, digest, signature) {
			return nil, ErrDevice
		}
		return signature, nil
	}}, nil
}
