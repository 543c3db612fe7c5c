package sign

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// maxToken is the largest identity token that is taken, in bytes; those of the field have 1 to 4 KB.
const maxToken = 64 << 10

// checkToken checks that a token has the form of an OpenID Connect identity token, names somebody and has not expired, so
// that nothing is sent where an answer can only be a refusal. Whether it is genuine is for Fulcio to decide. No error repeats
// anything of the token but times.
func checkToken(token string, now time.Time) error {
	if token == "" {
		return fmt.Errorf("%w: it is empty", ErrToken)
	}
	if len(token) > maxToken {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrToken, len(token), maxToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%w: it has %d parts between dots, a JSON Web Token has 3", ErrToken, len(parts))
	}
	var payload []byte
	for i, part := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || len(b) == 0 {
			return fmt.Errorf("%w: part %d of 3 is not base64url", ErrToken, i+1)
		}
		if i == 1 {
			payload = b
		}
	}
	var claims struct {
		Issuer    string  `json:"iss"`
		Expiry    float64 `json:"exp"`
		NotBefore float64 `json:"nbf"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return fmt.Errorf("%w: its payload is not JSON of the expected form", ErrToken)
	}
	if _, err := oauthflow.SubjectFromUnverifiedToken(payload); err != nil {
		return fmt.Errorf("%w: it names nobody: %s", ErrToken, plain.Line(err.Error()))
	}
	if claims.Issuer == "" {
		return fmt.Errorf("%w: it does not say who issued it", ErrToken)
	}
	return checkTokenTime(claims.NotBefore, claims.Expiry, now)
}

func checkTokenTime(notBefore, expiry float64, now time.Time) error {
	const layout = "2006-01-02 15:04:05 UTC"
	// Clocks differ; Fulcio gives a token that is not valid yet some leeway too.
	const leeway = time.Minute
	if at := seconds(notBefore); notBefore != 0 && now.Add(leeway).Before(at) {
		return fmt.Errorf("%w: it is not valid before %s", ErrToken, at.Format(layout))
	}
	if expiry == 0 {
		return fmt.Errorf("%w: it does not say when it expires", ErrToken)
	}
	if at := seconds(expiry); !now.Before(at) {
		return fmt.Errorf("%w: it expired at %s, now it is %s", ErrToken, at.Format(layout), now.UTC().Format(layout))
	}
	return nil
}

// seconds reads a NumericDate (RFC 7519): seconds since 1970, bounded to what a year of four digits allows.
func seconds(n float64) time.Time {
	return time.Unix(int64(min(max(n, 0), 253402300799)), 0).UTC()
}
