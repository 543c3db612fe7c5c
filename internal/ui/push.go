package ui

import (
	"fmt"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
)

// maxStale is how many files that are not as signed are named where a person
// reads them among the words of other programs.
const maxStale = 20

// PushedSignature tells that a signature of a pushed ref is as it has to be, and
// whether anybody vouches for its signer.
func (t *Terminal) PushedSignature(ref string, v *Verdict) {
	if v.Signer == nil {
		t.Note("%s on %s: %s as listed; claims to be signed by %s, not verified as no signer is trusted",
			Quote(v.Signature), Quote(ref), resources(len(v.Report.Files), v.Manifest), v.Claim.signer())
		return
	}
	t.Note("%s %s on %s: %s as signed by %s", t.paint(green, "verified"), Quote(v.Signature), Quote(ref),
		resources(len(v.Report.Files), v.Manifest), v.by())
}

// RefusedSignature tells what is wrong with a signature of a pushed ref, file by
// file.
func (t *Terminal) RefusedSignature(ref string, v *Verdict) {
	failed := t.paint(red, "FAILED")
	if v.Err != nil {
		t.Result("%s %s on %s: %s", failed, Quote(v.Signature), Quote(ref), oneLine(errorText(v.Err)))
		t.members(v, t.staleFindings)
		t.hints(v.Err)
		return
	}
	bad := v.Report.Failures()
	t.Result("%s %s on %s: %s; %s", failed, Quote(v.Signature), Quote(ref), summary(bad), v.madeBy())
	t.stale(bad, maxStale)
}

// madeBy names the signer, as verified or as the signature claims.
func (v *Verdict) madeBy() string {
	switch {
	case v.Signer != nil:
		return "signed by " + v.Signer.String()
	case v.Claim != nil:
		return "claims to be signed by " + v.Claim.signer()
	}
	return "not signed by anybody who is trusted"
}

// stale lists files that are not as signed, one a line.
func (t *Terminal) stale(bad []check.File, most int) {
	for _, f := range bad[:min(len(bad), most)] {
		line := fmt.Sprintf("%-16s%s", words(f.Status)+":", shardName(f))
		if f.Detail != "" && f.Status != check.Changed {
			line += " (" + oneLine(f.Detail) + ")"
		}
		t.Result("\t%s", line)
	}
	if n := len(bad) - most; n > 0 {
		t.Result("\tand %d more", n)
	}
}

// DroppedSignatures tells of signatures that a push takes away from files that
// stay.
func (t *Terminal) DroppedSignatures(ref string, names []string) {
	t.Warn("%s takes away %s, and what it signed stays", Quote(ref), QuoteAll(names))
}

// MissedSignatures is DroppedSignatures for those that must not go, with a hint that
// may be "".
func (t *Terminal) MissedSignatures(ref string, names []string, hint string) {
	t.Result("%s takes away %s, and what it signed stays; signatures are required", Quote(ref), QuoteAll(names))
	if hint != "" {
		t.Hint(hint + "   says that nobody signs there any more")
	}
}

// RefusedPush is the error that ends a push. The refs are those that are
// refused; received says that it arrived here, and sign that signing anew helps.
func RefusedPush(refs []string, received, sign bool) error {
	var hints []string
	if sign {
		hints = append(hints, "git model-sign sign   signs the model as it is now")
	}
	verb := "not accepted"
	if !received {
		hints = append(hints, "git push --no-verify  pushes without this check")
		verb = "not pushed"
	}
	return Failed(strings.Join(hints, "\n"), "%s: %s", verb, QuoteAll(refs))
}

// UnsignedRef tells that a ref has no signature, and has to have one.
func (t *Terminal) UnsignedRef(ref string) {
	t.Result("%s holds no model signature, and one is required", Quote(ref))
}

// UncoveredRef tells of tracked files of a ref that no signature is for, and has
// to be.
func (t *Terminal) UncoveredRef(ref string, names []string, url string) {
	t.Result("%s holds %s, and a signature is required", Quote(ref), uncovered(len(names), names[:min(len(names), maxStale)]))
	t.Hint(coverHowTo(url))
}

// PushedAnyway tells that a policy lets a push through that it would refuse if
// it enforced.
func (t *Terminal) PushedAnyway(refs []string) {
	t.Warn("%s would be refused, but the policy only warns", QuoteAll(refs))
}

// ShortRef is a branch or tag as people call it.
func ShortRef(ref string) string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if short, ok := strings.CutPrefix(ref, prefix); ok {
			return short
		}
	}
	return ref
}
