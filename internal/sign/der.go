package sign

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

var (
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidP256        = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384        = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	oidP521        = asn1.ObjectIdentifier{1, 3, 132, 0, 35}
)

// privateKeyInfo is a PKCS #8 private key (RFC 5208).
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
}

// ecPrivateKey is a SEC 1 private key (RFC 5915), as far as its curve is concerned.
type ecPrivateKey struct {
	Version    int
	PrivateKey []byte
	Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
}

// parseSEC1 reads a SEC 1 key. The curve is looked at first, to name one that is not supported.
func parseSEC1(der []byte) (*ecdsa.PrivateKey, error) {
	var k ecPrivateKey
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, fmt.Errorf("%w: SEC 1 key is not well formed: %s", ErrKey, plain.Line(err.Error()))
	}
	if err := checkCurve(k.Curve); err != nil {
		return nil, err
	}
	private, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrKey, plain.Line(err.Error()))
	}
	return private, nil
}

// parsePKCS8 reads a PKCS #8 key. Keys of other types are named, and not parsed.
func parsePKCS8(der []byte) (*ecdsa.PrivateKey, error) {
	var k privateKeyInfo
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, fmt.Errorf("%w: PKCS #8 key is not well formed: %s", ErrKey, plain.Line(err.Error()))
	}
	defer clear(k.PrivateKey)
	if !k.Algorithm.Algorithm.Equal(oidECPublicKey) {
		return nil, keyTypeError(algorithmName(k.Algorithm.Algorithm))
	}
	var curve asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &curve); err != nil {
		return nil, keyTypeError("ECDSA on a curve without a name")
	}
	if err := checkCurve(curve); err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrKey, plain.Line(err.Error()))
	}
	return private.(*ecdsa.PrivateKey), nil // as the algorithm is id-ecPublicKey
}

func checkCurve(curve asn1.ObjectIdentifier) error {
	switch {
	case curve.Equal(oidP256), curve.Equal(oidP384), curve.Equal(oidP521):
		return nil
	case len(curve) == 0:
		return keyTypeError("ECDSA on a curve without a name")
	}
	return keyTypeError("ECDSA on " + algorithmName(curve))
}

func keyTypeError(found string) error {
	return fmt.Errorf("%w: it is %s, supported are %s", ErrKeyType, found, verify.SupportedKeys)
}

// algorithmName names what people may have keys of, and gives the number of anything else.
func algorithmName(oid asn1.ObjectIdentifier) string {
	switch oid.String() {
	case "1.2.840.113549.1.1.1":
		return "RSA"
	case "1.2.840.113549.1.1.10":
		return "RSA-PSS"
	case "1.2.840.10040.4.1":
		return "DSA"
	case "1.3.101.110":
		return "X25519"
	case "1.3.101.112":
		return "Ed25519"
	case "1.3.101.113":
		return "Ed448"
	case "1.3.132.0.33":
		return "P-224"
	case "1.3.132.0.10":
		return "secp256k1"
	}
	return plain.Line(oid.String())
}
