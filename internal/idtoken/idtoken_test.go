package idtoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// token makes an unsigned token with the claims.
func token(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

// validToken makes a token that passes for an hour.
func validToken() string {
	return token(fmt.Sprintf(`{"iss":"https://issuer.test","aud":"sigstore","sub":"1","email":"alice@example.com","email_verified":true,"exp":%d}`, time.Now().Add(time.Hour).Unix()))
}

func check(raw string, now time.Time) error {
	t, err := Parse(raw)
	if err != nil {
		return err
	}
	return t.Check("sigstore", now)
}

func TestToken(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	claims := func(more string) string {
		return token(fmt.Sprintf(`{"iss":"https://issuer.test","aud":"sigstore","exp":%d%s}`, now.Add(time.Minute).Unix(), more))
	}
	for name, c := range map[string]struct {
		token string
		text  string // of the error, if there is one
		also  error
	}{
		"email":             {claims(`,"email":"alice@example.com","email_verified":true`), "", nil},
		"verified as text":  {claims(`,"email":"alice@example.com","email_verified":"true"`), "", nil},
		"workload":          {claims(`,"sub":"repo:acme/model:ref:refs/heads/main"`), "", nil},
		"fractional expiry": {token(fmt.Sprintf(`{"iss":"i","aud":["other","sigstore"],"sub":"s","exp":%d.5}`, now.Unix()+1)), "", nil},
		"empty":             {"", "empty", nil},
		"not a token":       {"hunter2", "1 parts", nil},
		"two parts":         {"e30.e30", "2 parts", nil},
		"five parts":        {"e30.e30.e30.e30.e30", "5 parts", nil},
		"not base64":        {"e30.e*0.e30", "part 2", nil},
		"padded":            {"e30=.e30.e30", "part 1", nil},
		"empty part":        {"e30.e30.", "part 3", nil},
		"not JSON":          {token("hunter2"), "not JSON", nil},
		"duplicate claim":   {token(`{"iss":"a","iss":"b"}`), "not JSON", nil},
		"nobody":            {claims(``), "names nobody", nil},
		"unverified email":  {claims(`,"email":"alice@example.com"`), "has not verified", ErrEmail},
		"no issuer":         {token(fmt.Sprintf(`{"aud":"sigstore","sub":"s","exp":%d}`, now.Add(time.Hour).Unix())), "who issued it", nil},
		"another's":         {token(fmt.Sprintf(`{"iss":"i","aud":"sts.example.com","sub":"s","exp":%d}`, now.Unix()+1)), `made it for "sts.example.com", expected "sigstore"`, ErrAudience},
		"nobody's":          {token(fmt.Sprintf(`{"iss":"i","sub":"s","exp":%d}`, now.Unix()+1)), "another audience", ErrAudience},
		"odd audience":      {token(`{"iss":"i","aud":{"a":"sigstore"}}`), "not JSON", nil},
		"no expiry":         {token(`{"iss":"i","aud":["other","sigstore"],"sub":"s"}`), "when it expires", nil},
		"expired":           {token(fmt.Sprintf(`{"iss":"i","aud":["other","sigstore"],"sub":"s","exp":%d}`, now.Unix())), "expired at 2026-05-01 12:00:00 UTC", ErrExpired},
		"not yet":           {claims(fmt.Sprintf(`,"sub":"s","nbf":%d`, now.Add(time.Hour).Unix())), "not valid before 2026-05-01 13:00:00 UTC", ErrNotYet},
		"skewed clock":      {claims(fmt.Sprintf(`,"sub":"s","nbf":%d`, now.Add(time.Second*30).Unix())), "", nil},
		"absurd times":      {token(`{"iss":"i","aud":["other","sigstore"],"sub":"s","exp":1e300,"nbf":-1e300}`), "", nil},
		"huge":              {claims(`,"sub":"` + strings.Repeat("s", maxToken) + `"`), "bytes", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(c.token, now)
			if c.text == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrToken) || c.also != nil && !errors.Is(err, c.also) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want %v with %q", err, ErrToken, c.text)
			}
			for _, part := range append(strings.Split(c.token, "."), "hunter2") {
				if len(part) > 3 && err != nil && strings.Contains(err.Error(), part) {
					t.Errorf("the error repeats the token: %v", err)
				}
			}
		})
	}
}

func FuzzToken(f *testing.F) {
	f.Add(validToken())
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if err := check(s, time.Now()); err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error is not one printable line: %q", err)
		}
	})
}

// TestPrinted has every verb leave the token out.
func TestPrinted(t *testing.T) {
	raw := validToken()
	token, err := Parse(" " + raw + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if token.Raw() != raw {
		t.Error("the token is not what was parsed")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, token); got != "[identity token]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// TestCertificate holds the identity that is foretold to the lists of the reference signer and of Fulcio's configuration.
func TestCertificate(t *testing.T) {
	for name, c := range map[string]struct{ claims, identity, issuer string }{
		"person": {`"iss":"https://issuer.test","sub":"1","email":"alice@example.com","email_verified":true`, "alice@example.com", "https://issuer.test"},
		"Google account": {`"iss":"https://oauth2.sigstore.dev/auth","sub":"1","email":"alice@example.com","email_verified":true,"federated_claims":{"connector_id":"https://accounts.google.com","user_id":"1"}`,
			"alice@example.com", "https://accounts.google.com"},
		"GitHub account, staging": {`"iss":"https://oauth2.sigstage.dev/auth","sub":"1","email":"alice@example.com","email_verified":true,"federated_claims":{"connector_id":"https://github.com/login/oauth"}`,
			"alice@example.com", "https://github.com/login/oauth"},
		"another Dex": {`"iss":"https://dex.test","sub":"1","email":"alice@example.com","email_verified":true,"federated_claims":{"connector_id":"ldap"}`,
			"alice@example.com", "https://dex.test"},
		"GitHub Actions": {`"iss":"https://token.actions.githubusercontent.com","sub":"repo:octo-org/octo-automation:ref:refs/heads/main","job_workflow_ref":"octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main"`,
			"https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", "https://token.actions.githubusercontent.com"},
		"GitHub Actions of an enterprise": {`"iss":"https://token.actions.githubusercontent.com/acme","sub":"s","job_workflow_ref":"o/r/.github/workflows/w.yml@refs/tags/v1"`,
			"https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1", "https://token.actions.githubusercontent.com/acme"},
		"GitLab CI": {`"iss":"https://gitlab.com","sub":"project_path:my-group/my-project:ref_type:branch:ref:main","ci_config_ref_uri":"gitlab.com/my-group/my-project//path/to/.gitlab-ci.yml@refs/heads/main"`,
			"https://gitlab.com/my-group/my-project//path/to/.gitlab-ci.yml@refs/heads/main", "https://gitlab.com"},
		"Google Cloud": {`"iss":"https://accounts.google.com","sub":"1","email":"SERVICE_ACCOUNT_NAME@PROJECT_ID.iam.gserviceaccount.com","email_verified":true`,
			"SERVICE_ACCOUNT_NAME@PROJECT_ID.iam.gserviceaccount.com", "https://accounts.google.com"},
		"Buildkite": {`"iss":"https://agent.buildkite.com","sub":"organization:o:pipeline:p","organization_slug":"ORGANIZATION_SLUG","pipeline_slug":"PIPELINE_SLUG"`,
			"https://buildkite.com/ORGANIZATION_SLUG/PIPELINE_SLUG", "https://agent.buildkite.com"},
		"another's claims": {`"iss":"https://token.actions.githubusercontent.com.test","sub":"s","job_workflow_ref":"o/r/w"`, "s", "https://token.actions.githubusercontent.com.test"},
		"nobody":           {`"iss":"https://issuer.test"`, "", ""},
	} {
		parsed, err := Parse(token("{" + c.claims + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if identity, issuer := parsed.Certificate(); identity != c.identity || issuer != c.issuer {
			t.Errorf("%s: %q via %q, want %q via %q", name, identity, issuer, c.identity, c.issuer)
		}
	}
}
