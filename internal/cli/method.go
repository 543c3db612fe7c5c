package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// SignMethod holds the options of how to sign. The method follows from them: a
// private key, a private key with a certificate, or else Sigstore.
type SignMethod struct {
	// Terminal is where somebody is told what is needed to sign in or to use a token, and whom the signature will name.
	Terminal *ui.Terminal

	privateKey  string
	certificate string
	chain       []string
	timestamps  []string
	signIn      signIn
	staging     bool
	trustConfig string
	trustedRoot string
	signing     string
}

// Register declares the options.
func (m *SignMethod) Register(flags *pflag.FlagSet) {
	flags.StringVar(&m.privateKey, "private-key", "", "sign with the private key in `FILE`, or the one that a pkcs11: or key service's URI names")
	flags.StringVar(&m.certificate, "signing-certificate", "", "with --private-key: the key's certificate is in `FILE`, or where a pkcs11: URI says")
	flags.StringArrayVar(&m.chain, "certificate-chain", nil, "with --signing-certificate: put the certificates of `FILE` into the signature; may be repeated")
	flags.StringArrayVar(&m.timestamps, "timestamp-server-url", nil, "with --private-key: have the RFC 3161 timestamp authority at `URL` say when the signature was made; may be repeated")
	m.signIn.register(flags)
	flags.StringVar(&m.trustConfig, "trust-config", "", "use the Sigstore instance of this client trust config `FILE`")
	flags.StringVar(&m.trustedRoot, "trusted-root", "", "with --signing-config: the Sigstore instance's trusted root is in `FILE`")
	flags.StringVar(&m.signing, "signing-config", "", "with --trusted-root: the Sigstore instance's services are in `FILE`")
	flags.BoolVar(&m.staging, "use-staging", false, "use Sigstore's staging instance")
}

// keyFlags and sigstoreFlags are the options that ask for one method or the other,
// and instanceFlags those of the latter that say at which Sigstore instance.
var (
	keyFlags      = []string{"private-key", "signing-certificate"}
	instanceFlags = []string{"trust-config", "trusted-root", "signing-config", "use-staging"}
	sigstoreFlags = slices.Concat(signInFlags, instanceFlags)
)

// FillFrom takes options that were not given from config, unless the command
// line asks for another method than config does.
func (m *SignMethod) FillFrom(config *Config, flags *pflag.FlagSet) error {
	if slices.ContainsFunc(sigstoreFlags, flags.Changed) {
		return m.fillSigstore(config, flags)
	}
	fill := keyFlags
	if flags.Changed("private-key") && len(standing(config.Get("privatekey"))) > 0 {
		fill = nil // config's certificate is its own key's
	}
	if err := config.Fill(flags, fill...); err != nil {
		return err
	}
	if m.privateKey == "" {
		return m.fillSigstore(config, flags)
	}
	if err := config.Fill(flags, "timestamp-server-url"); err != nil {
		return err
	}
	if m.certificate != "" {
		return config.Fill(flags, "certificate-chain")
	}
	return nil
}

func (m *SignMethod) fillSigstore(config *Config, flags *pflag.FlagSet) error {
	if err := config.FillInstance(flags); err != nil {
		return err
	}
	return m.signIn.fillFrom(config, flags)
}

// Signer is the signer that the options ask for.
func (m *SignMethod) Signer(ctx context.Context, flags *pflag.FlagSet) (sign.Signer, error) {
	if err := m.contradiction(flags); err != nil {
		return nil, err
	}
	if m.privateKey != "" {
		return m.keySigner(ctx)
	}
	return m.sigstoreSigner(ctx)
}

// contradiction tells of options that do not go together.
func (m *SignMethod) contradiction(flags *pflag.FlagSet) error {
	const hint = "give --private-key, or --private-key with --signing-certificate, or what leads to a token: --identity-token-file"
	switch {
	case m.privateKey != "" && slices.ContainsFunc(sigstoreFlags, flags.Changed):
		return ui.Usage(hint, "--private-key does not go with --%s", firstChanged(flags, sigstoreFlags))
	case m.certificate != "" && m.privateKey == "":
		return ui.Usage(hint, "--signing-certificate needs the --private-key that belongs to it")
	case flags.Changed("timestamp-server-url") && m.privateKey == "":
		return ui.Usage("a Sigstore instance names its timestamp authorities in its signing config", "--timestamp-server-url needs a --private-key")
	case flags.Changed("certificate-chain") && m.certificate == "":
		return ui.Usage(hint, "--certificate-chain needs a --signing-certificate")
	case (m.trustedRoot == "") != (m.signing == ""):
		return ui.Usage("", "--trusted-root and --signing-config go together when signing")
	case m.trustConfig != "" && m.trustedRoot != "":
		return ui.Usage("", "--trust-config does not go with --trusted-root and --signing-config")
	case m.staging && (m.trustConfig != "" || m.trustedRoot != ""):
		return ui.Usage("", "--use-staging does not go with another Sigstore instance")
	}
	return nil
}

func firstChanged(flags *pflag.FlagSet, names []string) string {
	return names[slices.IndexFunc(names, flags.Changed)]
}

func (m *SignMethod) keySigner(ctx context.Context) (sign.Signer, error) {
	key, err := OpenKey(ctx, m.privateKey, m.Terminal)
	if err != nil {
		return nil, err
	}
	for _, u := range m.timestamps {
		if err := sign.CheckTimestampURL(u); err != nil {
			return nil, ui.Usage("", "timestamp server's URL: %w", err)
		}
	}
	key.TimestampURLs = m.timestamps
	if m.certificate == "" {
		return key, nil
	}
	leaf, err := m.leaf(ctx, key)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for _, name := range m.chain {
		pem, err := readInput(name, "certificate chain")
		if err != nil {
			return nil, err
		}
		chain = append(chain, pem)
	}
	certificate, err := sign.NewCertificate(key, leaf, chain)
	if err != nil {
		return nil, ui.Usage("", "signing certificate %s: %w", nameInput(m.certificate), err)
	}
	return certificate, nil
}

func (m *SignMethod) sigstoreSigner(ctx context.Context) (sign.Signer, error) {
	source, err := m.signIn.source(m.Terminal)
	if err != nil {
		return nil, err
	}
	o := sign.SigstoreOptions{Token: source.Token, Audience: source.Audience(), Staging: m.staging, CacheDir: CacheDir()}
	for _, f := range []struct {
		name, what string
		into       *[]byte
	}{
		{m.trustConfig, "trust config", &o.TrustConfig},
		{m.trustedRoot, "trusted root", &o.TrustedRoot},
		{m.signing, "signing config", &o.SigningConfig},
	} {
		if f.name == "" {
			continue
		}
		b, err := readInput(f.name, f.what)
		if err != nil {
			return nil, err
		}
		*f.into = b
	}
	var signer *sign.Sigstore
	o.Announce = func(identity, issuer string) { m.Terminal.SigningAs(identity, issuer, signer.Instance()) }
	if signer, err = sign.NewSigstore(o); err != nil {
		return nil, ui.Usage("", "signing with Sigstore: %w", err)
	}
	err = signer.Prepare(ctx)
	switch {
	case errors.Is(err, sign.ErrConfig):
		return nil, ui.Usage(sign.Hint(err), "signing with Sigstore: %w", err)
	case err != nil:
		return nil, ui.Trouble(sigstore.Hint(err), "signing with Sigstore: %w", err)
	}
	return signer, signInError(source.Prepare(ctx, signer.Issuer))
}

// keyHint says what to do about a private key that cannot be used.
func keyHint(err error) string {
	switch {
	case errors.Is(err, sign.ErrPassphrase), errors.Is(err, ui.ErrNoTerminal):
		return "the passphrase is asked for on the terminal, or taken from MODELSIGN_PASSPHRASE"
	case errors.Is(err, sign.ErrKey), errors.Is(err, sign.ErrKeyType), errors.Is(err, sign.ErrPublicKey):
		return "git model-sign keygen makes a key pair"
	}
	return ""
}

// readInput reads a file that an option names. That it cannot be read is wrong
// usage: nothing has been done yet.
func readInput(name, what string) ([]byte, error) {
	b, err := bounded.ReadInput(name)
	if err != nil {
		return nil, ui.Usage("", "reading the %s: %w", what, err)
	}
	return b, nil
}
