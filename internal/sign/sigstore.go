package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	sigverify "github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// SigstoreOptions say who signs, by which Sigstore instance. Without TrustConfig and TrustedRoot it is the public one, or
// with Staging the staging one, whose configuration is then fetched by TUF when something is signed.
type SigstoreOptions struct {
	// Token gets an OpenID Connect identity token for Audience. It is called at most once, when everything else that can fail has
	// been done, because a token lives for minutes, and somebody may have to sign in for it.
	Token func(context.Context) (string, error)
	// Audience is whom the instance wants tokens to be for; "sigstore" if empty.
	Audience string
	// Announce, if there is one, is told whom the signature will name, before any service hears of it; and again should the
	// certificate then name another, before the signature is logged.
	Announce func(identity, issuer string)
	// TrustConfig is a ClientTrustConfig; TrustedRoot and SigningConfig are its two parts as files of their own.
	TrustConfig                []byte
	TrustedRoot, SigningConfig []byte
	Staging                    bool
	// CacheDir is where TUF metadata is kept; see [sigstore.Options].
	CacheDir string
	// UserAgent is what requests say that they come from, where Sigstore's clients let us choose.
	UserAgent string
}

// DefaultAudience is whom tokens are for at the public instance, and at others that have no reason to differ.
const DefaultAudience = "sigstore"

// Sigstore signs with a key that exists for one signature only, certified by a Sigstore instance for the identity that a
// token proves. The signature is made public in the instance's transparency log. Make it with NewSigstore.
type Sigstore struct {
	options  SigstoreOptions
	instance *sigstore.Instance
	signer   *verify.Signer // of the last signature

	token    *idtoken.Token // once it has been got
	tokenErr error          // or why it has not

	now     func() time.Time
	newKey  func() (sign.Keypair, error)
	connect func(context.Context) (*services, error)
}

// NewSigstore checks the configuration. It does not use the network.
func NewSigstore(o SigstoreOptions) (*Sigstore, error) {
	if o.Token == nil {
		return nil, fmt.Errorf("%w: there is none", ErrToken)
	}
	if o.Audience == "" {
		o.Audience = DefaultAudience
	}
	s := &Sigstore{options: o, now: time.Now}
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

// Prepare fetches what signing needs to know of the instance, and chooses services once, so that no model is hashed for an hour
// before it turns out that the instance cannot be used.
func (s *Sigstore) Prepare(ctx context.Context) error {
	if _, err := s.instance.TrustedRoot(ctx); err != nil {
		return err
	}
	_, err := s.connect(ctx) // which sends nothing to the services
	return err
}

// Issuer is the URL of the issuer at which people sign in for the instance, as its signing config has it; "" if that names none.
// Whoever has a token needs none.
func (s *Sigstore) Issuer(ctx context.Context) (string, error) {
	config, err := s.instance.SigningConfig(ctx)
	if err != nil {
		return "", err
	}
	if len(config.OIDCProviderURLs()) == 0 {
		return "", nil
	}
	provider, err := root.SelectService(config.OIDCProviderURLs(), []uint32{1}, s.now().UTC().Round(0))
	if err != nil {
		return "", configError("no issuer of identity tokens that can be used: %s", err)
	}
	return provider.URL, nil
}

// Instance names the instance for people.
func (s *Sigstore) Instance() string { return s.instance.String() }

// identify gets the token, the first time, and checks it, every time: hashing a model takes time.
func (s *Sigstore) identify(ctx context.Context) (*idtoken.Token, error) {
	if s.token == nil && s.tokenErr == nil {
		raw, err := s.options.Token(ctx)
		if err == nil {
			s.token, err = idtoken.Parse(raw)
		}
		s.tokenErr = err
	}
	if s.tokenErr != nil {
		return nil, s.tokenErr
	}
	return s.token, s.token.Check(s.options.Audience, s.now())
}

func (s *Sigstore) announce(identity, issuer string) {
	if s.options.Announce != nil {
		s.options.Announce(identity, issuer)
	}
}

// Describe names the identity and its provider as the last signature's certificate does; before Sign they are not known.
func (s *Sigstore) Describe() string {
	if s.signer == nil {
		return "a Sigstore identity"
	}
	return fmt.Sprintf("identity %s via %s", plain.Name(s.signer.Identity), plain.Name(s.signer.Issuer))
}

// Sign has the identity certified, signs, has the signature timestamped and logged, and verifies the bundle by the
// instance's trusted root. Nothing is logged unless the certificate is one that the trusted root knows, and its own log too. Nothing is tried twice.
func (s *Sigstore) Sign(ctx context.Context, payload []byte) ([]byte, error) {
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
	token, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	identity, issuer := token.Certificate()
	s.announce(identity, issuer)
	leaf, err := s.certify(ctx, at, key, trusted)
	if err != nil {
		return nil, err
	}
	if summary, err := certificate.SummarizeCertificate(leaf); err == nil && (summary.SubjectAlternativeName != identity || summary.Issuer != issuer) {
		s.announce(summary.SubjectAlternativeName, summary.Issuer)
	}
	b := &protobundle.Bundle{MediaType: oms.BundleMediaType, VerificationMaterial: &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
	}}
	content.Bundle(b, signature, digest, key.GetHashAlgorithm())
	if err := s.publish(ctx, at, trusted, leaf, b); err != nil {
		return nil, err
	}
	out, err := s.finish(ctx, leaf, b)
	if err != nil {
		return nil, &outcome{err, ErrMaybeLogged}
	}
	return out, nil
}

// certify gets the certificate for the token's identity and the key, and checks that it is what was asked for.
func (s *Sigstore) certify(ctx context.Context, at *services, key sign.Keypair, trusted *root.TrustedRoot) (*x509.Certificate, error) {
	der, err := at.authority.client.GetCertificate(ctx, key, &sign.CertificateProviderOptions{IDToken: s.token.Raw()})
	if err != nil {
		return nil, at.authority.failed(err, s.token.Raw())
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, at.authority.failed(fmt.Errorf("it answered with a certificate that is not well formed: %w", err), s.token.Raw())
	}
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !public.Equal(key.GetPublicKey()) {
		return nil, at.authority.failed(errors.New("it answered with a certificate for another key"), s.token.Raw())
	}
	chains, err := sigverify.VerifyLeafCertificate(leaf.NotBefore, leaf, trusted)
	if err != nil {
		return nil, at.authority.failed(fmt.Errorf("it answered with a certificate issued by %s, which the trusted root does not know", plain.Name(leaf.Issuer.String())), s.token.Raw())
	}
	if len(trusted.CTLogs()) > 0 && sigverify.VerifySignedCertificateTimestamp(chains, 1, trusted) != nil {
		return nil, at.authority.failed(errors.New("it answered with a certificate that is in no certificate transparency log of the trusted root"), s.token.Raw())
	}
	return leaf, nil
}

// publish adds timestamps and log entries to the bundle.
func (s *Sigstore) publish(ctx context.Context, at *services, trusted *root.TrustedRoot, leaf *x509.Certificate, b *protobundle.Bundle) error {
	material, signature := b.VerificationMaterial, b.GetDsseEnvelope().GetSignatures()[0].GetSig()
	for _, authority := range at.timestamps {
		stamp, err := authority.client.GetTimestamp(ctx, signature)
		if err != nil {
			return authority.failed(err, s.token.Raw())
		}
		var at time.Time
		known := func(a root.TimestampingAuthority) bool {
			verified, err := a.Verify(stamp, signature)
			if err == nil {
				at = verified.Time
			}
			return err == nil
		}
		if !slices.ContainsFunc(trusted.TimestampingAuthorities(), known) {
			return authority.failed(errors.New("it answered with a timestamp that the trusted root does not know, or for something else"), s.token.Raw())
		}
		if err := during(leaf, at); err != nil {
			return authority.failed(err, s.token.Raw())
		}
		if material.TimestampVerificationData == nil {
			material.TimestampVerificationData = new(protobundle.TimestampVerificationData)
		}
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps,
			&protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	for i, log := range at.logs {
		err := log.client.GetTransparencyLogEntry(ctx, certPEM, b)
		if n := len(material.TlogEntries); err == nil && n > 0 && material.TlogEntries[n-1].IntegratedTime != 0 {
			err = during(leaf, time.Unix(material.TlogEntries[n-1].IntegratedTime, 0))
		}
		if err != nil {
			err = log.failed(err, s.token.Raw(), len(b.GetDsseEnvelope().GetPayload()))
			if i > 0 {
				err = &outcome{err, ErrMaybeLogged} // by the log before
			}
			return err
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
