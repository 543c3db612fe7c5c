package signin

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/wire"
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
	case errors.Is(err, idtoken.ErrToken):
		return "give an identity token (OpenID Connect) as its issuer made it, for the audience sigstore"
	case errors.Is(err, ErrProvider):
		return "sign in again and choose the account of that provider, or leave --identity-provider out"
	}
	return ""
}

const (
	again     = "nothing was logged; sign again when you are ready to sign in"
	elsewhere = "--identity-token-file FILE signs with a token from elsewhere"
	later     = "the issuer has trouble: sign again later"
)

// failed makes an Error of whatever went wrong, without what must not be repeated.
func (f *flow) failed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // which is the user's own doing
	}
	e := &Error{Issuer: f.issuer, Err: err}
	var refusal *oauth2.RetrieveError
	var status *sigstore.StatusError
	var request *url.Error
	var certificate x509.CertificateInvalidError
	failure := wire.Explain(err)
	switch {
	case errors.As(err, &refusal):
		e.Hint, e.Err = f.refused(refusal.ErrorCode, errors.New(describe(refusal)))
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrState):
		e.Hint = again
	case errors.As(err, &status):
		e.Err, e.Hint = status, later
	case failure != nil:
		e.Err, e.Hint = failure, failure.Hint+"\n"+elsewhere
	case errors.As(err, &request):
		e.Err = request.Err // it repeats the URL
	}
	if e.Hint == "" {
		e.Hint = cmp.Or(Hint(err), "is that an issuer that people sign in at, and does it work? Sign again later, or "+elsewhere)
	}
	timely := errors.Is(err, idtoken.ErrExpired) || errors.Is(err, idtoken.ErrNotYet) || errors.As(err, &certificate)
	if skew := f.clock.Hint(f.issuer); timely && skew != "" {
		e.Hint = skew
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

// describe says in one line what an answer of OAuth says.
func describe(e *oauth2.RetrieveError) string {
	text := e.ErrorCode
	switch {
	case text == "" && e.Response != nil:
		return sigstore.NewStatusError(e.Response, e.Body).Error()
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

// redact puts an error into one line and takes out of it what the issuer may have repeated.
func (f *flow) redact(err error) error {
	text := plain.Line(wire.Redact(err.Error(), f.secrets...))
	if text == err.Error() {
		return err
	}
	return redacted{err, text}
}
