package ui

import (
	"cmp"

	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// TrustList is the policy that holds for a URL, and who is pinned.
type TrustList struct {
	URL    string // "" for what holds where no URL says otherwise
	Policy policy.Policy
	// Store is the known-signers file, and Pins the signers in it: of URL, or all.
	Store pins.Store
	Pins  []pins.Pin
}

// TrustList writes a policy and pins.
func (t *Terminal) TrustList(l *TrustList) {
	url := l.URL
	if url == "" {
		url = "where no URL says otherwise"
	}
	require := "no"
	if l.Policy.Require {
		require = "yes"
	}
	t.Result("policy: %s", url)
	t.Result("\tmode        %s", string(l.Policy.Mode))
	t.Result("\trequire     %s", require)
	t.Result("\ton failure  %s", string(l.Policy.OnFailure))
	if n := l.Policy.Threshold; n > 0 {
		t.Result("\tthreshold   %s", Plural(n, "signer"))
	}
	t.Result("\tSigstore    %s", instance(l.Policy.Trust))
	label := "believed"
	for _, line := range believed(l.Policy) {
		t.Result("\t%-10s  %s", label, line)
		label = ""
	}
	if len(l.Pins) == 0 {
		t.Result("known signers: none in %s", Quote(string(l.Store)))
		return
	}
	t.Result("known signers: %s", Quote(string(l.Store)))
	for _, p := range l.Pins {
		t.Result("\t%s", p.Line())
	}
}

// instance names the Sigstore instance of a policy.
func instance(t policy.Trust) string {
	switch {
	case t.TrustedRoot != "" || t.TrustConfig != "":
		return Quote(cmp.Or(t.TrustedRoot, t.TrustConfig))
	case t.Staging:
		return "the staging instance"
	}
	return "the public instance"
}

// believed lists whom a policy names, or what decides where it names nobody.
func believed(p policy.Policy) []string {
	var lines []string
	for _, f := range p.Trust.PublicKeys {
		lines = append(lines, "key "+Quote(f))
	}
	if len(p.Trust.CertificateChain) > 0 {
		lines = append(lines, "certificates by "+QuoteAll(p.Trust.CertificateChain))
	}
	if len(p.Trust.TimestampChain) > 0 && len(lines) > 0 {
		lines = append(lines, "the time as said by "+QuoteAll(p.Trust.TimestampChain))
	}
	for _, i := range p.Trust.Identities {
		lines = append(lines, i.String())
	}
	if len(lines) > 0 {
		return lines
	}
	return []string{map[policy.FirstUse]string{
		policy.AcceptNew:     "known signers, and a new one from the first use on (accept-new)",
		policy.AskFirst:      "known signers, and a new one if you say so when asked (ask)",
		policy.RefuseUnknown: "known signers only (strict)",
		policy.NoPins:        "nobody (off)",
	}[p.FirstUse]}
}

// SignerVerdicts writes who has made signatures, and whether they would be
// believed by p.
func (t *Terminal) SignerVerdicts(verdicts []*Verdict, p policy.Policy) {
	for _, v := range verdicts {
		if v.Err != nil {
			t.noReport(v)
			continue
		}
		why := map[TrustedBy]string{ByPolicy: "named by the policy", ByPin: "pinned", ByFirstUse: "new here, and would be pinned"}[v.TrustedBy]
		if v.TrustedBy == ByFirstUse && p.FirstUse == policy.AskFirst {
			why = "new here, and you would be asked"
		}
		t.Result("%s %s: signed by %s: %s", t.paint(green, "believed"), Quote(v.Signature), v.by(), why)
		t.members(v, t.allFindings)
	}
}

// Acceptance is what was done about the signer of one signature.
type Acceptance struct {
	Before pins.Pin // the zero Pin where nobody was pinned
	Now    pins.Pin
}

// Acceptances tells who is believed now, and who was.
func (t *Terminal) Acceptances(all []Acceptance) {
	for _, a := range all {
		what, unchanged := "accepted", a.Before.SameSigner(a.Now)
		if unchanged {
			what = "unchanged"
		}
		t.Result("%s %s from %s", what, Quote(a.Now.Signature), a.Now.URL)
		if a.Before != (pins.Pin{}) && !unchanged {
			t.Result("\tpinned  %s", a.Before.Signer())
		}
		t.Result("\tnow     %s", a.Now.Signer())
	}
}

// Removed tells who is forgotten.
func (t *Terminal) Removed(all []pins.Pin) {
	for _, p := range all {
		t.Result("removed %s", p.Line())
	}
}

// TrustListJSON is what trust list --json prints.
type TrustListJSON struct {
	SchemaVersion int        `json:"schemaVersion"`
	URL           string     `json:"url,omitempty"`
	Policy        PolicyJSON `json:"policy"`
	KnownSigners  string     `json:"knownSigners"`
	Pins          []PinJSON  `json:"pins"`
}

// PolicyJSON is a policy.
type PolicyJSON struct {
	Mode              string   `json:"mode"`
	Require           bool     `json:"require"`
	FirstUse          string   `json:"firstUse"`
	OnFailure         string   `json:"onFailure"`
	Threshold         int      `json:"threshold,omitempty"`
	PublicKeys        []string `json:"publicKeys,omitempty"`
	CertificateChains []string `json:"certificateChains,omitempty"`
	// TimestampCertificateChains are files of timestamp authorities.
	TimestampCertificateChains []string       `json:"timestampCertificateChains,omitempty"`
	Identities                 []IdentityJSON `json:"identities,omitempty"`
	TrustedRoot                string         `json:"trustedRoot,omitempty"`
	TrustConfig                string         `json:"trustConfig,omitempty"`
	UseStaging                 bool           `json:"useStaging"`
}

// IdentityJSON is a Sigstore signer that a policy names.
type IdentityJSON struct {
	Identity         string `json:"identity,omitempty"`
	IdentityRegexp   string `json:"identityRegexp,omitempty"`
	IdentityProvider string `json:"identityProvider"`
	// IdentityProviderRegexp stands where IdentityProvider is "".
	IdentityProviderRegexp string        `json:"identityProviderRegexp,omitempty"`
	Workflow               *WorkflowJSON `json:"workflow,omitempty"`
}

// PinJSON is a pinned signer.
type PinJSON struct {
	URL              string `json:"url"`
	Signature        string `json:"signature"`
	Method           string `json:"method"`
	Identity         string `json:"identity"`
	IdentityProvider string `json:"identityProvider"`
}

// JSON is the list as one object.
func (l *TrustList) JSON() TrustListJSON {
	p := l.Policy
	out := TrustListJSON{SchemaVersion: SchemaVersion, URL: l.URL, KnownSigners: string(l.Store), Pins: []PinJSON{},
		Policy: PolicyJSON{Mode: string(p.Mode), Require: p.Require, FirstUse: string(p.FirstUse), OnFailure: string(p.OnFailure), Threshold: p.Threshold,
			PublicKeys: hideAll(p.Trust.PublicKeys), CertificateChains: hideAll(p.Trust.CertificateChain), Identities: identitiesJSON(p.Trust.Identities),
			TimestampCertificateChains: hideAll(p.Trust.TimestampChain),
			TrustedRoot:                hidePIN(p.Trust.TrustedRoot), TrustConfig: hidePIN(p.Trust.TrustConfig), UseStaging: p.Trust.Staging}}
	for _, pin := range l.Pins {
		out.Pins = append(out.Pins, PinJSON{pin.URL, pin.Signature, pin.Method, pin.Identity, pin.Issuer})
	}
	return out
}

func identitiesJSON(identities []verify.Identity) []IdentityJSON {
	var out []IdentityJSON
	for _, i := range identities {
		out = append(out, IdentityJSON{i.ID, i.Regexp, i.Issuer, i.IssuerRegexp, workflowJSON(i.Workflow)})
	}
	return out
}

// SignersJSON is what trust check --json prints.
type SignersJSON struct {
	SchemaVersion int           `json:"schemaVersion"`
	URL           string        `json:"url,omitempty"`
	ExitCode      int           `json:"exitCode"`
	Signatures    []CheckedJSON `json:"signatures"`
}

// CheckedJSON is whether the signer of one signature would be believed.
type CheckedJSON struct {
	Signature string      `json:"signature"`
	Believed  bool        `json:"believed"`
	Signer    *SignerJSON `json:"signer,omitempty"`
	TrustedBy string      `json:"trustedBy,omitempty"`
	Quorum    *QuorumJSON `json:"quorum,omitempty"`
	Change    *ChangeJSON `json:"change,omitempty"`
	Error     *ErrorJSON  `json:"error,omitempty"`
}

// NewSignersJSON is what was found out about signers as one object.
func NewSignersJSON(verdicts []*Verdict, url string, code int) SignersJSON {
	out := SignersJSON{SchemaVersion: SchemaVersion, URL: url, ExitCode: code, Signatures: []CheckedJSON{}}
	for _, v := range verdicts {
		j := v.JSON()
		out.Signatures = append(out.Signatures, CheckedJSON{Signature: j.Signature, Believed: v.Err == nil,
			Signer: j.Signer, TrustedBy: j.TrustedBy, Quorum: j.Quorum, Change: j.Change, Error: j.Error})
	}
	return out
}
