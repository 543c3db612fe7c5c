package signin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/workload"
)

// Error is a sign-in that failed: at which issuer, why, and what to do.
type Error struct {
	Issuer string // a URL
	Err    error
	Hint   string
}

// Error is one printable line.
func (e *Error) Error() string {
	if e.Issuer == "" {
		return "signing in: " + e.Err.Error()
	}
	return fmt.Sprintf("signing in at %s: %v", plain.Name(e.Issuer), e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do about an error of this package, or of a token; "" where there is nothing to say.
func Hint(err error) string {
	var own *Error
	var platform *workload.Error
	switch {
	case errors.As(err, &own) && own.Hint != "":
		return own.Hint
	case errors.As(err, &platform) && platform.Hint != "":
		return platform.Hint
	case errors.Is(err, ErrNoWay):
		return "--identity-token-file FILE or SIGSTORE_ID_TOKEN gives a token; on a terminal somebody can sign in"
	case errors.Is(err, idtoken.ErrAudience):
		return "get a token for the audience sigstore; where the instance wants another, --client-id names it"
	case errors.Is(err, idtoken.ErrExpired):
		return "get a new token and sign again; look at the clock of this machine if it is new"
	case errors.Is(err, idtoken.ErrNotYet):
		return "set the clock of this machine"
	case errors.Is(err, idtoken.ErrEmail):
		return "have the identity provider verify the address, or sign in with another account"
	case errors.Is(err, ErrProvider):
		return "sign in again and choose the account of that provider, or leave --identity-provider out"
	}
	return ""
}

// tolerated is how far two clocks may be apart before that is worth a word.
const tolerated = 2 * time.Minute

const again = "nothing was logged; sign again when you are ready to sign in"

// failed makes an Error of whatever went wrong, without what must not be repeated.
func (f *flow) failed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // which is the user's own doing
	}
	e := &Error{Issuer: f.issuer, Err: err}
	var refusal *oauth2.RetrieveError
	var request *url.Error
	var network net.Error
	var certificate x509.CertificateInvalidError
	switch {
	case errors.As(err, &refusal):
		e.Hint, e.Err = f.refused(refusal.ErrorCode, errors.New(describe(refusal)))
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		e.Hint = "set the clock of this machine if it is wrong"
	case errors.As(err, &request), errors.As(err, &network):
		if request != nil {
			e.Err = request.Err // it repeats the URL
		}
		e.Hint = "is there a network, and does it need a proxy (HTTPS_PROXY)? --identity-token-file FILE signs with a token from elsewhere"
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrState):
		e.Hint = again
	default:
		e.Hint = Hint(err)
	}
	timely := errors.Is(err, idtoken.ErrExpired) || errors.Is(err, idtoken.ErrNotYet) || errors.As(err, &certificate)
	if skew := f.skew.Round(time.Minute); timely && skew.Abs() > tolerated {
		e.Hint = fmt.Sprintf("set the clock of this machine: it is %s behind that of %s", skew, plain.Name(f.issuer))
		if skew < 0 {
			e.Hint = fmt.Sprintf("set the clock of this machine: it is %s ahead of that of %s", -skew, plain.Name(f.issuer))
		}
	}
	e.Err = f.redact(e.Err)
	return e
}

// refused says what the codes of RFC 6749, sections 4.1.2.1 and 5.2, and RFC 8628, section 3.5, mean to whoever signs in.
func (f *flow) refused(code string, err error) (hint string, _ error) {
	switch code {
	case "access_denied":
		return again, fmt.Errorf("%w: %w", ErrRefused, err)
	case "expired_token":
		return again, fmt.Errorf("%w: %w", ErrTimeout, err)
	case "invalid_client", "unauthorized_client":
		return fmt.Sprintf("the issuer does not know the client %s, or wants its secret: --client-id, --client-secret-file", plain.Quote(f.ClientID)), err
	case "invalid_grant":
		return "the code is used up, too old, or not for this sign-in; sign again", err
	}
	return again, err
}

func describe(e *oauth2.RetrieveError) string {
	text := e.ErrorCode
	switch {
	case text == "" && e.Response != nil:
		return fmt.Sprintf("it answered %s: %s", plain.Line(e.Response.Status), plain.Line(string(e.Body)))
	case e.ErrorDescription != "":
		text += ": " + e.ErrorDescription
	}
	return plain.Line(text)
}

// redacted is an error whose text had a secret in it.
type redacted struct {
	error
	text string
}

func (r redacted) Error() string { return r.text }
func (r redacted) Unwrap() error { return r.error }

// GoString keeps the text with the secret from %#v.
func (r redacted) GoString() string { return r.text }

// minSecret is how long a secret is at least, in bytes. What is shorter cannot be told from parts of words.
const minSecret = 6

// redact puts an error into one line and takes out of it what the issuer may have repeated.
func (f *flow) redact(err error) error {
	text := err.Error()
	for _, secret := range f.secrets {
		if len(secret) >= minSecret {
			text = strings.NewReplacer(secret, "(secret)", url.QueryEscape(secret), "(secret)").Replace(text)
		}
	}
	if text = plain.Line(text); text == err.Error() {
		return err
	}
	return redacted{err, text}
}
