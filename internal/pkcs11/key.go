package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// ErrKey says that a token's key is of another kind than models are signed with, or not well formed.
var ErrKey = errors.New("key on the token can not be used")

// keyTypes names the usual values of CKA_KEY_TYPE (PKCS #11 v3.0, section 4.7).
var keyTypes = map[uint64]string{0: "RSA", 1: "DSA", 3: "ECDSA", 0x40: "Ed25519 or Ed448", 0x41: "X25519 or X448"}

const keyTypeEC = 3

// curves are those that models are signed with, by the object identifier in CKA_EC_PARAMS.
var curves = []struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
}

// PublicKey makes the public key of what the module says of an object.
func (o *Object) PublicKey() (*ecdsa.PublicKey, error) {
	if o.KeyType != keyTypeEC {
		name, ok := keyTypes[o.KeyType]
		if !ok {
			name = fmt.Sprintf("number %#x of PKCS #11", o.KeyType)
		}
		return nil, fmt.Errorf("%w: it is of type %s, supported are ECDSA on P-256, P-384 and P-521", ErrKey, name)
	}
	curve, err := parseCurve(o.Params)
	if err != nil {
		return nil, err
	}
	return parsePoint(curve, o.Point)
}

// parseCurve reads CKA_EC_PARAMS: an object identifier.
func parseCurve(der []byte) (elliptic.Curve, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(der, &oid); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: it does not name its curve by an object identifier", ErrKey)
	}
	for _, c := range curves {
		if c.oid.Equal(oid) {
			return c.curve, nil
		}
	}
	return nil, fmt.Errorf("%w: it is on the curve %s, supported are P-256, P-384 and P-521", ErrKey, oid)
}

// parsePoint reads CKA_EC_POINT: an uncompressed point in an OCTET STRING, or, as some modules have it, without that.
func parsePoint(curve elliptic.Curve, b []byte) (*ecdsa.PublicKey, error) {
	size := 1 + 2*((curve.Params().BitSize+7)/8)
	point := b
	if len(b) != size {
		point = nil
		if rest, err := asn1.Unmarshal(b, &point); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("%w: its public point is not well formed", ErrKey)
		}
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("%w: its public point is not on %s", ErrKey, curve.Params().Name)
	}
	return key, nil
}

// encodeSignature makes the ASN.1 form of a signature as PKCS #11 has it: r and s in halves of equal size.
func encodeSignature(key *ecdsa.PublicKey, raw []byte) ([]byte, error) {
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(raw) != 2*size {
		return nil, fmt.Errorf("signature has %d bytes, expected %d", len(raw), 2*size)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
}
