package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/sigstore/sigstore/pkg/oauthflow"
	"golang.org/x/oauth2"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

const (
	// requestTimeout is how long one request to an issuer may take.
	requestTimeout = 30 * time.Second
	// outOfBand is the redirect address of a code that is shown instead.
	outOfBand = "urn:ietf:wg:oauth:2.0:oob"
)

// flow signs a person in at an issuer: OpenID Connect Core 1.0, with the authorization code flow and PKCE, or RFC 8628.
type flow struct {
	Options

	issuer   string
	provider *oidc.Provider
	config   oauth2.Config
	client   *http.Client
	clock    wire.Clock            // compared with the issuer's
	named    bool                  // the issuer says in every answer by way of the browser that it is its own (RFC 9207)
	secrets  []string              // that no error may repeat
	lost     atomic.Pointer[error] // why the last request got no answer, if it got none: the library for tokens tells in words only
}

// discover asks the issuer for its addresses.
func (f *flow) discover(ctx context.Context, issuer func(context.Context) (string, error)) error {
	f.issuer = f.Provider
	// Another provider than those that the instance's issuer signs people in with is one to sign in at.
	if f.Provider == "" || slices.Contains(connectors, f.Provider) {
		instance, err := issuer(ctx)
		if err != nil {
			return err
		}
		f.issuer = cmp.Or(instance, f.Provider)
	}
	if f.issuer == "" {
		return &Error{Err: errors.New("the instance's signing config names no issuer to sign in at"),
			Hint: "--identity-provider URL names one; --identity-token-file FILE signs with a token that you have"}
	}
	if err := confidential(f.issuer); err != nil {
		return f.failed(err)
	}
	f.client = &http.Client{
		Transport: noting{f, f.clock.Watch(sigstore.Transport(ctx, f.UserAgent), f.now)}, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	f.secrets = append(f.secrets, f.ClientSecret)
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, f.client), f.issuer)
	if err != nil {
		return f.failed(fmt.Errorf("asking where to sign in: %w", err))
	}
	var more struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Keys    string   `json:"jwks_uri"`
		Named   bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return f.failed(err)
	}
	at := provider.Endpoint()
	for _, address := range []string{at.AuthURL, at.TokenURL, at.DeviceAuthURL, more.Keys} {
		if err := confidential(address); address != "" && err != nil {
			return f.failed(err)
		}
	}
	// Left to itself, the library would try both, and a code is good for one try only.
	at.AuthStyle = oauth2.AuthStyleInParams
	if f.ClientSecret != "" && (len(more.Methods) == 0 || slices.Contains(more.Methods, "client_secret_basic")) {
		at.AuthStyle = oauth2.AuthStyleInHeader
	}
	f.provider, f.named = provider, more.Named
	f.config = oauth2.Config{ClientID: f.ClientID, ClientSecret: f.ClientSecret, Endpoint: at, Scopes: []string{oidc.ScopeOpenID, "email"}}
	return nil
}

// noting keeps why a request got no answer.
type noting struct {
	f *flow
	http.RoundTripper
}

func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := n.RoundTripper.RoundTrip(r)
	n.f.lost.Store(nil)
	if err != nil {
		n.f.lost.Store(&err)
	}
	return a, err
}

// run signs somebody in, in the way that was asked for or that works here.
func (f *flow) run(ctx context.Context) (string, error) {
	ctx = oidc.ClientContext(ctx, f.client)
	switch {
	case f.Flow == FlowCode:
		return f.byPasting(ctx)
	case f.Flow == FlowDevice:
		return f.byDevice(ctx)
	}
	open := f.open
	if open == nil {
		open = f.browser()
	}
	switch {
	case open != nil:
		return f.byBrowser(ctx, open)
	case f.config.Endpoint.DeviceAuthURL != "":
		return f.byDevice(ctx)
	}
	return f.byPasting(ctx)
}

// an attempt is one sign-in by an authorization code.
type attempt struct {
	state, nonce, verifier string
	url                    string // where to sign in
}

// begin makes the secrets of a sign-in.
func (f *flow) begin(redirect string) *attempt {
	a := &attempt{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	f.secrets = append(f.secrets, a.verifier)
	f.config.RedirectURL = redirect
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.verifier), oidc.Nonce(a.nonce)}
	if f.Provider != "" && f.Provider != f.issuer {
		options = append(options, oauthflow.ConnectorIDOpt(f.Provider))
	}
	a.url = f.config.AuthCodeURL(a.state, options...)
	return a
}

// finish makes an identity token of the code.
func (f *flow) finish(ctx context.Context, a *attempt, code string) (string, error) {
	f.secrets = append(f.secrets, code)
	answer, err := f.config.Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return "", f.failed(err)
	}
	return f.verify(ctx, answer, a.nonce)
}

// verify takes the identity token out of an answer, and believes it only as OpenID Connect Core 1.0, section 3.1.3.7, has it. Times and audience
// are checked by whoever uses the token.
func (f *flow) verify(ctx context.Context, answer *oauth2.Token, nonce string) (string, error) {
	raw, _ := answer.Extra("id_token").(string)
	if raw == "" {
		return "", f.failed(errors.New("the answer has no identity token"))
	}
	f.secrets = append(f.secrets, raw, answer.AccessToken, answer.RefreshToken)
	verifier := f.provider.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true})
	token, err := verifier.Verify(ctx, raw)
	switch lost := f.lost.Load(); {
	case err != nil && lost != nil:
		return "", f.failed(fmt.Errorf("getting its keys: %w", *lost))
	case err != nil:
		return "", f.failed(err)
	case token.Nonce != nonce:
		return "", f.failed(fmt.Errorf("%w: its token has another nonce", ErrState))
	case token.AccessTokenHash != "" && token.VerifyAccessToken(answer.AccessToken) != nil:
		return "", f.failed(fmt.Errorf("%w: its two tokens do not belong together", ErrState))
	}
	if err := (&Source{o: f.Options}).check(raw); err != nil {
		return "", f.failed(err)
	}
	return raw, nil
}

// spelled is how a URL may be spelled (RFC 3986, section 2): with nothing in it that a terminal, or a program that opens
// addresses, could take for the end of it.
var spelled = regexp.MustCompile(`^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$`)

// confidential refuses addresses at which others could read along, all but https and this machine's own, and those that read
// like another's.
func confidential(address string) error {
	u, err := url.Parse(address)
	if err != nil || !spelled.MatchString(address) || u.User != nil {
		return fmt.Errorf("%s is no URL of a service", plain.Quote(address))
	}
	if u.Host == "" || !wire.Confidential(u) {
		return fmt.Errorf("%w: %s", ErrInsecure, plain.Name(address))
	}
	return nil
}
