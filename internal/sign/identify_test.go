package sign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// TestIdentify holds signing to its order: somebody is asked to sign in once, when all else is ready, and whom the signature will name
// is said before a service hears of it.
func TestIdentify(t *testing.T) {
	instance := verifytest.NewInstance(t)
	var happened []string
	note := func(what string) { happened = append(happened, what) }
	o := SigstoreOptions{
		TrustedRoot: instance.TrustedRoot(t, false),
		Token:       func(context.Context) (string, error) { note("token"); return validToken(), nil },
		Announce:    func(identity, issuer string) { note(identity + " via " + issuer) },
	}
	signer := func(identity string) *Sigstore {
		v := &changed{Signer: instance.Signer(t, identity, issuer)}
		v.certificate = func() ([]byte, error) { note("certificate"); return v.Certificate.Raw, nil }
		v.log = func(b *protobundle.Bundle) error {
			note("log")
			return v.Signer.GetTransparencyLogEntry(t.Context(), nil, b)
		}
		s := newSigstore(t, o).at(v.Signer)
		s.connect = func(context.Context) (*services, error) {
			note("connect")
			return &services{
				authority: endpoint[sign.CertificateProvider]{name: "Fulcio", url: "https://fulcio.test", client: v},
				logs:      []transparencyLog{{endpoint[sign.Transparency]{name: "Rekor", url: "https://rekor.test", client: v}, 1}},
			}, nil
		}
		return s
	}
	s := signer(alice)
	b, err := s.Sign(t.Context(), statement(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"connect", "token", alice + " via " + issuer, "certificate", "log"}; !slices.Equal(happened, want) {
		t.Errorf("happened is %q, want %q", happened, want)
	}
	parsed, err := oms.ParseBundle(b)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Made(t.Context(), parsed) || len(happened) != 5 {
		t.Errorf("somebody was asked once more: %q", happened)
	}
	// The instance has a rule of its own for whom certificates name.
	happened = nil
	if _, err := signer("spiffe-alice@example.com").Sign(t.Context(), statement(t)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"connect", "token", alice + " via " + issuer, "certificate", "spiffe-alice@example.com via " + issuer, "log"}; !slices.Equal(happened, want) {
		t.Errorf("happened is %q, want %q", happened, want)
	}
	// Nobody signs in, and is not asked twice for it.
	happened = nil
	refused := errors.New("refused")
	o.Token = func(context.Context) (string, error) { note("token"); return "", refused }
	s = signer(alice)
	if s.Made(t.Context(), parsed) {
		t.Error("nobody made a signature")
	}
	if _, err := s.Sign(t.Context(), statement(t)); !errors.Is(err, refused) || !slices.Equal(happened, []string{"token", "connect"}) {
		t.Errorf("error is %v, happened is %q", err, happened)
	}
}

// TestIssuer says where people sign in. Where they cannot is no matter of an instance at which somebody with a token signs.
func TestIssuer(t *testing.T) {
	root := verifytest.NewInstance(t).TrustedRoot(t, false)
	service := func(version int, end string) string {
		return fmt.Sprintf(`"oidcUrls":[{"url":"https://issuer.test","majorApiVersion":%d,"validFor":{"start":"2020-01-01T00:00:00Z"%s},"operator":"test"}]`, version, end)
	}
	for config, c := range map[string]struct {
		issuer string
		err    error
	}{
		service(1, ""): {"https://issuer.test", nil},
		`"caUrls":[]`:  {"", nil},
		service(9, ""): {"", ErrConfig},
		service(1, `,"end":"2021-01-01T00:00:00Z"`): {"", ErrConfig},
	} {
		s := newSigstore(t, SigstoreOptions{TrustedRoot: root, SigningConfig: signingConfig(config)})
		issuer, err := s.Issuer(t.Context())
		if issuer != c.issuer || !errors.Is(err, c.err) || err != nil && strings.Contains(err.Error(), "m=") {
			t.Errorf("%s: %q, %v", config, issuer, err)
		}
	}
}

// TestPrepare says why an instance cannot be used, but for where people sign in.
func TestPrepare(t *testing.T) {
	ca, log, any1 := []aService{{name: "ca", version: 1, from: -9}}, []aService{{name: "log", version: 1, from: -9}}, chosen{"ANY", 0}
	unusable := []aService{{name: "old", version: 9, from: -9}}
	root := verifytest.NewInstance(t).TrustedRoot(t, false)
	for name, c := range map[string]struct {
		services []byte
		err      error
	}{
		"usable":              {config(t, ca, log, nil, any1, any1), nil},
		"no authority":        {config(t, nil, log, nil, any1, any1), ErrConfig},
		"of an unknown kind":  {config(t, unusable, log, nil, any1, any1), ErrConfig},
		"fewer logs than two": {config(t, ca, log, nil, chosen{"EXACT", 2}, any1), ErrConfig},
		"no usable timestamp": {config(t, ca, log, unusable, any1, any1), ErrConfig},
		"no services":         {signingConfig(`"caUrls":[]`), ErrConfig},
	} {
		s := newSigstore(t, SigstoreOptions{TrustedRoot: root, SigningConfig: c.services, Token: func(context.Context) (string, error) {
			t.Errorf("%s: a token is asked for", name)
			return "", nil
		}})
		if err := s.Prepare(t.Context()); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	s, err := NewSigstore(SigstoreOptions{Token: given(validToken()), CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(ctx); err == nil {
		t.Error("the public instance was reached without a network")
	}
}
