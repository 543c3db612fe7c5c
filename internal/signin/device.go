package signin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"golang.org/x/oauth2"
)

// Bounds of what an issuer may ask for: how often to ask whether somebody has signed in, in seconds, and for how long.
const (
	maxInterval = 60
	deviceWait  = 15 * time.Minute
)

// typed is a code that somebody can type (RFC 8628, section 6.1), and that is nothing else: it is shown among our own words.
var typed = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)

// byDevice has somebody sign in with a browser elsewhere, at an address that is short enough to be typed (RFC 8628).
func (f *flow) byDevice(ctx context.Context) (string, error) {
	if f.config.Endpoint.DeviceAuthURL == "" {
		return "", &Error{Issuer: f.issuer, Err: errors.New("it offers no sign-in for devices (RFC 8628)"), Hint: "--oauth-force-oob has you copy a code"}
	}
	verifier := oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if f.ClientSecret != "" {
		options = append(options, oauth2.SetAuthURLParam("client_secret", f.ClientSecret))
	}
	device, err := f.config.DeviceAuth(ctx, options...)
	if err != nil {
		return "", f.failed(err)
	}
	f.secrets = append(f.secrets, verifier, device.DeviceCode)
	where := device.VerificationURIComplete
	if where == "" {
		where = device.VerificationURI
	}
	if err := confidential(where); err != nil || device.DeviceCode == "" || !typed.MatchString(device.UserCode) {
		return "", f.failed(errors.Join(errors.New("its answer says not what to enter where"), err))
	}
	temper(device, time.Now())
	f.People.Enter(where, device.UserCode)
	answer, err := f.config.DeviceAccessToken(ctx, device, oauth2.VerifierOption(verifier))
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(device.Expiry):
		return "", f.failed(fmt.Errorf("%w before the code expired", ErrTimeout))
	case err != nil:
		return "", f.failed(err)
	}
	return f.verify(ctx, answer, "")
}

// temper takes an issuer's haste out of its answer, and its patience.
func temper(device *oauth2.DeviceAuthResponse, now time.Time) {
	device.Interval = min(max(device.Interval, 1), maxInterval)
	if latest := now.Add(deviceWait); device.Expiry.IsZero() || device.Expiry.After(latest) {
		device.Expiry = latest
	}
}
