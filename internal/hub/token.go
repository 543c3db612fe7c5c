package hub

import (
	"errors"
	"fmt"
	"strings"
)

// Token is a secret that lets its bearer read what others may not. It prints as
// "[token]" whatever the verb, in JSON too. The secret hangs by a pointer, which
// package fmt does not follow where it meets a Token in a field that it cannot
// call methods on.
type Token struct{ secret *string }

// NewToken makes a token; "" is none.
func NewToken(secret string) (Token, error) {
	for _, r := range secret {
		if r <= ' ' || r > '~' {
			return Token{}, errors.New("a token is made of visible ASCII characters, found others")
		}
	}
	if secret == "" {
		return Token{}, nil
	}
	return Token{&secret}, nil
}

// IsSet says whether there is a token.
func (t Token) IsSet() bool { return t.secret != nil }

// Format implements fmt.Formatter.
func (t Token) Format(s fmt.State, _ rune) { fmt.Fprint(s, t.String()) }

// String implements fmt.Stringer.
func (t Token) String() string {
	if !t.IsSet() {
		return "[no token]"
	}
	return "[token]"
}

// MarshalText implements encoding.TextMarshaler.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// censor takes the token out of what a server sent back.
func (t Token) censor(s string) string {
	if !t.IsSet() {
		return s
	}
	return strings.ReplaceAll(s, *t.secret, t.String())
}
