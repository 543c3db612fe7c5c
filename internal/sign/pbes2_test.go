package sign

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

// TestCostlyKeys checks that a key file can not make us compute for minutes or take gigabytes, and that it is refused before
// anybody is asked for a passphrase.
func TestCostlyKeys(t *testing.T) {
	salt := make([]byte, 16)
	for name, c := range map[string]struct {
		kdf    asn1.ObjectIdentifier
		params any
		text   string
	}{
		"iterations":          {oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: maxIterations + 1}, "iterations"},
		"no iterations":       {oidPBKDF2, pbkdf2Params{Salt: salt}, "iterations"},
		"negative iterations": {oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: -1}, "iterations"},
		"salt":                {oidPBKDF2, pbkdf2Params{Salt: make([]byte, maxSalt+1), Iterations: 1}, "not well formed"},
		"key length":          {oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: 1, KeyLength: 16}, "not well formed"},
		"another PRF":         {oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: 1, PRF: pkix.AlgorithmIdentifier{Algorithm: oidScrypt}}, "expected HMAC"},
		"scrypt memory":       {oidScrypt, scryptParams{Salt: salt, Cost: 1 << 20, BlockSize: 8, Parallelization: 1}, "out of bounds"},
		"scrypt work":         {oidScrypt, scryptParams{Salt: salt, Cost: 1 << 14, BlockSize: 8, Parallelization: 1 << 10}, "out of bounds"},
		"scrypt overflow":     {oidScrypt, scryptParams{Salt: salt, Cost: 1 << 40, BlockSize: 1 << 40, Parallelization: 1 << 40}, "out of bounds"},
		"scrypt nothing":      {oidScrypt, scryptParams{Salt: salt}, "out of bounds"},
		"scrypt negative":     {oidScrypt, scryptParams{Salt: salt, Cost: 16, BlockSize: -8, Parallelization: -1}, "out of bounds"},
		"another KDF":         {oidAES256CBC, salt, "expected PBKDF2 or scrypt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKey(encryptedKey(t, c.kdf, c.params, oidAES256CBC, salt, make([]byte, 64)), func() ([]byte, error) {
				t.Error("the passphrase is asked for")
				return nil, nil
			})
			if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want %v with %q", err, ErrKey, c.text)
			}
		})
	}
}

// TestOddCipherText has what makes block ciphers panic.
func TestOddCipherText(t *testing.T) {
	params := pbkdf2Params{Salt: make([]byte, 8), Iterations: 1}
	for name, c := range map[string]struct{ iv, data []byte }{
		"no data":      {make([]byte, 16), nil},
		"half a block": {make([]byte, 16), make([]byte, 24)},
		"short IV":     {make([]byte, 8), make([]byte, 32)},
		"no IV":        {nil, make([]byte, 32)},
	} {
		_, err := NewKey(encryptedKey(t, oidPBKDF2, params, oidAES256CBC, c.iv, c.data), func() ([]byte, error) { return []byte("x"), nil })
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want %v", name, err, ErrKey)
		}
	}
}

// TestEveryWrongPassphrase tries so many that some of them leave a padding that looks right.
func TestEveryWrongPassphrase(t *testing.T) {
	key := encryptedKey(t, oidPBKDF2, pbkdf2Params{Salt: make([]byte, 8), Iterations: 1}, oidAES256CBC, make([]byte, 16), make([]byte, 128))
	for i := range 5000 {
		_, err := NewKey(key, func() ([]byte, error) { return []byte{byte(i), byte(i >> 8)}, nil })
		if !errors.Is(err, ErrPassphrase) {
			t.Fatalf("passphrase %d: %v, want %v", i, err, ErrPassphrase)
		}
	}
}

func encryptedKey(t *testing.T, kdf asn1.ObjectIdentifier, params any, cipher asn1.ObjectIdentifier, iv, data []byte) []byte {
	t.Helper()
	ids := make([]pkix.AlgorithmIdentifier, 3)
	var err error
	if ids[0], err = identifier(kdf, params); err != nil {
		t.Fatal(err)
	}
	if ids[1], err = identifier(cipher, iv); err != nil {
		t.Fatal(err)
	}
	if ids[2], err = identifier(oidPBES2, pbes2Params{ids[0], ids[1]}); err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(encryptedPrivateKeyInfo{ids[2], data})
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}
