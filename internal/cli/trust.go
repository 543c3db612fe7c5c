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
	publicKeys []string
	chain      []string
	timestamps []string
	signer     verify.Identity
	instance   Instance
	threshold  int
	require    bool
	flags      *pflag.FlagSet
}

// methodFlags are the options that name a signer to believe, by method.
var methodFlags = map[string][]string{
	"key":         {"public-key"},
	"certificate": {"certificate-chain"},
	"sigstore":    {"identity", "identity-regexp", "identity-provider", "identity-provider-regexp"},
}

// workflowFlags are the options of what a Sigstore signer's certificate has to say besides.
var workflowFlags = []string{"github-workflow-repository", "github-workflow-ref", "github-workflow-trigger", "github-workflow-name", "github-workflow-sha"}

// timestampFlag is the option that names a timestamp authority to believe.
const timestampFlag = "timestamp-certificate-chain"

// Register declares the options. Without it nothing was given on the command line.
func (o *Trust) Register(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringArrayVar(&o.publicKeys, "public-key", nil, "believe the key whose public half is in `FILE`; may be repeated")
	flags.StringArrayVar(&o.chain, "certificate-chain", nil, "believe certificates that lead to those in `FILE`; may be repeated")
	flags.StringArrayVar(&o.timestamps, timestampFlag, nil, "with a key or certificates: believe the timestamp authority whose certificates are in `FILE`; may be repeated")
	s := &o.signer
	flags.StringVar(&s.ID, "identity", "", "believe the Sigstore `IDENTITY`: an e-mail address or a URI")
	flags.StringVar(&s.Regexp, "identity-regexp", "", "believe each Sigstore identity that matches the whole of `EXPRESSION`, in RE2's syntax")
	flags.StringVar(&s.Issuer, "identity-provider", "", "the `URL` of the provider that vouches for the identity")
	flags.StringVar(&s.IssuerRegexp, "identity-provider-regexp", "", "believe each provider whose URL matches the whole of `EXPRESSION`")
	flags.StringVar(&s.Workflow.Repository, "github-workflow-repository", "", "the `REPOSITORY` that the signing job has to have run for: org/name, or its URL")
	flags.StringVar(&s.Workflow.Ref, "github-workflow-ref", "", "the `REF` that the job has to have run on, such as refs/heads/main")
	flags.StringVar(&s.Workflow.Trigger, "github-workflow-trigger", "", "the `EVENT` that has to have started the job, such as push")
	flags.StringVar(&s.Workflow.Name, "github-workflow-name", "", "the `NAME` that the workflow has to have")
	flags.StringVar(&s.Workflow.SHA, "github-workflow-sha", "", "the `COMMIT` that the job has to have run on")
	o.instance.Register(flags)
	flags.IntVar(&o.threshold, "threshold", 0, "ask for signatures by `N` different signers of those believed, over the same files")
	flags.BoolVar(&o.require, "require", false, "take a signature that is not there for a failed verification")
}

// Resolve is the policy that config holds, with the signers that the command
// line names in place of config's. Options that name a Sigstore instance, or what
// certificates have to say of a workflow, go with either.
func (o *Trust) Resolve(config *Config) (policy.Policy, error) {
	p, err := config.Policy()
	if err != nil || o.flags == nil {
		return p, err
	}
	var methods []string
	for method, names := range methodFlags {
		if slices.ContainsFunc(names, o.flags.Changed) {
			methods = append(methods, method)
		}
	}
	if len(methods) > 1 {
		slices.Sort(methods)
		return policy.Policy{}, ui.Usage("give --public-key, or --certificate-chain, or --identity with --identity-provider",
			"options of more than one method: %s", methods)
	}
	if len(methods) == 1 {
		p.Trust.PublicKeys, p.Trust.CertificateChain, p.Trust.Identities = o.publicKeys, o.chain, o.identities()
		if slices.ContainsFunc(o.publicKeys, func(k string) bool { return namesDevice("private-key", k) }) {
			return policy.Policy{}, ui.Usage("git model-sign keygen --public-of URI FILE writes the public key into a file", "--public-key takes a file: to verify, no token or key service is asked")
		}
		if o.signer.Issuer != "" && o.signer.IssuerRegexp != "" {
			return policy.Policy{}, ui.Usage("", "--identity-provider does not go with --identity-provider-regexp")
		}
	}
	if err := o.applyWorkflow(&p.Trust); err != nil {
		return policy.Policy{}, err
	}
	if o.flags.Changed(timestampFlag) {
		if len(p.Trust.PublicKeys) == 0 && len(p.Trust.CertificateChain) == 0 {
			return policy.Policy{}, ui.Usage("the timestamp authorities of a Sigstore instance are in its trusted root", "--%s goes with --public-key or --certificate-chain", timestampFlag)
		}
		p.Trust.TimestampChain = o.timestamps
	}
	if o.flags.Changed("require") {
		p.Require = o.require
	}
	if err := o.instance.Apply(&p.Trust); err != nil {
		return policy.Policy{}, err
	}
	return p, o.applyThreshold(&p)
}

// applyThreshold takes the number of signers that the command line asks for, and
// refuses one that its signers, or config's, could never meet.
func (o *Trust) applyThreshold(p *policy.Policy) error {
	if o.flags.Changed("threshold") {
		if o.threshold < 1 || o.threshold > policy.MaxThreshold {
			return ui.Usage("", "--threshold %d: expected a number from 1 to %d", o.threshold, policy.MaxThreshold)
		}
		p.Threshold = o.threshold
		p.Require = p.Require || !o.flags.Changed("require")
	}
	if err := p.CheckThreshold(); err != nil {
		return ui.Usage("name more signers, or ask for fewer with --threshold", "%w", err)
	}
	return nil
}

// identities are those that the command line names. One without its provider is
// kept, for the error that it deserves.
func (o *Trust) identities() []verify.Identity {
	s := o.signer
	if !slices.ContainsFunc([]string{s.ID, s.Regexp, s.Issuer, s.IssuerRegexp}, func(v string) bool { return v != "" }) {
		return nil
	}
	s.Workflow = verify.Workflow{} // which applyWorkflow puts there
	if s.ID == "" || s.Regexp == "" {
		return []verify.Identity{s}
	}
	exact, pattern := s, s
	exact.Regexp, pattern.ID = "", ""
	return []verify.Identity{pattern, exact}
}

// applyWorkflow holds Sigstore signers to what the command line asks of their
// certificates. Keys and certificates of others are not believed then: they could
// not be held to it.
func (o *Trust) applyWorkflow(t *policy.Trust) error {
	var given []string
	for _, name := range workflowFlags {
		if o.flags.Changed(name) {
			given = append(given, name)
		}
	}
	if len(given) == 0 {
		return nil
	}
	if len(t.Identities) == 0 {
		return ui.Usage("give --identity or --identity-regexp, with --identity-provider, too", "--%s: no Sigstore identity is named whose certificate could have it", given[0])
	}
	t.PublicKeys, t.CertificateChain = nil, nil
	t.Identities = slices.Clone(t.Identities)
	for i := range t.Identities {
		t.Identities[i].Workflow = t.Identities[i].Workflow.With(o.signer.Workflow)
	}
	return nil
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

// Apply puts the instance that was asked for, if any was, in the place of t's. Only one can be.
func (o *Instance) Apply(t *policy.Trust) error {
	if !slices.ContainsFunc([]string{"trusted-root", "trust-config", "use-staging"}, o.changed) {
		return nil
	}
	root, config := o.trustedRoot != "", o.trustConfig != ""
	if root && config || o.staging && (root || config) {
		return ui.Usage("", "--trusted-root, --trust-config and --use-staging do not go together")
	}
	t.TrustedRoot, t.TrustConfig, t.Staging = o.trustedRoot, o.trustConfig, o.staging
	return nil
}
