package verify

import (
	"bytes"
	"context"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
)

// SigstoreOptions say whom to trust, and by which Sigstore instance. Without TrustedRoot and TrustConfig it is the public
// one, or with Staging the staging one, whose trusted root is then fetched by TUF when the first bundle is verified.
type SigstoreOptions struct {
	// Identity and Issuer are one signer to trust; see [Identity].
	Identity, Issuer string
	// Identities are further ones. Any of them will do.
	Identities []Identity
	// TrustedRoot and TrustConfig are a trusted_root.json or a ClientTrustConfig; either field may hold either.
	TrustedRoot, TrustConfig []byte
	Staging                  bool
	// CacheDir is where TUF metadata is kept; see [sigstore.Options].
	CacheDir string
	// UserAgent is what requests to a TUF mirror say that they come from.
	UserAgent string
	// Instance, where it is not nil, stands for all of the above but the identities.
	Instance *sigstore.Instance
}

// Sigstore accepts signatures of the identities to trust that a Sigstore instance has certified and logged. Make it with
// NewSigstore.
type Sigstore struct {
	identities []matcher // none for anybody
	policy     verify.PolicyOption
	instance   *sigstore.Instance
}

// NewSigstore checks the options. It does not use the network.
func NewSigstore(o SigstoreOptions) (*Sigstore, error) {
	s := new(Sigstore)
	identities := o.Identities
	if o.Identity != "" || o.Issuer != "" || len(identities) == 0 {
		identities = append([]Identity{{ID: o.Identity, Issuer: o.Issuer}}, identities...)
	}
	var accepted []verify.PolicyOption
	for _, i := range identities {
		m, err := newMatcher(i)
		if err != nil {
			return nil, refuse(ErrConfig, "%s", plain.Line(err.Error()))
		}
		s.identities = append(s.identities, m)
		accepted = append(accepted, verify.WithCertificateIdentity(m.certificate))
	}
	s.policy = anyOf(accepted)
	if err := s.open(o); err != nil {
		return nil, err
	}
	return s, nil
}

// anyOf accepts what one of the options accepts.
func anyOf(accepted []verify.PolicyOption) verify.PolicyOption {
	return func(p *verify.PolicyConfig) error {
		for _, accept := range accepted {
			if err := accept(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// NewAnyIdentity makes a verifier that accepts whoever the instance has certified, and says who it was. What it returns is
// no reason to believe a signature: it is for package pins, which compares the signer with the one it has met before.
func NewAnyIdentity(o SigstoreOptions) (*Sigstore, error) {
	s := &Sigstore{policy: verify.WithoutIdentitiesUnsafe()}
	if err := s.open(o); err != nil {
		return nil, err
	}
	return s, nil
}

// open sets the instance.
func (s *Sigstore) open(o SigstoreOptions) error {
	if s.instance = o.Instance; s.instance != nil {
		return nil
	}
	var err error
	s.instance, err = sigstore.Open(sigstore.Options{
		TrustedRoot: o.TrustedRoot, TrustConfig: o.TrustConfig, Staging: o.Staging, CacheDir: o.CacheDir, UserAgent: o.UserAgent,
	})
	if err != nil {
		return refuse(ErrConfig, "%w", err)
	}
	return nil
}

// Method returns [oms.MaterialSigstore].
func (s *Sigstore) Method() oms.Material { return oms.MaterialSigstore }

// Verify checks that the instance's certificate authority certified the identity, that the signature was made while the
// certificate was valid, by a log's or a timestamp authority's word, and that it stands in the instance's transparency log, as each
// of the bundle's log entries says.
func (s *Sigstore) Verify(ctx context.Context, b *oms.Bundle) (*Signer, error) {
	if err := checkMethod(s, b); err != nil {
		return nil, err
	}
	entity, err := parseEntity(b)
	if err != nil {
		return nil, err
	}
	trusted, err := s.instance.TrustedRoot(ctx)
	if err != nil {
		return nil, err
	}
	verifier, err := newVerifier(trusted, b.TlogEntries)
	if err != nil {
		return nil, err
	}
	// Without an artifact: what was signed is the statement in the envelope, whose signature is checked either way. The
	// statement itself is for package oms to read.
	result, err := verifier.Verify(entity, verify.NewPolicy(verify.WithoutArtifactUnsafe(), s.policy))
	if err != nil {
		return nil, s.diagnose(entity, b, trusted, verifier, err)
	}
	if err := checkWhole(entity, b); err != nil {
		return nil, err
	}
	if err := s.checkWorkflow(result.Signature.Certificate); err != nil {
		return nil, err
	}
	if err := checkPayloadType(b); err != nil {
		return nil, err
	}
	return signerOf(result, entity, b), nil
}

// newVerifier asks for the proof of as many log entries as the bundle has, each in a log of its own, for a trusted time, and where
// the instance has certificate transparency logs for the proof that the certificate is in one. An instance without such logs can
// not give that proof. It is safe to go by the trusted root there, because that comes from the verifier, never from a bundle.
func newVerifier(trusted *root.TrustedRoot, entries int) (*verify.Verifier, error) {
	o := []verify.VerifierOption{
		verify.WithTransparencyLog(entries),
		verify.WithObserverTimestamps(1),
		verify.WithoutStatementPredicate(), // it may have a million entries
	}
	if len(trusted.CTLogs()) > 0 {
		o = append(o, verify.WithSignedCertificateTimestamps(1))
	}
	return verify.NewVerifier(trusted, o...)
}

// parseEntity reads the bundle again by sigstore-go's parser, and refuses one in which the two parsers do not see the same.
func parseEntity(b *oms.Bundle) (*bundle.Bundle, error) {
	entity := new(bundle.Bundle)
	if err := entity.UnmarshalJSON(b.Raw); err != nil {
		return nil, refuse(oms.ErrFormat, "bundle is not one of Sigstore's: %s", plain.Line(err.Error()))
	}
	envelope, material := entity.GetDsseEnvelope(), entity.GetVerificationMaterial()
	stamps, err := entity.Timestamps()
	same := envelope.GetPayloadType() == b.PayloadType && bytes.Equal(envelope.GetPayload(), b.Payload) &&
		len(envelope.GetSignatures()) == 1 && bytes.Equal(envelope.GetSignatures()[0].GetSig(), b.Signature) &&
		len(b.Certificates) == 1 && bytes.Equal(material.GetCertificate().GetRawBytes(), b.Certificates[0]) &&
		err == nil && slices.EqualFunc(stamps, b.Timestamps, bytes.Equal) && len(material.GetTlogEntries()) == b.TlogEntries
	if !same {
		return nil, refuse(oms.ErrFormat, "bundle can be read in more than one way")
	}
	return entity, nil
}

func signerOf(result *verify.VerificationResult, entity *bundle.Bundle, b *oms.Bundle) *Signer {
	cert := result.Signature.Certificate
	s := &Signer{
		Method: b.Material.String(), Identity: cert.SubjectAlternativeName, Issuer: cert.Issuer,
		Fingerprint: fingerprint(b.Certificates[0]), LogIndex: logIndex(entity), Workflow: workflowOf(cert.Extensions),
	}
	for _, t := range result.VerifiedTimestamps {
		if s.Time.IsZero() || t.Timestamp.Before(s.Time) {
			s.Time = t.Timestamp
		}
	}
	return s
}

// logIndex returns the entry's place in the log where that was verified, else -1: several entries have one each, and Rekor v1
// signs the entry's own logIndex only along with the inclusion promise.
func logIndex(entity *bundle.Bundle) int64 {
	entries := entity.GetVerificationMaterial().GetTlogEntries()
	if len(entries) != 1 {
		return -1
	}
	if e := entries[0]; e.GetInclusionPromise() != nil || e.GetLogIndex() == e.GetInclusionProof().GetLogIndex() {
		return e.GetLogIndex()
	}
	return -1
}
