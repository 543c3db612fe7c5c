package idtoken

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/oauthflow"
)

// Issuers whose tokens lead to another identity than their subject or e-mail address, as the configuration of the public Fulcio
// has it. An organisation's own issuer at GitHub has the public one's URL with a path.
const (
	github    = "https://token.actions.githubusercontent.com"
	gitlab    = "https://gitlab.com"
	buildkite = "https://agent.buildkite.com"
)

// federated are the issuers that Sigstore itself runs, which have others vouch for people: certificates name those.
var federated = []string{"https://oauth2.sigstore.dev/auth", "https://oauth2.sigstage.dev/auth"}

// Certificate says whom a certificate that Sigstore issues for the token will name, and who vouched for that: the subject
// alternative name and the issuer. A private instance may have rules of its own, so only the certificate is certain.
func (t *Token) Certificate() (identity, issuer string) {
	c := t.claims
	issuer = c.Issuer
	switch {
	case (issuer == github || strings.HasPrefix(issuer, github+"/")) && c.JobWorkflowRef != "":
		return (&url.URL{Scheme: "https", Host: "github.com"}).JoinPath(c.JobWorkflowRef).String(), issuer
	case issuer == gitlab && c.CIConfigRef != "":
		return "https://" + c.CIConfigRef, issuer
	case issuer == buildkite && c.OrganizationSlug != "" && c.PipelineSlug != "":
		return "https://buildkite.com/" + c.OrganizationSlug + "/" + c.PipelineSlug, issuer
	}
	if slices.Contains(federated, issuer) && c.Federated.Connector != "" {
		issuer = c.Federated.Connector
	}
	identity, err := oauthflow.SubjectFromUnverifiedToken(t.payload)
	if err != nil {
		return "", "" // which Check refuses
	}
	return identity, issuer
}

// By says whether the provider vouched for the token's bearer, itself or through the issuer that people sign in at.
func (t *Token) By(provider string) bool {
	return provider == t.claims.Issuer || provider == t.claims.Federated.Connector
}
