package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	sigverify "github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// SigstoreOptions say who signs, by which Sigstore instance. Without TrustConfig and TrustedRoot it is the public one, or
// with Staging the staging one, whose configuration is then fetched by TUF when something is signed.
type SigstoreOptions struct {
	// Token is an OpenID Connect identity token for the audience that the instance expects, usually "sigstore".
	Token string
	// TrustConfig is a ClientTrustConfig; TrustedRoot and SigningConfig are its two parts as files of their own.
	TrustConfig                []byte
	TrustedRoot, SigningConfig []byte
	Staging                    bool
	// CacheDir is where TUF metadata is kept; see [sigstore.Options].
	CacheDir string
	// UserAgent is what requests say that they come from, where Sigstore's clients let us choose.
	UserAgent string
}

// Sigstore signs with a key that exists for one signature only, certified by a Sigstore instance for the identity that a
// token proves. The signature is made public in the instance's transparency log. Make it with NewSigstore.
type Sigstore struct {
	token    string
	instance *sigstore.Instance
	signer   *verify.Signer // of the last signature

	now     func() time.Time
	newKey  func() (sign.Keypair, error)
	connect func(context.Context) (*services, error)
}

// NewSigstore checks the token's form and the configuration. It does not use the network.
func NewSigstore(o SigstoreOptions) (*Sigstore, error) {
	s := &Sigstore{token: strings.TrimSpace(o.Token), now: time.Now}
	if err := checkToken(s.token, s.now()); err != nil {
		return nil, err
	}
	var err error
	s.instance, err = sigstore.Open(sigstore.Options{
		TrustConfig: o.TrustConfig, TrustedRoot: o.TrustedRoot, SigningConfig: o.SigningConfig,
		Staging: o.Staging, CacheDir: o.CacheDir, UserAgent: o.UserAgent,
	})
	if err != nil {
		return nil, err
	}
	if err := s.instance.CanSign(); err != nil {
		return nil, err
	}
	s.newKey = func() (sign.Keypair, error) { return sign.NewEphemeralKeypair(nil) }
	s.connect = func(ctx context.Context) (*services, error) {
		config, err := s.instance.SigningConfig(ctx)
		if err != nil {
			return nil, err
		}
		return connect(ctx, config, o.UserAgent)
	}
	return s, nil
}

// Describe names the identity and its provider as the last signature's certificate does; before Sign they are not known.
func (s *Sigstore) Describe() string {
	if s.signer == nil {
		return "a Sigstore identity"
	}
	return fmt.Sprintf("identity %s via %s", plain.Name(s.signer.Identity), plain.Name(s.signer.Issuer))
}

// Sign has the identity certified, signs, has the signature timestamped and logged, and verifies the bundle by the
// instance's trusted root. Nothing is logged unless the certificate is one that the trusted root knows. Nothing is tried twice.
func (s *Sigstore) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := checkToken(s.token, s.now()); err != nil {
		return nil, err // again, because hashing a model takes time
	}
	trusted, err := s.instance.TrustedRoot(ctx)
	if err != nil {
		return nil, err
	}
	at, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.newKey()
	if err != nil {
		return nil, fmt.Errorf("making a key for one signature: %w", err)
	}
	content := &sign.DSSEData{Data: payload, PayloadType: oms.PayloadType}
	signature, digest, err := key.SignData(ctx, oms.PAE(oms.PayloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	leaf, err := s.certify(ctx, at, key, trusted)
	if err != nil {
		return nil, err
	}
	b := &protobundle.Bundle{MediaType: oms.BundleMediaType, VerificationMaterial: &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
	}}
	content.Bundle(b, signature, digest, key.GetHashAlgorithm())
	if err := s.publish(ctx, at, trusted, leaf, b); err != nil {
		return nil, err
	}
	return s.finish(ctx, leaf, b)
}

// certify gets the certificate for the token's identity and the key, and checks that it is what was asked for.
func (s *Sigstore) certify(ctx context.Context, at *services, key sign.Keypair, trusted *root.TrustedRoot) (*x509.Certificate, error) {
	der, err := at.authority.client.GetCertificate(ctx, key, &sign.CertificateProviderOptions{IDToken: s.token})
	if err != nil {
		return nil, at.authority.failed(err, s.token)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, at.authority.failed(fmt.Errorf("it answered with a certificate that is not well formed: %w", err), s.token)
	}
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !public.Equal(key.GetPublicKey()) {
		return nil, at.authority.failed(errors.New("it answered with a certificate for another key"), s.token)
	}
	if _, err := sigverify.VerifyLeafCertificate(leaf.NotBefore, leaf, trusted); err != nil {
		return nil, at.authority.failed(fmt.Errorf("it answered with a certificate issued by %s, which the trusted root does not know", plain.Name(leaf.Issuer.String())), s.token)
	}
	return leaf, nil
}

// publish adds timestamps and log entries to the bundle.
func (s *Sigstore) publish(ctx context.Context, at *services, trusted *root.TrustedRoot, leaf *x509.Certificate, b *protobundle.Bundle) error {
	material, signature := b.VerificationMaterial, b.GetDsseEnvelope().GetSignatures()[0].GetSig()
	for _, authority := range at.timestamps {
		stamp, err := authority.client.GetTimestamp(ctx, signature)
		if err != nil {
			return authority.failed(err, s.token)
		}
		known := func(a root.TimestampingAuthority) bool { _, err := a.Verify(stamp, signature); return err == nil }
		if !slices.ContainsFunc(trusted.TimestampingAuthorities(), known) {
			return authority.failed(errors.New("it answered with a timestamp that the trusted root does not know, or for something else"), s.token)
		}
		if material.TimestampVerificationData == nil {
			material.TimestampVerificationData = new(protobundle.TimestampVerificationData)
		}
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps,
			&protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	for _, log := range at.logs {
		if err := log.client.GetTransparencyLogEntry(ctx, certPEM, b); err != nil {
			return log.failed(err, s.token)
		}
	}
	return nil
}

// finish encodes the bundle and believes it only as any verifier would.
func (s *Sigstore) finish(ctx context.Context, leaf *x509.Certificate, b *protobundle.Bundle) ([]byte, error) {
	out, err := protojson.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encoding the bundle: %w", err)
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnverified, plain.Line(err.Error()))
	}
	verifier, err := verify.NewSigstore(verify.SigstoreOptions{
		Identity: summary.SubjectAlternativeName, Issuer: summary.Issuer, Instance: s.instance,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	parsed, err := oms.ParseBundle(out)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	signer, err := verifier.Verify(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	s.signer = signer
	return out, nil
}
