package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/kms"
	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// namesDevice says whether an option's value names a token or a key service, where the option takes that.
func namesDevice(option, value string) bool {
	switch option {
	case "private-key":
		return pkcs11.IsURI(value) || kms.IsURI(value)
	case "signing-certificate":
		return pkcs11.IsURI(value)
	}
	return false
}

// nameInput names what an option names, for people: a file, or a URI without its PIN.
func nameInput(name string) string {
	if !pkcs11.IsURI(name) {
		return ui.Quote(name)
	}
	u, err := pkcs11.ParseURI(name)
	if err != nil {
		return pkcs11.Scheme + "..." // what cannot be read may have a PIN anywhere
	}
	return ui.Quote(u.String())
}

// OpenKey is the private key that --private-key names: in a file, on a token or with a key service. Passphrases and PINs are
// asked for; what there is to say about that is said on t.
func OpenKey(ctx context.Context, name string, t *ui.Terminal) (*sign.Key, error) {
	switch {
	case pkcs11.IsURI(name):
		return tokenKey(ctx, name, t)
	case kms.IsURI(name):
		return serviceKey(ctx, name)
	}
	pem, err := readInput(name, "private key")
	if err != nil {
		return nil, err
	}
	key, err := sign.NewKey(pem, func() ([]byte, error) {
		return ui.Passphrase(ctx, fmt.Sprintf("Passphrase for %s: ", ui.Quote(name)))
	})
	if err != nil {
		return nil, ui.Usage(keyHint(err), "private key %s: %w", ui.Quote(name), err)
	}
	return key, nil
}

// tokenKey is the key on a token. The session lasts as long as this program: hashing comes between login and signature.
func tokenKey(ctx context.Context, uri string, t *ui.Terminal) (*sign.Key, error) {
	session, err := openSession(ctx, uri, "private key", t)
	if err != nil {
		return nil, err
	}
	key, err := session.PrivateKey(ctx)
	if err != nil {
		session.Close()
		return nil, tokenError("private key", err)
	}
	signer, err := sign.NewDevice(key)
	if err != nil {
		session.Close()
		return nil, tokenError("private key", err)
	}
	return signer, nil
}

func openSession(ctx context.Context, uri, what string, t *ui.Terminal) (*pkcs11.Session, error) {
	u, err := pkcs11.ParseURI(uri)
	if err != nil {
		return nil, tokenError(what, err)
	}
	if u.PINValue != "" {
		t.Warn("a PIN in pin-value can be seen in the list of processes and the shell's history: use pin-source=/FILE, MODELSIGN_PIN or the prompt")
	}
	session, err := pkcs11.Open(ctx, u, pkcs11.Options{PIN: func(ctx context.Context, label string, last bool) ([]byte, error) {
		prompt := fmt.Sprintf("PIN for token %s: ", ui.Quote(label))
		if last {
			prompt = fmt.Sprintf("PIN for token %s (the last try: a wrong one locks it): ", ui.Quote(label))
		}
		return ui.PIN(ctx, prompt, last)
	}, Keypad: t.Keypad})
	if err != nil {
		return nil, tokenError(what, err)
	}
	return session, nil
}

// tokenError says what to do about a token that cannot be used.
func tokenError(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, pkcs11.ErrFailed) {
		return ui.Trouble("nothing was written; the module's maker may know more", "%s: %w", what, err)
	}
	var hint string
	var none *pkcs11.NoMatchError
	switch {
	case errors.As(err, &none) && len(none.Choices) > 0:
		hint = "there is " + strings.Join(none.Choices, "\nthere is ")
	case errors.Is(err, pkcs11.ErrToken):
		hint = "the module sees no token: is it plugged in, and has it been set up?"
	case errors.Is(err, pkcs11.ErrHelper):
		hint = "go install github.com/git-model-sign/git-model-sign/cmd/...@latest installs it beside git-model-sign"
	case errors.Is(err, ui.ErrNoPIN), errors.Is(err, pkcs11.ErrPIN):
		hint = "the PIN is taken from pin-source=/FILE in the URI, or MODELSIGN_PIN, or asked for on the terminal"
	case errors.Is(err, pkcs11.ErrLocked):
		hint = "log in with the token's own program, or have its PIN set anew with that"
	case errors.Is(err, pkcs11.ErrModule):
		hint = "?module-path=/PATH at the end of the URI names the module's file, ?module-name=NAME one in the system's folders"
	case errors.Is(err, pkcs11.ErrURI):
		hint = "such as 'pkcs11:token=LABEL;object=LABEL?module-path=/PATH'; quote it, as shells cut lines at \";\""
	}
	return ui.Usage(hint, "%s: %w", what, err)
}

// serviceKey is the key of a key service.
func serviceKey(ctx context.Context, uri string) (*sign.Key, error) {
	key, err := kms.Open(ctx, uri)
	switch {
	case errors.Is(err, kms.ErrNoPlugin):
		return nil, ui.Usage(pluginHint(uri), "private key %s: %w", ui.Quote(uri), err)
	case err != nil:
		return nil, ui.Trouble("", "private key %s: %w", ui.Quote(uri), err)
	}
	signer, err := sign.NewDevice(key)
	if err != nil {
		return nil, ui.Usage("", "private key %s: %w", ui.Quote(uri), err)
	}
	return signer, nil
}

// pluginHint says how to have the plugin for a URI.
func pluginHint(uri string) string {
	const scheme = "sigstore-kms-"
	ours := []string{"awskms", "azurekms", "gcpkms", "hashivault", "openbao"}
	name := strings.TrimPrefix(kms.Plugin(uri), scheme)
	if !slices.Contains(ours, name) {
		return "there are plugins for " + strings.Join(ours, ", ")
	}
	return "go install github.com/git-model-sign/git-model-sign/kms/" + scheme + name + "@latest installs it"
}

// leaf is the signing certificate, and others that come with it, in PEM.
func (m *SignMethod) leaf(ctx context.Context, key *sign.Key) ([]byte, error) {
	if !pkcs11.IsURI(m.certificate) {
		return readInput(m.certificate, "signing certificate")
	}
	session, err := openSession(ctx, m.certificate, "signing certificate", m.Terminal)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	found, err := session.Certificates(ctx)
	if err != nil {
		return nil, tokenError("signing certificate", err)
	}
	var out bytes.Buffer
	for _, der := range ownCertificate(found, key.Public(), time.Now()) {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// ownCertificate puts the key's own certificate before those of others, in whatever
// order a token lists them. A key that is certified anew has several: of those the one
// to sign with now is kept, the newest if there are more, and the others are no part of
// any chain. Where none is to sign with now, the last one is, to be refused by name.
func ownCertificate(found [][]byte, key crypto.PublicKey, now time.Time) [][]byte {
	var own []*x509.Certificate
	var others [][]byte
	for _, der := range found {
		cert, err := x509.ParseCertificate(der)
		if err == nil {
			if public, ok := cert.PublicKey.(*ecdsa.PublicKey); ok && public.Equal(key) {
				own = append(own, cert)
				continue
			}
		}
		others = append(others, der)
	}
	if len(own) == 0 {
		return others
	}
	best := slices.MaxFunc(own, func(a, b *x509.Certificate) int {
		return cmp.Or(fitness(a, now)-fitness(b, now), a.NotBefore.Compare(b.NotBefore), a.NotAfter.Compare(b.NotAfter), bytes.Compare(a.Raw, b.Raw))
	})
	return append([][]byte{best.Raw}, others...)
}

// fitness is how much holds of what verifiers ask of a signer's certificate.
func fitness(cert *x509.Certificate, now time.Time) int {
	switch {
	case verify.CheckUsage(cert) != nil:
		return 0
	case verify.CheckValidity(cert, now) != nil:
		return 1
	}
	return 2
}
