// Package policy decides who may sign a model, and how strictly that is taken:
// from the command line, or else from the user's git config, never from anything
// that came with the model.
//
// The keys are modelsign.<name> for every model and modelsign.<url>.<name> for
// repositories cloned from a URL; git's own URL matching chooses between them.
package policy

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// ErrNoTrust says that nothing tells whom to believe.
var ErrNoTrust = errors.New("no trusted signer is configured")

// ErrConfig says that what is configured cannot be used.
var ErrConfig = errors.New("trust is not configured properly")

// Policy is what holds for the models of one URL. The zero Policy enforces, and
// knows nobody; [FromConfig] fills every field in.
type Policy struct {
	Trust Trust
	Mode  Mode
	// Require makes the absence of a signature a failed verification.
	Require bool
	// Threshold is how many different signers of Trust have to have signed the same
	// files; 0 stands for judging each signature by itself.
	Threshold int
	// FirstUse holds where Trust names no signer.
	FirstUse  FirstUse
	OnFailure OnFailure
	// KnownSigners is the file of pinned signers; empty for its usual place.
	KnownSigners string
}

// Mode is how seriously hooks take a policy. Who asks for a verdict by name gets
// it in any mode.
type Mode string

// The modes; the empty one enforces.
const (
	ModeEnforce Mode = "enforce" // the verdict decides the exit status
	ModeWarn    Mode = "warn"    // the verdict is printed, and the exit status is 0
	ModeOff     Mode = "off"     // nothing is verified
)

// FirstUse is what happens to a Sigstore signer of whom nothing is known yet.
type FirstUse string

// What happens on first use.
const (
	AcceptNew     FirstUse = "accept-new" // the signer is pinned and believed from then on
	AskFirst      FirstUse = "ask"        // the user is asked whether to pin the signer
	RefuseUnknown FirstUse = "strict"     // the verification fails
	NoPins        FirstUse = "off"        // signers are not pinned, and pins are not looked at
)

// OnFailure is what a hook does about a failed verification.
type OnFailure string

// What a hook does; the empty one fails.
const (
	OnFailureFail       OnFailure = "fail"       // the exit status says it
	OnFailureWarn       OnFailure = "warn"       // the words say it, and the exit status is 0
	OnFailureQuarantine OnFailure = "quarantine" // the wrong files are put out of the way, and the exit status says it
)

// MaxThreshold is the largest threshold.
const MaxThreshold = 64

// Groups are the keys of config, in lower case, that are matched by URL
// together: a URL for which signers are named does not also have those of a
// wider one, whatever their kind, and neither has a Sigstore instance.
func Groups() [][]string {
	return [][]string{
		{"publickey", "certificatechain", "identity", "identityregexp"},
		{"trustedroot", "trustconfig", "usestaging"},
	}
}

// FromConfig reads the policy that config holds. The function get returns the
// values of modelsign.<name>, matched by URL, the last one the strongest. What
// it does not know is an error, never a weaker policy; files must be absolute,
// because a relative path could name a file in the clone.
func FromConfig(get func(name string) []string) (Policy, error) {
	r := reader{get: get}
	p := Policy{
		Trust: Trust{
			PublicKeys: r.files("publicKey"), CertificateChain: r.files("certificateChain"),
			TimestampChain: r.files("timestampCertificateChain"),
			Identities:     r.identities(),
			TrustedRoot:    r.file("trustedRoot"), TrustConfig: r.file("trustConfig"), Staging: r.boolean("useStaging"),
		},
		Mode:         Mode(r.oneOf("mode", string(ModeEnforce), string(ModeWarn), string(ModeOff))),
		Require:      r.boolean("require"),
		Threshold:    r.number("threshold"),
		FirstUse:     FirstUse(r.oneOf("firstUse", string(AcceptNew), string(AskFirst), string(RefuseUnknown), string(NoPins))),
		OnFailure:    OnFailure(r.oneOf("onFailure", string(OnFailureFail), string(OnFailureWarn), string(OnFailureQuarantine))),
		KnownSigners: r.file("knownSigners"),
	}
	if r.err != nil {
		return Policy{}, r.err
	}
	if p.Threshold > 0 && len(get("require")) == 0 {
		p.Require = true // no signature at all is fewer than any number of them
	}
	return p, p.CheckThreshold()
}

// CheckThreshold is the error of a threshold that can never be met by the signers
// who are named.
func (p Policy) CheckThreshold() error {
	named, bounded := p.Trust.size()
	switch {
	case p.Threshold == 0:
	case p.Trust.Empty():
		return fmt.Errorf("%w: %w", ErrConfig, &ThresholdError{p.Threshold, "nobody is named whose signatures could count"})
	case bounded && named < p.Threshold:
		return fmt.Errorf("%w: %w", ErrConfig, &ThresholdError{p.Threshold, fmt.Sprintf("no more than %d could ever sign", named)})
	}
	return nil
}

// ThresholdError is a threshold that can never be met.
type ThresholdError struct {
	Threshold int
	why       string
}

func (e *ThresholdError) Error() string {
	return fmt.Sprintf("%d different signers are required (modelsign.threshold, --threshold), and %s", e.Threshold, e.why)
}

// reader reads values and keeps the first error.
type reader struct {
	get func(name string) []string
	err error
}

func (r *reader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: modelsign.%s %w", ErrConfig, key, fmt.Errorf(format, args...))
	}
}

// all is a list of values; an empty one takes back those before it, as elsewhere
// in git config.
func (r *reader) all(key string) []string {
	var out []string
	for _, v := range r.get(strings.ToLower(key)) {
		if v == "" {
			out = nil
			continue
		}
		out = append(out, v)
	}
	return out
}

// last is the value that counts where there can be one only.
func (r *reader) last(key string) string {
	values := r.get(strings.ToLower(key))
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func (r *reader) files(key string) []string {
	files := r.all(key)
	for _, f := range files {
		if !filepath.IsAbs(f) {
			r.fail(key, "is %q, expected an absolute path or one that begins with ~/", f)
		}
	}
	return files
}

func (r *reader) file(key string) string {
	f := r.last(key)
	if f != "" && !filepath.IsAbs(f) {
		r.fail(key, "is %q, expected an absolute path or one that begins with ~/", f)
	}
	return f
}

func (r *reader) boolean(key string) bool {
	if len(r.get(strings.ToLower(key))) == 0 {
		return false
	}
	b, err := gitrepo.ParseBool(r.last(key))
	if err != nil {
		r.fail(key, "cannot be read: %w", err)
	}
	return b
}

// number is a number of things, 0 where there is none.
func (r *reader) number(key string) int {
	if len(r.get(strings.ToLower(key))) == 0 {
		return 0
	}
	v := r.last(key)
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > MaxThreshold {
		r.fail(key, "is %q, expected a number from 0 to %d", v, MaxThreshold)
		return 0
	}
	return n
}

// oneOf is one of the allowed values, the first where there is none.
func (r *reader) oneOf(key string, allowed ...string) string {
	if len(r.get(strings.ToLower(key))) == 0 {
		return allowed[0]
	}
	v := r.last(key)
	if !slices.Contains(allowed, v) {
		r.fail(key, "is %q, expected one of %s", v, strings.Join(allowed, ", "))
	}
	return v
}

// identities pairs identities with their providers. A value may name both,
// "<identity> <provider>"; to those that do not the one provider of
// modelsign.identityProvider or modelsign.identityProviderRegexp belongs. Where
// it has several values the last one counts, as always, but only for a single
// identity: of several it would be a guess which belongs to which, and a wrong
// one would trust a stranger.
func (r *reader) identities() []verify.Identity {
	provider, expression := r.last("identityProvider"), r.last("identityProviderRegexp")
	if provider != "" && expression != "" {
		r.fail("identityProviderRegexp", "is %q, and modelsign.identityProvider is %q: an empty value takes one of them back", expression, provider)
	}
	workflow := r.workflow()
	var out []verify.Identity
	bare := 0
	for _, key := range []string{"identity", "identityRegexp"} {
		for _, v := range r.all(key) {
			fields := strings.Fields(v)
			if len(fields) == 0 || len(fields) > 2 {
				r.fail(key, "is %q, expected an identity, or an identity and its provider with a space between them", v)
				continue
			}
			identity := verify.Identity{ID: fields[0], Issuer: provider, IssuerRegexp: expression, Workflow: workflow}
			if key == "identityRegexp" {
				identity.ID, identity.Regexp = "", fields[0]
			}
			if len(fields) == 2 {
				identity.Issuer, identity.IssuerRegexp = fields[1], ""
			} else if bare++; provider == "" && expression == "" {
				r.fail(key, "is %q, which needs its modelsign.identityProvider", v)
			}
			out = append(out, identity)
		}
	}
	for _, key := range []string{"identityProvider", "identityProviderRegexp"} {
		if providers := slices.Compact(slices.Sorted(slices.Values(r.all(key)))); bare > 1 && len(providers) > 1 {
			r.fail(key, "names several providers, and which belongs to which identity is not said: write each modelsign.identity as \"<identity> <provider>\"")
		}
		if v := r.last(key); v != "" && len(out) == 0 && len(r.all("publicKey")) == 0 && len(r.all("certificateChain")) == 0 {
			r.fail(key, "is %q, and no modelsign.identity says whom it has to vouch for", v)
		}
	}
	if workflow != (verify.Workflow{}) && len(out) == 0 {
		// Also where a key is named: it could not be held to this.
		r.fail("githubWorkflow*", "asks for a workflow with %s, and no modelsign.identity says whose; an empty value takes it back", workflow)
	}
	return out
}

// workflow is what every identity's certificate has to say of the job that signed.
func (r *reader) workflow() verify.Workflow {
	return verify.Workflow{
		Repository: r.last("githubWorkflowRepository"), Ref: r.last("githubWorkflowRef"), Trigger: r.last("githubWorkflowTrigger"),
		Name: r.last("githubWorkflowName"), SHA: r.last("githubWorkflowSha"),
	}
}
