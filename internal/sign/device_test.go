package sign_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// device is a token or a key service that may be broken.
type device struct {
	public crypto.PublicKey
	sign   func(digest []byte) ([]byte, error)
}

func (d device) Public() crypto.PublicKey { return d.public }

func (d device) SignDigest(_ context.Context, digest []byte) ([]byte, error) { return d.sign(digest) }

func TestDevice(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private := verifytest.NewKey(t, curve)
		key, err := sign.NewDevice(device{private.Public(), func(digest []byte) ([]byte, error) {
			return ecdsa.SignASN1(rand.Reader, private, digest)
		}})
		if err != nil {
			t.Fatal(err)
		}
		trusted, err := verify.NewKey(verify.EncodePublicKey(&private.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, key, trusted)
	}
}

// A device that signs something else, or with another key, makes no signature.
func TestDeviceIsNotBelieved(t *testing.T) {
	private, other := verifytest.NewKey(t, elliptic.P256()), verifytest.NewKey(t, elliptic.P256())
	failure := errors.New("taken out")
	for name, c := range map[string]struct {
		sign func(digest []byte) ([]byte, error)
		want error
	}{
		"another key":    {func(d []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, other, d) }, sign.ErrDevice},
		"another digest": {func(d []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, private, d[1:]) }, sign.ErrDevice},
		"nothing":        {func([]byte) ([]byte, error) { return nil, nil }, sign.ErrDevice},
		"an error":       {func([]byte) ([]byte, error) { return nil, failure }, failure},
	} {
		key, err := sign.NewDevice(device{private.Public(), c.sign})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := key.Sign(t.Context(), payload(t)); !errors.Is(err, c.want) || b != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestDeviceType(t *testing.T) {
	for _, public := range []crypto.PublicKey{
		ed25519.PublicKey(make([]byte, 32)), &rsa.PublicKey{N: big.NewInt(15), E: 3}, &verifytest.NewKey(t, elliptic.P224()).PublicKey, nil,
	} {
		if _, err := sign.NewDevice(device{public: public}); !errors.Is(err, sign.ErrKeyType) {
			t.Errorf("%T: %v", public, err)
		}
	}
}
