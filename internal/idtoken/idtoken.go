// Package idtoken reads OpenID Connect identity tokens as far as whoever signs needs it: whether one can be used now, and which
// identity a certificate will have that Sigstore issues for it. Whether a token is genuine is for Fulcio to decide.
//
// A token is a secret while it is valid: no error repeats any of it but times and the names of its issuer, audience and e-mail
// address, and a Token does not print as what it holds.
package idtoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Errors that callers tell apart. All the others wrap ErrToken too.
var (
	// ErrToken: the identity token can not be used.
	ErrToken = errors.New("identity token can not be used")
	// ErrExpired: its time is over, as this machine's clock has it.
	ErrExpired = errors.New("it has expired")
	// ErrNotYet: its time has not come yet, as this machine's clock has it.
	ErrNotYet = errors.New("it is not valid yet")
	// ErrAudience: it is meant for somebody else than this Sigstore instance.
	ErrAudience = errors.New("it is for another audience")
	// ErrEmail: its issuer has not verified the e-mail address.
	ErrEmail = errors.New("its e-mail address is not verified")
)

// maxToken is the largest identity token that is taken, in bytes; those of the field have 1 to 4 KB.
const maxToken = 64 << 10

// Token is an identity token of the right form.
type Token struct {
	raw     string
	payload []byte
	claims  claims
}

// claims are those that are looked at: of OpenID Connect Core 1.0, section 2, of Dex, and of the platforms that identity.go names.
type claims struct {
	Issuer    string   `json:"iss"`
	Audience  audience `json:"aud"`
	Expiry    float64  `json:"exp"`
	NotBefore float64  `json:"nbf"`
	Email     string   `json:"email"`
	Subject   string   `json:"sub"`

	Federated struct {
		Connector string `json:"connector_id"`
	} `json:"federated_claims"`

	JobWorkflowRef   string `json:"job_workflow_ref"`
	CIConfigRef      string `json:"ci_config_ref_uri"`
	OrganizationSlug string `json:"organization_slug"`
	PipelineSlug     string `json:"pipeline_slug"`
}

// audience is one name or several.
type audience []string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(b []byte) error {
	if jsontext.Value(b).Kind() == '"' {
		*a = audience{""}
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// Parse reads a token. White space around it is left out.
func Parse(raw string) (*Token, error) {
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return nil, fmt.Errorf("%w: it is empty", ErrToken)
	case len(raw) > maxToken:
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrToken, len(raw), maxToken)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: it has %d parts between dots, a JSON Web Token has 3", ErrToken, len(parts))
	}
	t := &Token{raw: raw}
	for i, part := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || len(b) == 0 {
			return nil, fmt.Errorf("%w: part %d of 3 is not base64url", ErrToken, i+1)
		}
		if i == 1 {
			t.payload = b
		}
	}
	if json.Unmarshal(t.payload, &t.claims) != nil {
		return nil, fmt.Errorf("%w: its payload is not JSON of the expected form", ErrToken)
	}
	return t, nil
}

// Raw returns the token itself, for the service that it is meant for.
func (t *Token) Raw() string { return t.raw }

// Format prints no part of the token, whatever the verb.
func (t *Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[identity token]") }

// Check says whether the token names somebody, is meant for the audience and is valid now, so that nothing is sent where an
// answer can only be a refusal.
func (t *Token) Check(audience string, now time.Time) error {
	issuer := plain.Quote(t.claims.Issuer)
	if t.claims.Issuer == "" {
		return fmt.Errorf("%w: it does not say who issued it", ErrToken)
	}
	if _, err := oauthflow.SubjectFromUnverifiedToken(t.payload); err != nil {
		if t.claims.Email != "" {
			return fmt.Errorf("%w: %w: %s has not verified that %s belongs to you", ErrToken, ErrEmail, issuer, plain.Quote(t.claims.Email))
		}
		return fmt.Errorf("%w: it names nobody: %s", ErrToken, plain.Line(err.Error()))
	}
	if !slices.Contains(t.claims.Audience, audience) {
		return fmt.Errorf("%w: %w: %s made it for %s, expected %s", ErrToken, ErrAudience, issuer,
			plain.Quote(strings.Join(t.claims.Audience, " ")), plain.Quote(audience))
	}
	return checkTime(t.claims.NotBefore, t.claims.Expiry, now)
}

func checkTime(notBefore, expiry float64, now time.Time) error {
	const layout = "2006-01-02 15:04:05 UTC"
	// Clocks differ; Fulcio gives a token that is not valid yet some leeway too.
	const leeway = time.Minute
	if at := seconds(notBefore); notBefore != 0 && now.Add(leeway).Before(at) {
		return fmt.Errorf("%w: %w: it is not valid before %s, and here it is %s", ErrToken, ErrNotYet, at.Format(layout), now.UTC().Format(layout))
	}
	if expiry == 0 {
		return fmt.Errorf("%w: it does not say when it expires", ErrToken)
	}
	if at := seconds(expiry); !now.Before(at) {
		return fmt.Errorf("%w: %w: it expired at %s, and here it is %s", ErrToken, ErrExpired, at.Format(layout), now.UTC().Format(layout))
	}
	return nil
}

// seconds reads a NumericDate (RFC 7519): seconds since 1970, bounded to what a year of four digits allows.
func seconds(n float64) time.Time {
	return time.Unix(int64(min(max(n, 0), 253402300799)), 0).UTC()
}
