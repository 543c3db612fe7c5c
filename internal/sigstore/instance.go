// Package sigstore knows the Sigstore instance that a signature is made with or checked against: whose keys it is trusted by
// (the trusted root) and which services sign there (the signing config). Both come from bytes that the user gave, or by TUF
// from the public or the staging instance. It talks to TUF mirrors only; signing and verifying are done in packages sign and
// verify.
//
// What it returns decides what is believed, so nothing in it may come from a bundle or from a repository.
package sigstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Media types of the JSON files that describe an instance, as Sigstore's protobuf-specs define them.
const (
	mediaTypeTrustConfig   = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
	mediaTypeTrustedRoot   = root.TrustedRootMediaType01
	mediaTypeSigningConfig = root.SigningConfigMediaType02
)

// MaxConfigSize is the largest of these files that is read, in bytes. The public instance's are below 20 KB.
const MaxConfigSize = 4 << 20

// ErrConfig is wrapped by every error about a trust configuration that can not be used.
var ErrConfig = errors.New("trust configuration")

// ErrUnavailable is wrapped by every error about an instance whose trusted root or signing config could not be fetched.
var ErrUnavailable = errors.New("no answer from Sigstore")

// Options say which instance. The zero value is the public one.
type Options struct {
	// TrustConfig is a ClientTrustConfig: a trusted root and a signing config in one JSON object.
	TrustConfig []byte
	// TrustedRoot and SigningConfig are the two as separate JSON objects. To verify, the first suffices.
	TrustedRoot, SigningConfig []byte
	// Staging asks for Sigstore's staging instance instead of the public one.
	Staging bool
	// CacheDir is where TUF metadata is kept, in a folder of its own; if empty none is.
	CacheDir string
	// UserAgent is what the HTTP requests of this program say that they come from; Go's own words if empty.
	UserAgent string
}

// Instance is one Sigstore instance. Its methods may be called from several goroutines.
type Instance struct {
	options Options
	mirror  *mirror // nil where the user gave the files

	mu            sync.Mutex
	trustedRoot   *root.TrustedRoot
	signingConfig *root.SigningConfig
	cannotSign    error // why a signing config that was given is not there
}

// Open reads what o gives and checks it; it does not use the network. Any of the three fields may hold any of the three
// kinds of file, told apart by their mediaType, because people pass a ClientTrustConfig where a trusted root is asked for
// and the other way round; but each part may be given once only.
func Open(o Options) (*Instance, error) {
	i := &Instance{options: o}
	for _, given := range []struct {
		name string
		b    []byte
	}{{"trust config", o.TrustConfig}, {"trusted root", o.TrustedRoot}, {"signing config", o.SigningConfig}} {
		if given.b == nil {
			continue
		}
		if o.Staging {
			return nil, fmt.Errorf("%w: a %s was given, and the staging instance was asked for: choose one", ErrConfig, given.name)
		}
		if err := i.read(given.b); err != nil {
			return nil, fmt.Errorf("%w: reading the %s: %w", ErrConfig, given.name, err)
		}
	}
	if i.trustedRoot == nil {
		if i.signingConfig != nil {
			return nil, fmt.Errorf("%w: a signing config was given without the trusted root of the same instance", ErrConfig)
		}
		i.mirror = newMirror(o)
	}
	return i, nil
}

// String names the instance for people.
func (i *Instance) String() string {
	if i.mirror != nil {
		return i.mirror.name
	}
	return "the given Sigstore instance"
}

// TrustedRoot returns the keys and certificates that the instance is trusted by.
func (i *Instance) TrustedRoot(ctx context.Context) (*root.TrustedRoot, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.trustedRoot == nil {
		b, err := i.mirror.fetch(ctx, "trusted_root.json", "trusted root", "--trusted-root")
		if err != nil {
			return nil, err
		}
		if i.trustedRoot, err = parseTrustedRoot(b); err != nil {
			return nil, fmt.Errorf("%w: trusted root of %s: %w", ErrConfig, i, err)
		}
	}
	return i.trustedRoot, nil
}

// CanSign reports why an instance that the user described can not be signed with, without using the network.
func (i *Instance) CanSign() error {
	switch {
	case i.mirror != nil:
		return nil
	case i.cannotSign != nil:
		return fmt.Errorf("%w: reading the signing config: %w", ErrConfig, i.cannotSign)
	case i.signingConfig == nil:
		return fmt.Errorf("%w: a trusted root says whom to trust, not where to sign: give a ClientTrustConfig, or a signing config too", ErrConfig)
	}
	return nil
}

// SigningConfig returns the services to sign with.
func (i *Instance) SigningConfig(ctx context.Context) (*root.SigningConfig, error) {
	if err := i.CanSign(); err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.signingConfig == nil {
		b, err := i.mirror.fetch(ctx, "signing_config.v0.2.json", "signing config", "--trust-config")
		if err != nil {
			return nil, err
		}
		if i.signingConfig, err = parseSigningConfig(b); err != nil {
			return nil, fmt.Errorf("%w: signing config of %s: %w", ErrConfig, i, err)
		}
	}
	return i.signingConfig, nil
}

// envelope is what tells the three kinds of file apart, and what a ClientTrustConfig holds. Its parts are cut out here, since
// to verify, a signing config of an older or newer form must not matter.
type envelope struct {
	MediaType     string         `json:"mediaType"`
	TrustedRoot   jsontext.Value `json:"trustedRoot"`
	SigningConfig jsontext.Value `json:"signingConfig"`
}

func (i *Instance) read(b []byte) error {
	if len(b) > MaxConfigSize {
		return fmt.Errorf("it has %d bytes, the largest that is read has %d", len(b), MaxConfigSize)
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("it is not JSON of the expected form: %s", plain.Line(err.Error()))
	}
	switch e.MediaType {
	case mediaTypeTrustConfig:
		if e.TrustedRoot == nil {
			return errors.New("the ClientTrustConfig has no trusted root")
		}
		if err := i.setTrustedRoot(e.TrustedRoot); err != nil {
			return err
		}
		if e.SigningConfig != nil {
			i.cannotSign = i.setSigningConfig(e.SigningConfig)
		}
		return nil
	case mediaTypeTrustedRoot:
		return i.setTrustedRoot(b)
	case mediaTypeSigningConfig:
		return i.setSigningConfig(b)
	}
	return fmt.Errorf("its mediaType is %s, expected %s, %s or %s",
		plain.Quote(e.MediaType), mediaTypeTrustConfig, mediaTypeTrustedRoot, mediaTypeSigningConfig)
}

func (i *Instance) setTrustedRoot(b []byte) (err error) {
	if i.trustedRoot != nil {
		return errors.New("a trusted root was given already")
	}
	i.trustedRoot, err = parseTrustedRoot(b)
	return err
}

func (i *Instance) setSigningConfig(b []byte) (err error) {
	if i.signingConfig != nil {
		return errors.New("a signing config was given already")
	}
	i.signingConfig, err = parseSigningConfig(b)
	return err
}

// parseTrustedRoot refuses a root by which nothing could ever be verified.
func parseTrustedRoot(b []byte) (*root.TrustedRoot, error) {
	r, err := root.NewTrustedRootFromJSON(b)
	switch {
	case err != nil:
		return nil, errors.New(plain.Line(err.Error()))
	case len(r.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("it lists no certificate authority")
	case len(r.RekorLogs()) == 0:
		return nil, errors.New("it lists no transparency log")
	}
	return r, nil
}

func parseSigningConfig(b []byte) (*root.SigningConfig, error) {
	p, err := root.NewSigningConfigProtobuf(b)
	if err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	// sigstore-go reads these without looking whether they are there.
	if len(p.GetRekorTlogUrls()) > 0 && p.GetRekorTlogConfig() == nil {
		return nil, errors.New("it lists transparency logs, and has no rekorTlogConfig that says how many of them to use")
	}
	if len(p.GetTsaUrls()) > 0 && p.GetTsaConfig() == nil {
		return nil, errors.New("it lists timestamp authorities, and has no tsaConfig that says how many of them to use")
	}
	c, err := root.NewSigningConfigFromProtobuf(p)
	if err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	return c, nil
}
