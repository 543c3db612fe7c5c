package verifytest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"google.golang.org/protobuf/encoding/protojson"
)

// Instance is a Sigstore instance without servers: Fulcio, Rekor v1 and v2, and a timestamp authority as functions.
type Instance struct {
	// Timestamps are further timestamp authorities that the trusted root names.
	Timestamps []*TimestampAuthority

	sigstore  *ca.VirtualSigstore
	authority *Authority // which certifies the keys of others
	rekor     *rekor
}

// NewInstance makes an instance with keys of its own.
func NewInstance(t testing.TB) *Instance {
	t.Helper()
	vs, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return &Instance{sigstore: vs, authority: NewRoot(t, "sigstore"), rekor: newRekor(t)}
}

// TrustedRoot returns the trusted root as JSON, with the instance's certificate transparency log if ctlog says so. Its
// certificates are in no such log.
func (i *Instance) TrustedRoot(t testing.TB, ctlog bool) []byte {
	t.Helper()
	var ctlogs map[string]*root.TransparencyLog
	if ctlog {
		ctlogs = logs(t, i.sigstore.CTLogs())
	}
	authorities := append(i.sigstore.FulcioCertificateAuthorities(), &root.FulcioCertificateAuthority{
		Root: i.authority.Certificate, ValidityPeriodStart: i.authority.Certificate.NotBefore,
	})
	stamps := i.sigstore.TimestampingAuthorities()
	for _, a := range i.Timestamps {
		stamps = append(stamps, &root.SigstoreTimestampingAuthority{Root: a.Certificate, Leaf: a.Leaf, ValidityPeriodStart: a.Leaf.NotBefore})
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, ctlogs, stamps, i.rekor.trusted())
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// logs corrects the logs' identifiers, which VirtualSigstore gives in hex.
func logs(t testing.TB, in map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
	t.Helper()
	for id, l := range in {
		var err error
		if l.ID, err = hex.DecodeString(id); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// Bundle signs a payload as an identity does, and returns the bundle.
func (i *Instance) Bundle(t testing.TB, identity, issuer string, payload []byte) []byte {
	t.Helper()
	return i.Signer(t, identity, issuer).Bundle(t, payload)
}

// Signer is an identity with its key, in the roles of sigstore-go's sign package: Keypair, CertificateProvider,
// Transparency, and a timestamp authority. Its certificate is valid for ten minutes from when it was made.
type Signer struct {
	Certificate *x509.Certificate
	// Rekor is which kind of log it logs at. In v2, which tells no time, a timestamp goes with the entry.
	Rekor Rekor
	// Delay is how much later than now the log says that it saw a signature.
	Delay    time.Duration
	instance *Instance
	key      *ecdsa.PrivateKey
}

// Signer certifies a new key for an identity.
func (i *Instance) Signer(t testing.TB, identity, issuer string) *Signer {
	t.Helper()
	cert, key, err := i.sigstore.GenerateLeafCert(identity, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{Certificate: cert, instance: i, key: key.(*ecdsa.PrivateKey)}
}

// JobSigner certifies a new key for a job of a platform such as GitHub Actions, with the extensions that Fulcio writes for it:
// the number behind 1.3.6.1.4.1.57264.1, and the value, which from 8 on is DER.
func (i *Instance) JobSigner(t testing.TB, identity, issuer string, claims map[int]string) *Signer {
	t.Helper()
	key := NewKey(t, elliptic.P256())
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	var extensions []pkix.Extension
	for number, value := range claims {
		e := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}, Value: []byte(value)}
		if number >= 8 {
			if e.Value, err = asn1.MarshalWithParams(value, "utf8"); err != nil {
				t.Fatal(err)
			}
		}
		extensions = append(extensions, e)
	}
	cert, err := i.issue(identity, issuer, string(public), time.Now(), extensions...)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{Certificate: cert, instance: i, key: key}
}

// At returns the same identity, key and certificate at another instance, where they are not known.
func (s *Signer) At(i *Instance) *Signer {
	return &Signer{Certificate: s.Certificate, Rekor: s.Rekor, instance: i, key: s.key}
}

// Bundle signs a payload and returns the bundle.
func (s *Signer) Bundle(t testing.TB, payload []byte) []byte {
	t.Helper()
	b, err := sign.Bundle(&sign.DSSEData{Data: payload, PayloadType: "application/vnd.in-toto+json"}, s, sign.BundleOptions{
		CertificateProvider: s, TransparencyLogs: []sign.Transparency{s},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// GetHashAlgorithm returns SHA-256.
func (s *Signer) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

// GetSigningAlgorithm returns ECDSA on P-256 with SHA-256.
func (s *Signer) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

// GetHint returns nothing: a certificate is named by itself.
func (s *Signer) GetHint() []byte { return nil }

// GetKeyAlgorithm returns "ECDSA".
func (s *Signer) GetKeyAlgorithm() string { return "ECDSA" }

// GetPublicKey returns the public key.
func (s *Signer) GetPublicKey() crypto.PublicKey { return s.key.Public() }

// GetPublicKeyPem returns the public key in PEM.
func (s *Signer) GetPublicKeyPem() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// SignData signs.
func (s *Signer) SignData(_ context.Context, data []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(data)
	signature, err = ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	return signature, sum[:], err
}

// GetCertificate returns the certificate, for whatever token.
func (s *Signer) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return s.Certificate.Raw, nil
}

// GetTimestamp returns an RFC 3161 timestamp over a signature.
func (s *Signer) GetTimestamp(_ context.Context, signature []byte) ([]byte, error) {
	return s.instance.sigstore.TimestampResponse(signature)
}

// GetTransparencyLogEntry logs the bundle's signature.
func (s *Signer) GetTransparencyLogEntry(ctx context.Context, _ []byte, b *protobundle.Bundle) error {
	at, e := time.Now().Add(s.Delay), b.GetDsseEnvelope()
	signature := e.GetSignatures()[0].GetSig()
	var body []byte
	var err error
	if s.Rekor == RekorV2 {
		body, err = hashedRekord(s.Certificate, dsse.PAE(e.GetPayloadType(), e.GetPayload()), signature)
	} else {
		body, err = s.dsse(e, at)
	}
	if err != nil {
		return err
	}
	entry, err := s.instance.Log(s.Rekor, body, at)
	if err != nil {
		return err
	}
	b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, entry)
	if s.Rekor == RekorV1 || b.VerificationMaterial.TimestampVerificationData != nil {
		return nil
	}
	stamp, err := s.GetTimestamp(ctx, signature)
	b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
	}
	return err
}

// dsse is how Rekor v1 writes an envelope down.
func (s *Signer) dsse(e *protodsse.Envelope, at time.Time) ([]byte, error) {
	signature := e.GetSignatures()[0].GetSig()
	env := &dsse.Envelope{PayloadType: e.GetPayloadType(), Payload: base64.StdEncoding.EncodeToString(e.GetPayload()),
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(signature)}}}
	entry, err := s.instance.sigstore.GenerateTlogEntry(s.Certificate, env, signature, at.Unix(), false)
	if err != nil {
		return nil, err
	}
	return entry.TransparencyLogEntry().GetCanonicalizedBody(), nil
}
