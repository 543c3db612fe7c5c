package verify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// MaxExpressionSize is the longest expression that is taken, in bytes.
const MaxExpressionSize = 1024

// Identity is a Sigstore signer, or by patterns several.
type Identity struct {
	// ID is the signer's email address or URI, as the certificate has to have it to the letter.
	ID string
	// Regexp stands in the place of ID: an expression in RE2's syntax that the whole of the certificate's identity has to match.
	Regexp string
	// Issuer is the URL of the identity provider that vouched for the identity, to the letter.
	Issuer string
	// IssuerRegexp stands in the place of Issuer, as Regexp in that of ID.
	IssuerRegexp string
	// Workflow is what the certificate has to say besides of the job that signed.
	Workflow Workflow
}

// String describes the identity in one printable line.
func (i Identity) String() string {
	text := fmt.Sprintf("%s (%s)", nameOr(i.ID, i.Regexp), nameOr(i.Issuer, i.IssuerRegexp))
	if i.Workflow != (Workflow{}) {
		text += ", workflow " + i.Workflow.String()
	}
	return text
}

// nameOr is a name, or an expression as such.
func nameOr(name, expression string) string {
	if expression != "" {
		return "/" + plain.Name(expression) + "/"
	}
	return plain.Name(name)
}

// Complete says whether i names both an identity and a provider.
func (i Identity) Complete() bool {
	return (i.ID == "") != (i.Regexp == "") && (i.Issuer == "") != (i.IssuerRegexp == "")
}

// matcher is an identity, and as sigstore-go has it.
type matcher struct {
	Identity
	certificate verify.CertificateIdentity
}

func newMatcher(i Identity) (matcher, error) {
	if !i.Complete() {
		return matcher{}, errors.New("to trust a Sigstore signer takes both an identity and an identity provider")
	}
	id, err := Whole(i.Regexp)
	if err != nil {
		return matcher{}, fmt.Errorf("identity expression: %w", err)
	}
	issuer, err := Whole(i.IssuerRegexp)
	if err != nil {
		return matcher{}, fmt.Errorf("identity provider expression: %w", err)
	}
	c, err := verify.NewShortCertificateIdentity(i.Issuer, issuer, i.ID, id)
	return matcher{i, c}, err
}

// Whole is an expression that matches where the given one matches the whole of a text; "" for "".
func Whole(expression string) (string, error) {
	if expression == "" {
		return "", nil
	}
	if len(expression) > MaxExpressionSize {
		return "", fmt.Errorf("it has %d bytes, at most %d are taken", len(expression), MaxExpressionSize)
	}
	// By itself first: an expression such as "a)|(b" becomes a sound one only between our anchors, and would undo them.
	if _, err := regexp.Compile(expression); err != nil {
		return "", err
	}
	anchored := `\A(?:` + expression + `)\z`
	_, err := regexp.Compile(anchored) // "\Q" without its end would take our anchor in
	return anchored, err
}

// checkWorkflow sees that one of the identities that a certificate matches has no more to ask of it.
func (s *Sigstore) checkWorkflow(found *certificate.Summary) error {
	if len(s.identities) == 0 {
		return nil // anybody's certificate will do
	}
	var differences []string
	for _, i := range s.identities {
		if i.certificate.Verify(*found) != nil {
			continue
		}
		d := i.Workflow.differences(found.Extensions)
		if len(d) == 0 {
			return nil
		}
		differences = append(differences, d...)
	}
	return refuse(ErrIdentity, "signed by %s, as was asked for, but %s",
		Identity{ID: found.SubjectAlternativeName, Issuer: found.Issuer}, strings.Join(differences, "; "))
}
