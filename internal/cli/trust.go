package cli

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Trust holds the options of whom to believe.
type Trust struct {
	publicKey                string
	chain                    []string
	identity, regexp, issuer string
	instance                 Instance
	require                  bool
	changed                  func(name string) bool
}

// methodFlags are the options that name a signer to believe, by method.
var methodFlags = map[string][]string{
	"key":         {"public-key"},
	"certificate": {"certificate-chain"},
	"sigstore":    {"identity", "identity-regexp", "identity-provider"},
}

// Register declares the options. Without it nothing was given on the command line.
func (o *Trust) Register(flags *pflag.FlagSet) {
	o.changed = flags.Changed
	flags.StringVar(&o.publicKey, "public-key", "", "believe the key whose public half is in `FILE`")
	flags.StringArrayVar(&o.chain, "certificate-chain", nil, "believe certificates that lead to those in `FILE`; may be repeated")
	flags.StringVar(&o.identity, "identity", "", "believe the Sigstore `IDENTITY`: an e-mail address or a URI")
	flags.StringVar(&o.regexp, "identity-regexp", "", "believe each Sigstore identity that matches the whole of `EXPRESSION`, in RE2's syntax")
	flags.StringVar(&o.issuer, "identity-provider", "", "the `URL` of the provider that vouches for the identity")
	o.instance.Register(flags)
	flags.BoolVar(&o.require, "require", false, "take a signature that is not there for a failed verification")
}

// Resolve is the policy that config holds, with the signers that the command
// line names in place of config's. Options that name a Sigstore instance go with
// either.
func (o *Trust) Resolve(config *Config) (policy.Policy, error) {
	p, err := config.Policy()
	if err != nil || o.changed == nil {
		return p, err
	}
	var methods []string
	for method, names := range methodFlags {
		if slices.ContainsFunc(names, o.changed) {
			methods = append(methods, method)
		}
	}
	if len(methods) > 1 {
		slices.Sort(methods)
		return policy.Policy{}, ui.Usage("give --public-key, or --certificate-chain, or --identity with --identity-provider",
			"options of more than one method: %s", methods)
	}
	if len(methods) == 1 {
		p.Trust.PublicKeys, p.Trust.CertificateChain, p.Trust.Identities = nonEmpty(o.publicKey), o.chain, o.identities()
		if namesDevice("private-key", o.publicKey) {
			return policy.Policy{}, ui.Usage("git model-sign keygen --public-of URI FILE writes the public key into a file", "--public-key takes a file: to verify, no token or key service is asked")
		}
		if p.Trust.Empty() {
			// An empty variable of a script must not ask for less than none.
			return policy.Policy{}, ui.Usage("", "--%s: names nobody", methodFlags[methods[0]][0])
		}
	}
	if o.changed("require") {
		p.Require = o.require
	}
	o.instance.Apply(&p.Trust)
	return p, nil
}

// identities are those that the command line names. One without its provider is
// kept, for the error that it deserves.
func (o *Trust) identities() []verify.Identity {
	var out []verify.Identity
	if o.regexp != "" {
		out = append(out, verify.Identity{Regexp: o.regexp, Issuer: o.issuer})
	}
	if o.identity != "" || o.issuer != "" && o.regexp == "" {
		out = append(out, verify.Identity{ID: o.identity, Issuer: o.issuer})
	}
	return out
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// Instance holds the options of which Sigstore instance to believe.
type Instance struct {
	trustedRoot, trustConfig string
	staging                  bool
	changed                  func(name string) bool
}

// Register declares the options.
func (o *Instance) Register(flags *pflag.FlagSet) {
	o.changed = flags.Changed
	flags.StringVar(&o.trustedRoot, "trusted-root", "", "believe the Sigstore instance of this trusted_root.json `FILE`, without the network")
	flags.StringVar(&o.trustConfig, "trust-config", "", "believe the Sigstore instance of this client trust config `FILE`")
	flags.BoolVar(&o.staging, "use-staging", false, "believe Sigstore's staging instance")
}

// Apply puts the instance that was asked for, if any was, in the place of t's.
func (o *Instance) Apply(t *policy.Trust) {
	if slices.ContainsFunc([]string{"trusted-root", "trust-config", "use-staging"}, o.changed) {
		t.TrustedRoot, t.TrustConfig, t.Staging = o.trustedRoot, o.trustConfig, o.staging
	}
}
