package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
)

func object(t testing.TB, curve int) (*Object, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curves[curve].curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	params, err := asn1.Marshal(curves[curve].oid)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &Object{KeyType: keyTypeEC, Params: params, Point: point}, key
}

func TestPublicKey(t *testing.T) {
	for i := range curves {
		o, key := object(t, i)
		wrapped, err := asn1.Marshal(o.Point)
		if err != nil {
			t.Fatal(err)
		}
		for form, point := range map[string][]byte{"as it is": o.Point, "in an OCTET STRING": wrapped} {
			o.Point = point
			got, err := o.PublicKey()
			if err != nil || !got.Equal(&key.PublicKey) {
				t.Errorf("%s, point %s: %v, %v", key.Curve.Params().Name, form, got, err)
			}
		}
	}
}

func TestPublicKeyRefused(t *testing.T) {
	p224, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 33})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*Object)
		want string
	}{
		"RSA":           {func(o *Object) { o.KeyType = 0 }, "of type RSA"},
		"Ed25519":       {func(o *Object) { o.KeyType = 0x40 }, "Ed25519"},
		"unknown":       {func(o *Object) { o.KeyType = 0x80000001 }, "0x80000001"},
		"no curve":      {func(o *Object) { o.Params = nil }, "does not name its curve"},
		"another curve": {func(o *Object) { o.Params = p224 }, "1.3.132.0.33"},
		"no point":      {func(o *Object) { o.Point = nil }, "not well formed"},
		"not on it":     {func(o *Object) { o.Point[9] ^= 1 }, "not on P-256"},
		"compressed":    {func(o *Object) { o.Point = append([]byte{4, 33, 2}, o.Point[1:33]...) }, "not on P-256"},
		"behind it":     {func(o *Object) { o.Point = append([]byte{4, 65}, append(o.Point, 0)...) }, "not well formed"},
	} {
		o, _ := object(t, 0)
		c.edit(o)
		if _, err := o.PublicKey(); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestEncodeSignature(t *testing.T) {
	_, key := object(t, 2)
	digest := make([]byte, 64)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	raw := append(r.FillBytes(make([]byte, 66)), s.FillBytes(make([]byte, 66))...)
	signature, err := encodeSignature(&key.PublicKey, raw)
	if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
		t.Errorf("does not verify: %x, %v", signature, err)
	}
	for _, bad := range [][]byte{nil, raw[1:], append(raw, 0)} {
		if _, err := encodeSignature(&key.PublicKey, bad); err == nil {
			t.Errorf("a signature of %d bytes is taken", len(bad))
		}
	}
}

func FuzzPublicKey(f *testing.F) {
	for i := range curves {
		o, _ := object(f, i)
		f.Add(o.Params, o.Point)
	}
	f.Fuzz(func(t *testing.T, params, point []byte) {
		key, err := (&Object{KeyType: keyTypeEC, Params: params, Point: point}).PublicKey()
		if (key == nil) == (err == nil) || err == nil && !onCurve(key) {
			t.Errorf("%x, %x: %v, %v", params, point, key, err)
		}
	})
}

func onCurve(key *ecdsa.PublicKey) bool {
	_, err := key.ECDH()
	return err == nil && key.Curve != elliptic.P224()
}
