package sign

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"slices"

	"golang.org/x/crypto/scrypt"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Encrypted PKCS #8 keys: EncryptedPrivateKeyInfo (RFC 5958) by the scheme PBES2 (RFC 8018, section 6.2), with PBKDF2 or
// scrypt (RFC 7914) and a block cipher in CBC mode, as OpenSSL and Python's cryptography write and read them.

// Bounds on what a key file may ask for, so that it costs seconds at most, and memory that a small machine has. OpenSSL asks
// for 2,048 iterations by default, others for up to a million.
const (
	maxIterations   = 10_000_000
	maxScryptMemory = 256 << 20 // bytes: 128 * cost * block size
	maxScryptWork   = 1 << 24   // cost * block size * parallelization; OpenSSL asks for 1 << 17
	maxSalt         = 1024      // bytes
)

// What is written: iterations as OWASP advises for PBKDF2 with HMAC-SHA-256, which take a fraction of a second. Not scrypt,
// because OpenSSL refuses to spend more than 32 MiB on reading such a key.
const (
	iterations = 600_000
	saltSize   = 16
)

type encryptedPrivateKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

type scryptParams struct {
	Salt                             []byte
	Cost, BlockSize, Parallelization int
	KeyLength                        int `asn1:"optional"`
}

var (
	oidPBES2          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidHMACWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// parseEncrypted decrypts an encrypted PKCS #8 key. Everything about it is checked before the passphrase is asked for.
func parseEncrypted(der []byte, passphrase func() ([]byte, error)) (*ecdsa.PrivateKey, error) {
	e, err := readEncryption(der)
	if err != nil {
		return nil, err
	}
	if passphrase == nil {
		return nil, fmt.Errorf("%w: the key is encrypted, and no passphrase was given", ErrPassphrase)
	}
	secret, err := passphrase()
	defer clear(secret)
	if err != nil {
		return nil, fmt.Errorf("asking for the private key's passphrase: %w", err)
	}
	key, err := e.deriveKey(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: deriving the key that it is encrypted with: %s", ErrKey, plain.Line(err.Error()))
	}
	defer clear(key)
	text, ok := e.decrypt(key)
	if !ok {
		return nil, fmt.Errorf("%w, or the file is damaged", ErrPassphrase)
	}
	defer clear(text)
	private, err := parsePKCS8(text)
	if errors.Is(err, ErrKey) {
		// Chance made one in 256 wrong keys look right.
		return nil, fmt.Errorf("%w, or the file is damaged", ErrPassphrase)
	}
	return private, err
}

// encryption is how a key is encrypted, checked: decrypt can not fail but by a wrong key.
type encryption struct {
	deriveKey func(passphrase []byte) ([]byte, error)
	newCipher func(key []byte) (cipher.Block, error)
	iv, data  []byte
}

func readEncryption(der []byte) (*encryption, error) {
	var info encryptedPrivateKeyInfo
	var scheme pbes2Params
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("%w: encrypted PKCS #8 key is not well formed: %s", ErrKey, plain.Line(err.Error()))
	}
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, encryptionError("scheme %s, expected PBES2", info.Algorithm.Algorithm)
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, encryptionError("parameters that are not well formed")
	}
	e := &encryption{data: info.Data}
	keySize, err := e.readCipher(scheme.Cipher)
	if err != nil {
		return nil, err
	}
	e.deriveKey, err = readKDF(scheme.KDF, keySize)
	return e, err
}

// readCipher reads the cipher, and returns the length of its key in bytes.
func (e *encryption) readCipher(a pkix.AlgorithmIdentifier) (keySize int, err error) {
	blockSize := aes.BlockSize
	e.newCipher = aes.NewCipher
	switch oid := a.Algorithm.String(); oid {
	case "2.16.840.1.101.3.4.1.2":
		keySize = 16
	case "2.16.840.1.101.3.4.1.22":
		keySize = 24
	case "2.16.840.1.101.3.4.1.42":
		keySize = 32
	case "1.2.840.113549.3.7": // OpenSSL's choice before 1.1
		keySize, blockSize, e.newCipher = 24, des.BlockSize, des.NewTripleDESCipher
	default:
		return 0, encryptionError("cipher %s, expected AES in CBC mode", oid)
	}
	if _, err := asn1.Unmarshal(a.Parameters.FullBytes, &e.iv); err != nil || len(e.iv) != blockSize {
		return 0, encryptionError("an initialization vector that does not suit its cipher")
	}
	if len(e.data) == 0 || len(e.data)%blockSize != 0 {
		return 0, encryptionError("%d bytes of cipher text, expected a multiple of %d", len(e.data), blockSize)
	}
	return keySize, nil
}

func readKDF(a pkix.AlgorithmIdentifier, keySize int) (func([]byte) ([]byte, error), error) {
	switch {
	case a.Algorithm.Equal(oidPBKDF2):
		var p pbkdf2Params
		if _, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil || len(p.Salt) > maxSalt || p.KeyLength != 0 && p.KeyLength != keySize {
			return nil, encryptionError("PBKDF2 parameters that are not well formed")
		}
		if p.Iterations < 1 || p.Iterations > maxIterations {
			return nil, encryptionError("%d iterations of PBKDF2, expected 1 to %d", p.Iterations, maxIterations)
		}
		newHash := prf(p.PRF.Algorithm)
		if newHash == nil {
			return nil, encryptionError("PBKDF2 by %s, expected HMAC with SHA-1 or SHA-2", p.PRF.Algorithm)
		}
		return func(pass []byte) ([]byte, error) {
			return pbkdf2.Key(newHash, string(pass), p.Salt, p.Iterations, keySize)
		}, nil
	case a.Algorithm.Equal(oidScrypt):
		var p scryptParams
		if _, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil || len(p.Salt) > maxSalt || p.KeyLength != 0 && p.KeyLength != keySize {
			return nil, encryptionError("scrypt parameters that are not well formed")
		}
		if !p.bounded() {
			return nil, encryptionError("scrypt with cost %d, block size %d and parallelization %d, which is out of bounds", p.Cost, p.BlockSize, p.Parallelization)
		}
		return func(pass []byte) ([]byte, error) {
			return scrypt.Key(pass, p.Salt, p.Cost, p.BlockSize, p.Parallelization, keySize)
		}, nil
	}
	return nil, encryptionError("key derivation %s, expected PBKDF2 or scrypt", a.Algorithm)
}

func (p *scryptParams) bounded() bool {
	const limit = 1 << 24 // lest the products overflow
	return p.Cost > 1 && p.BlockSize > 0 && p.Parallelization > 0 &&
		p.Cost < limit && p.BlockSize < limit && p.Parallelization < limit &&
		p.Cost <= maxScryptMemory/128/p.BlockSize && p.Cost*p.BlockSize <= maxScryptWork/p.Parallelization
}

// prf returns the hash of PBKDF2's pseudorandom function, or nil; where none is named it is SHA-1 (RFC 8018, appendix A.2).
func prf(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// decrypt returns the plain text, and whether its padding is right (RFC 8018, appendix B.2.5). Padding oracles are of no
// concern: whoever can call this has the file and guesses at leisure.
func (e *encryption) decrypt(key []byte) ([]byte, bool) {
	block, err := e.newCipher(key)
	if err != nil {
		return nil, false
	}
	text := make([]byte, len(e.data))
	cipher.NewCBCDecrypter(block, e.iv).CryptBlocks(text, e.data)
	n := int(text[len(text)-1])
	if n < 1 || n > block.BlockSize() || slices.ContainsFunc(text[len(text)-n:], func(b byte) bool { return int(b) != n }) {
		clear(text)
		return nil, false
	}
	return text[:len(text)-n], true
}

// encrypt encrypts a PKCS #8 key by PBKDF2 with HMAC-SHA-256 and AES-256-CBC.
func encrypt(pkcs8, passphrase []byte) ([]byte, error) {
	random := make([]byte, saltSize+aes.BlockSize)
	rand.Read(random)
	salt, iv := random[:saltSize], random[saltSize:]
	key, err := pbkdf2.Key(sha256.New, string(passphrase), salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(pkcs8)%aes.BlockSize
	data := make([]byte, len(pkcs8)+padding)
	for i := copy(data, pkcs8); i < len(data); i++ {
		data[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	kdf, err := identifier(oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: iterations,
		PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACWithSHA256, Parameters: asn1.NullRawValue}})
	if err != nil {
		return nil, err
	}
	aesCBC, err := identifier(oidAES256CBC, iv)
	if err != nil {
		return nil, err
	}
	scheme, err := identifier(oidPBES2, pbes2Params{kdf, aesCBC})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encryptedPrivateKeyInfo{scheme, data})
}

func identifier(oid asn1.ObjectIdentifier, params any) (pkix.AlgorithmIdentifier, error) {
	der, err := asn1.Marshal(params)
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der}}, err
}

// encryptionError says that a key is encrypted in a way that is not read here, and what to do.
func encryptionError(format string, args ...any) error {
	return fmt.Errorf("%w: it is encrypted with %s; convert it by openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW",
		ErrKey, plain.Line(fmt.Sprintf(format, args...)))
}
