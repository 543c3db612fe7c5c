package sign

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
	return token(fmt.Sprintf(`{"iss":"https://issuer.test","sub":"1","email":"alice@example.com","email_verified":true,"exp":%d}`, time.Now().Add(time.Hour).Unix()))
}

func TestToken(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	claims := func(more string) string {
		return token(fmt.Sprintf(`{"iss":"https://issuer.test","exp":%d%s}`, now.Add(time.Minute).Unix(), more))
	}
	for name, c := range map[string]struct {
		token string
		text  string // of the error, if there is one
	}{
		"email":             {claims(`,"email":"alice@example.com","email_verified":true`), ""},
		"verified as text":  {claims(`,"email":"alice@example.com","email_verified":"true"`), ""},
		"workload":          {claims(`,"sub":"repo:acme/model:ref:refs/heads/main"`), ""},
		"fractional expiry": {token(fmt.Sprintf(`{"iss":"i","sub":"s","exp":%d.5}`, now.Unix()+1)), ""},
		"empty":             {"", "empty"},
		"not a token":       {"hunter2", "1 parts"},
		"two parts":         {"e30.e30", "2 parts"},
		"five parts":        {"e30.e30.e30.e30.e30", "5 parts"},
		"not base64":        {"e30.e*0.e30", "part 2"},
		"padded":            {"e30=.e30.e30", "part 1"},
		"empty part":        {"e30.e30.", "part 3"},
		"not JSON":          {token("hunter2"), "not JSON"},
		"duplicate claim":   {token(`{"iss":"a","iss":"b"}`), "not JSON"},
		"nobody":            {claims(``), "names nobody"},
		"unverified email":  {claims(`,"email":"alice@example.com"`), "not verified"},
		"no issuer":         {token(fmt.Sprintf(`{"sub":"s","exp":%d}`, now.Add(time.Hour).Unix())), "who issued it"},
		"no expiry":         {token(`{"iss":"i","sub":"s"}`), "when it expires"},
		"expired":           {token(fmt.Sprintf(`{"iss":"i","sub":"s","exp":%d}`, now.Unix())), "expired at 2026-05-01 12:00:00 UTC"},
		"not yet":           {claims(fmt.Sprintf(`,"sub":"s","nbf":%d`, now.Add(time.Hour).Unix())), "not valid before 2026-05-01 13:00:00 UTC"},
		"skewed clock":      {claims(fmt.Sprintf(`,"sub":"s","nbf":%d`, now.Add(time.Second*30).Unix())), ""},
		"absurd times":      {token(`{"iss":"i","sub":"s","exp":1e300,"nbf":-1e300}`), ""},
		"huge":              {claims(`,"sub":"` + strings.Repeat("s", maxToken) + `"`), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkToken(c.token, now)
			if c.text == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), c.text) {
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
		if err := checkToken(s, time.Now()); err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error is not one printable line: %q", err)
		}
	})
}
