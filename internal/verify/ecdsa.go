package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512 for crypto.Hash
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// SupportedKeys says for error messages what the format allows (OMS v1.0: ECDSA on these curves only).
const SupportedKeys = "ECDSA on P-256, P-384 and P-521"

// Hash returns the hash that a key signs with, which the format fixes by the key's curve, and whether the format knows it.
func Hash(key *ecdsa.PublicKey) (crypto.Hash, bool) {
	switch key.Curve.Params().Name {
	case "P-256":
		return crypto.SHA256, true
	case "P-384":
		return crypto.SHA384, true
	case "P-521":
		return crypto.SHA512, true
	}
	return 0, false
}

// KeyType names a public key's algorithm for people.
func KeyType(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA on " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", public)
}

// EncodePublicKey returns the PEM block "PUBLIC KEY" of a key on one of the format's curves.
func EncodePublicKey(public *ecdsa.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil // not for the curves that Hash knows, which all callers have checked
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// KeyHint returns what a bundle names a key by: the hex SHA-256 of the key's PEM block, line breaks and all.
func KeyHint(public *ecdsa.PublicKey) string {
	sum := sha256.Sum256(EncodePublicKey(public))
	return hex.EncodeToString(sum[:])
}

// KeyID returns a hint as people read it: "SHA256:" and the hint. A hint that is no SHA-256 is foreign text, and quoted.
func KeyID(hint string) string {
	if b, err := hex.DecodeString(hint); err != nil || len(b) != sha256.Size {
		return plain.Quote(hint)
	}
	return "SHA256:" + hint
}

// maxLegacyPayload is the largest payload, in bytes, that is tried in the older encoding, which can take four times as much
// memory. It has room for 400,000 files; models signed before 1.0 had hundreds.
const maxLegacyPayload = 64 << 20

// signed reports whether the bundle's signature is public's over the bundle's payload. Signers before 1.0 signed another
// encoding of it, for certificates always with SHA-256: legacy is the hash to try that one with.
func signed(public *ecdsa.PublicKey, b *oms.Bundle, legacy crypto.Hash) bool {
	hash, ok := Hash(public)
	if !ok {
		return false
	}
	return ecdsa.VerifyASN1(public, digest(hash, oms.PAE(b.PayloadType, b.Payload)), b.Signature) ||
		len(b.Payload) <= maxLegacyPayload &&
			ecdsa.VerifyASN1(public, digest(legacy, oms.LegacyPAE(b.PayloadType, b.Payload)), b.Signature)
}

func digest(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// checkPayloadType comes after the signature, which covers the payload type.
func checkPayloadType(b *oms.Bundle) error {
	if b.PayloadType != oms.PayloadType {
		return refuse(oms.ErrFormat, "payload type is %s, expected %s", plain.Quote(b.PayloadType), oms.PayloadType)
	}
	return nil
}
