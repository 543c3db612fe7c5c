package pins

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// ErrUnknown is wrapped by errors that say why nobody can be pinned for a
// signature, which makes it no better and no worse than none.
var ErrUnknown = errors.New("no trusted signer is configured, and none can be pinned")

// Change is the error for a signature that somebody else has made than before.
type Change struct {
	Pinned Pin
	// Found says in one printable line what is there instead of a signature by
	// the pinned signer.
	Found string
	// Signer is who has signed now, as verified; nil where it is no Sigstore signer.
	Signer *verify.Signer
	// Beside is the path of a signature that nobody is pinned for, which has come
	// beside or around the one of Pinned; "" where it is that one.
	Beside string

	missing  bool
	disputed bool // somebody else is pinned for it too
}

func (c *Change) Error() string {
	if c.missing {
		return fmt.Sprintf("a signature %s is pinned for %s, and is not there", plain.Name(c.Pinned.Signature), c.Pinned.URL)
	}
	if c.Beside != "" {
		return fmt.Sprintf("new, and not by a signer that is pinned for %s, of which %s is in the same folder", c.Pinned.URL, plain.Name(c.Pinned.Signature))
	}
	if c.disputed {
		return fmt.Sprintf("two signers are pinned for %s, in lines that differ by spelling only", c.Pinned.URL)
	}
	return fmt.Sprintf("not by the signer that is pinned for %s", c.Pinned.URL)
}

// Judge knows the signers of one repository.
type Judge struct {
	url      string
	store    Store
	instance policy.Trust
	file     *File
}

// NewJudge reads what is known of the repository that was cloned from a URL, in
// the form of [gitrepo.NormalURL]. There is nobody to ask, and it returns nil, where
// the policy names signers, where it wants no pins, and where there is no URL.
func NewJudge(url string, p policy.Policy) (*Judge, error) {
	if url == "" || !p.Trust.Empty() || p.FirstUse == policy.NoPins {
		return nil, nil
	}
	store, err := StoreOf(p)
	if err != nil {
		return nil, err
	}
	file, err := store.Load()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", policy.ErrConfig, err)
	}
	return &Judge{url: url, store: store, instance: p.Trust, file: file}, nil
}

// StoreOf is the known-signers file that a policy names, or the usual one.
func StoreOf(p policy.Policy) (Store, error) {
	if p.KnownSigners != "" {
		return Store(p.KnownSigners), nil
	}
	name, err := DefaultName()
	if err != nil {
		return "", fmt.Errorf("%w: %w", policy.ErrConfig, err)
	}
	return Store(name), nil
}

// URL is where the repository was cloned from.
func (j *Judge) URL() string { return j.url }

// Pins lists the signers that are known.
func (j *Judge) Pins() []Pin { return j.file.Of(j.url) }

// Missing is the error for a signature that is not there; nil where none is expected.
func (j *Judge) Missing(signature string) *Change {
	pinned := j.file.Get(j.url, signature)
	if len(pinned) == 0 {
		return nil
	}
	return &Change{Pinned: pinned[0], Found: "no signature", missing: true}
}

// Stranger is the error for a signature at a path that nobody is pinned for, in the
// folder of one of the known pins or in one around it, by a signer who is none of
// them; nil for any other. Who is pinned for a signature beside somebody else, in a
// line that differs by spelling only, is no known signer.
func (j *Judge) Stranger(known []Pin, signature string, signer *verify.Signer) *Change {
	now := New(j.url, signature, signer)
	var near *Pin
	for _, pin := range known {
		if pin.SameSigner(now) && !disputed(known, pin) {
			return nil
		}
		if folder := path.Dir(signature); near == nil && (folder == "." || strings.HasPrefix(pin.Signature, folder+"/")) {
			near = &pin
		}
	}
	if near == nil {
		return nil
	}
	return &Change{Pinned: *near, Found: now.Signer(), Signer: signer, Beside: signature}
}

// disputed says whether a signature has pins of several signers.
func disputed(known []Pin, pin Pin) bool {
	return slices.ContainsFunc(known, func(other Pin) bool { return other.Signature == pin.Signature && !other.SameSigner(pin) })
}

// Manifest is [verify.Manifest] for the signature that lies at a path in the
// repository. Where a signer is pinned for it, the error for any other is a
// *Change. Where nobody is, any signer that the Sigstore instance has identified
// will do, and known is false: whether that one is to be believed is for the caller
// to decide. An error that wraps [ErrUnknown] says that there is no such signer.
func (j *Judge) Manifest(ctx context.Context, bundle []byte, signature string) (m *oms.Manifest, signer *verify.Signer, known bool, err error) {
	pinned := j.file.Get(j.url, signature)
	m, signer, err = j.identify(ctx, bundle)
	var self *selfAsserted
	switch {
	case len(pinned) > 0 && errors.As(err, &self):
		return nil, nil, false, &Change{Pinned: pinned[0], Found: "signed with a " + self.method.String()}
	case len(pinned) == 0 && unidentified(err):
		return nil, nil, false, fmt.Errorf("%w: %w", ErrUnknown, err)
	case err != nil:
		return nil, nil, false, err
	}
	if change := differs(pinned, New(j.url, signature, signer), signer); change != nil {
		return nil, nil, false, change
	}
	return m, signer, len(pinned) > 0, nil
}

// differs is the error for the pin that a signer would have, where another is pinned
// for that signature.
func differs(pinned []Pin, now Pin, signer *verify.Signer) *Change {
	i := slices.IndexFunc(pinned, func(p Pin) bool { return !p.SameSigner(now) })
	if i < 0 {
		return nil
	}
	return &Change{Pinned: pinned[i], Found: now.Signer(), Signer: signer, disputed: disputed(pinned, pinned[i])}
}

// ErrSelfAsserted is wrapped beside [ErrUnknown] where a signature is of a method
// by which nobody else says who made it.
var ErrSelfAsserted = errors.New("signed without Sigstore")

// selfAsserted is an error that wraps ErrSelfAsserted and knows the method.
type selfAsserted struct{ method oms.Material }

func (s *selfAsserted) Error() string {
	return fmt.Sprintf("%s, with a %s, of which anybody can make one", ErrSelfAsserted, s.method)
}

func (s *selfAsserted) Unwrap() error { return ErrSelfAsserted }

// unidentified says whether an error leaves open who signed, and whether rightly:
// anybody can make such a signature, and as well none.
func unidentified(err error) bool {
	return errors.Is(err, ErrSelfAsserted) || errors.Is(err, verify.ErrUntrusted) || errors.Is(err, verify.ErrUnavailable)
}

// identify verifies a signature by whomever the Sigstore instance has identified.
func (j *Judge) identify(ctx context.Context, bundle []byte) (*oms.Manifest, *verify.Signer, error) {
	if b, err := oms.ParseBundle(bundle); err == nil && b.Material != oms.MaterialSigstore {
		return nil, nil, &selfAsserted{b.Material}
	}
	o, err := j.instance.Sigstore()
	if err != nil {
		return nil, nil, err
	}
	v, err := verify.NewAnyIdentity(o)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", policy.ErrConfig, err)
	}
	m, signer, err := verify.Manifest(ctx, bundle, v)
	if err == nil && (signer.Identity == "" || signer.Issuer == "") {
		return nil, nil, fmt.Errorf("%w: its certificate names no identity", verify.ErrUntrusted)
	}
	return m, signer, err
}

// Identify makes the pin of whoever has made a signature, whether another signer
// is pinned for it or not.
func (j *Judge) Identify(ctx context.Context, bundle []byte, signature string) (Pin, error) {
	_, signer, err := j.identify(ctx, bundle)
	if err != nil {
		return Pin{}, err
	}
	return New(j.url, signature, signer), nil
}

// Store is the file that the judge goes by.
func (j *Judge) Store() Store { return j.store }

// Pin makes a signer the one that is believed for a signature from now on. Where
// another one was pinned in the meantime the error is a *Change.
func (j *Judge) Pin(ctx context.Context, signature string, signer *verify.Signer) error {
	pin := New(j.url, signature, signer)
	return j.store.Update(ctx, func(f *File) error {
		pinned := f.Get(j.url, signature)
		if change := differs(pinned, pin, signer); change != nil {
			return change
		}
		j.file = f
		if len(pinned) > 0 {
			return nil // as somebody else has written it in the meantime
		}
		return f.Set(pin)
	})
}
