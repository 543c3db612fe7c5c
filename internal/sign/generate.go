package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// GenerateKey makes a key pair on a curve ("P-256", "P-384" or "P-521", also by openssl's names; P-256 if empty) and returns
// both parts as PEM. The private one is encrypted PKCS #8, or plain PKCS #8 if the passphrase is empty. The passphrase is
// left for the caller to overwrite.
func GenerateKey(curve string, passphrase []byte) (privatePEM, publicPEM []byte, err error) {
	c, err := curveByName(curve)
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	defer clear(der)
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	if len(passphrase) > 0 {
		block.Type = "ENCRYPTED PRIVATE KEY"
		if block.Bytes, err = encrypt(der, passphrase); err != nil {
			return nil, nil, err
		}
	}
	return pem.EncodeToMemory(block), verify.EncodePublicKey(&private.PublicKey), nil
}

func curveByName(name string) (elliptic.Curve, error) {
	switch strings.ToLower(strings.ReplaceAll(name, "-", "")) {
	case "", "p256", "prime256v1", "secp256r1":
		return elliptic.P256(), nil
	case "p384", "secp384r1":
		return elliptic.P384(), nil
	case "p521", "secp521r1":
		return elliptic.P521(), nil
	}
	return nil, fmt.Errorf("%w %s, expected P-256, P-384 or P-521", ErrCurve, plain.Quote(name))
}
