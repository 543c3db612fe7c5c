package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// MaxPEMSize is the largest PEM file of a key or of certificates that is read, in bytes.
const MaxPEMSize = 1 << 20

// Key accepts signatures that were made with one private key. Make it with NewKey.
type Key struct {
	// Timestamps are the authorities by whose word it is said when a signature was made; nil for none. A key does not expire,
	// so nothing else follows from a timestamp.
	Timestamps *TimestampAuthorities

	public *ecdsa.PublicKey
	id     string
}

// NewKey reads the public key to trust: a PEM block "PUBLIC KEY" with an ECDSA key on P-256, P-384 or P-521. Text before
// the block is skipped, as some programs print the key's parameters there.
func NewKey(publicPEM []byte) (*Key, error) {
	public, err := parsePublicKey(publicPEM)
	if err != nil {
		return nil, err
	}
	return &Key{public: public, id: KeyID(KeyHint(public))}, nil
}

// Method returns [oms.MaterialKey].
func (k *Key) Method() oms.Material { return oms.MaterialKey }

// Verify checks that the private key that belongs to k signed the bundle's payload.
func (k *Key) Verify(ctx context.Context, b *oms.Bundle) (*Signer, error) {
	if err := checkMethod(k, b); err != nil {
		return nil, err
	}
	if err := k.checkName(b); err != nil {
		return nil, err
	}
	hash, _ := Hash(k.public)
	if !signed(k.public, b, hash) {
		return nil, refuse(ErrSignature, "signature does not match the payload and the key %s: one of them was changed", k.id)
	}
	if err := checkPayloadType(b); err != nil {
		return nil, err
	}
	at, _, err := k.Timestamps.earliest(ctx, b)
	if err != nil {
		return nil, err
	}
	return &Signer{Method: k.Method().String(), Identity: k.id, Fingerprint: k.id, Key: k.id, Time: at, LogIndex: -1}, nil
}

// checkName refuses a bundle that names another key. What the bundle says can not make k's signature out of another's, so
// this only gives a better reason; a bundle that names no key, or in a form that is not understood, is left to the signature.
func (k *Key) checkName(b *oms.Bundle) error {
	id := KeyID(b.KeyHint)
	if b.KeyHint == "" {
		public, err := parsePublicKey(b.KeyBytes) // as signers before 1.1 wrote it
		if err != nil {
			return nil
		}
		id = KeyID(KeyHint(public))
	}
	if id != k.id {
		return refuse(ErrUntrusted, "signed by key %s, expected %s", id, k.id)
	}
	return nil
}

func parsePublicKey(b []byte) (*ecdsa.PublicKey, error) {
	if len(b) > MaxPEMSize {
		return nil, refuse(ErrConfig, "file has %d bytes, the largest that is read has %d", len(b), MaxPEMSize)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, refuse(ErrConfig, "expected a PEM block \"PUBLIC KEY\", found none")
	}
	if block.Type != "PUBLIC KEY" {
		return nil, refuse(ErrConfig, "expected a PEM block \"PUBLIC KEY\", found %s", plain.Quote(block.Type))
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, refuse(ErrConfig, "public key is not well formed, or of a kind that is not supported: %s", plain.Line(err.Error()))
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return nil, refuse(ErrConfig, "public key is of type %s, supported are %s", KeyType(public), SupportedKeys)
	}
	if _, ok := Hash(key); !ok {
		return nil, refuse(ErrConfig, "public key is of type %s, supported are %s", KeyType(public), SupportedKeys)
	}
	return key, nil
}
