// Package signin gets the identity token that somebody signs with: one that was given, one of the platform that the program runs
// on, or one for which a person signs in, by a browser on this machine, by one elsewhere (RFC 8628), or by a code that is copied
// over.
//
// Which way it is follows from the options before anything is sent, so that a mistake is told before a model is hashed. What
// comes back belongs to the sign-in that was begun: state, nonce and PKCE (RFC 7636) are checked, and so is the token's signature. Tokens, codes
// and secrets go to the service that they are for, over https or on this machine, and into no error and no command line.
//
// oauthflow of sigstore/sigstore is not used for it: it takes no context, so that nothing ends it, does not tell a refusal from a
// failure, and answers a wrong state with another flow.
package signin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/workload"
)

// Errors that callers tell apart.
var (
	// ErrNoWay: there is no token, no platform that gives one, and nobody to sign in.
	ErrNoWay = errors.New("no identity token, and nobody to sign in")
	// ErrRefused: whoever was to sign in, or the service, said no.
	ErrRefused = errors.New("sign-in was refused")
	// ErrState: an answer came that belongs to another sign-in.
	ErrState = errors.New("an answer came that is not for this sign-in")
	// ErrTimeout: nobody signed in for as long as is waited.
	ErrTimeout = errors.New("nobody has signed in")
	// ErrProvider: somebody else vouched for the identity than was asked for.
	ErrProvider = errors.New("signed in with another identity provider")
	// ErrInsecure: an address is neither https nor on this machine.
	ErrInsecure = errors.New("address is not https")
)

// DefaultClientID is the client that Sigstore's issuers know for everybody.
const DefaultClientID = "sigstore"

// wait is how long somebody may take to sign in at a browser.
const wait = 5 * time.Minute

// Ambient says whether a token may come from the environment.
type Ambient int

// From the environment: where there is a token in SIGSTORE_ID_TOKEN or nobody sits at a terminal; always; never.
const (
	AmbientAuto Ambient = iota
	AmbientAlways
	AmbientNever
)

// Flow is how somebody signs in.
type Flow int

// By a browser, or by whatever works where there is none; by a code that is copied from any browser; by a code that is typed into one.
const (
	FlowAuto Flow = iota
	FlowCode
	FlowDevice
)

// People is how somebody is asked to sign in. Package ui implements it.
type People interface {
	// Browse says that a browser was opened at a URL; opened is false where none could be.
	Browse(url string, opened bool)
	// Enter says that a code has to be typed in at a URL, by any browser.
	Enter(url, code string)
	// Paste asks for the code that is shown at the end of a sign-in at a URL.
	Paste(ctx context.Context, url string) (string, error)
}

// Options say where a token comes from.
type Options struct {
	// Token is one that was given; nothing else is looked at then.
	Token   string
	Ambient Ambient
	Flow    Flow
	// Attended says that somebody sits at a terminal.
	Attended bool
	People   People
	// Provider is the identity provider to sign in with; "" leaves the choice to whoever signs in.
	Provider string
	// ClientID is the client to sign in as, and the audience of tokens from elsewhere; DefaultClientID if empty.
	ClientID     string
	ClientSecret string
	// Environment is where platforms, tokens and browsers are looked for.
	Environment workload.Environment
	UserAgent   string

	now  func() time.Time
	wait time.Duration
	open func(url string) error
}

// Source gets one token.
type Source struct {
	o        Options
	platform *workload.Platform // by which the token comes, or nil
	flow     *flow              // of a person, or nil
}

// New chooses where the token comes from. It uses no network. A token that is there already is checked now, and again by whoever
// uses it.
func New(o Options) (*Source, error) {
	if o.ClientID == "" {
		o.ClientID = DefaultClientID
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.wait == 0 {
		o.wait = wait
	}
	if o.Environment.Getenv == nil {
		o.Environment.Getenv = os.Getenv
	}
	s := &Source{o: o}
	if s.o.Token != "" {
		return s, s.check(s.o.Token)
	}
	if o.Flow == FlowAuto && o.Ambient != AmbientNever {
		found, err := s.ambient()
		if found || err != nil {
			return s, err
		}
	}
	if !o.Attended && o.Flow != FlowDevice {
		return nil, ErrNoWay
	}
	s.flow = &flow{Options: s.o}
	return s, nil
}

// ambient looks for a token, or a platform that gives one.
func (s *Source) ambient() (found bool, err error) {
	given := s.o.Environment.Getenv(workload.GitLabVariable)
	always := s.o.Ambient == AmbientAlways
	switch {
	case given != "" && !always:
		s.o.Token = given
		return true, s.check(given)
	case s.o.Attended && !always:
		return false, nil
	}
	if s.platform, err = workload.Detect(s.o.Environment); s.platform != nil || err != nil {
		return true, err
	}
	switch {
	case given != "":
		s.o.Token = given
		return true, s.check(given)
	case always:
		return false, fmt.Errorf("%w: this is none of the platforms that give tokens, and %s is not set", ErrNoWay, workload.GitLabVariable)
	}
	return false, nil
}

// check says whether a token can be used now.
func (s *Source) check(raw string) error {
	t, err := idtoken.Parse(raw)
	if err != nil {
		return err
	}
	if err := t.Check(s.o.ClientID, s.o.now()); err != nil {
		return err
	}
	if s.o.Provider != "" && !t.By(s.o.Provider) {
		_, issuer := t.Certificate()
		return fmt.Errorf("%w: %s, expected %s", ErrProvider, plain.Name(issuer), plain.Name(s.o.Provider))
	}
	return nil
}

// Audience is whom the token is for.
func (s *Source) Audience() string { return s.o.ClientID }

// Prepare does what can be done before somebody has to sign in: it asks the issuer where to. The function issuer says which is
// that of the Sigstore instance, or "" where it has none; it is called only where somebody has to sign in there.
func (s *Source) Prepare(ctx context.Context, issuer func(context.Context) (string, error)) error {
	if s.flow == nil {
		return nil
	}
	return s.flow.discover(ctx, issuer)
}

// Token gets the token; for a person, after Prepare.
func (s *Source) Token(ctx context.Context) (token string, err error) {
	switch {
	case s.o.Token != "":
		return s.o.Token, nil
	case s.platform != nil:
		if token, err = s.platform.Token(ctx, s.o.ClientID); err == nil {
			err = s.fresh(s.check(token))
		}
		return token, err
	default:
		token, err = s.flow.run(ctx)
	}
	if err != nil {
		return "", err
	}
	return token, s.check(token)
}

// fresh says what it means that a token is too old or too new which a platform has made just now.
func (s *Source) fresh(err error) error {
	if errors.Is(err, idtoken.ErrExpired) || errors.Is(err, idtoken.ErrNotYet) {
		return &workload.Error{Platform: s.platform.Name, Err: err, Hint: "the platform has made it just now: set the clock of this machine"}
	}
	return err
}

// connectors are the identity providers that Sigstore's own issuers sign people in with, and are asked for by these names.
var connectors = []string{
	oauthflow.PublicInstanceGoogleAuthSubURL, oauthflow.PublicInstanceGithubAuthSubURL, oauthflow.PublicInstanceMicrosoftAuthSubURL,
}
