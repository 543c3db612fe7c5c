package ui

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// Status is how the signatures of a worktree stand to what is staged.
type Status struct {
	// Signatures are in the order of their paths.
	Signatures []SignatureStatus
	// Together are the verdicts on all signatures of a folder, where a number of
	// signers is asked for.
	Together []*Verdict
	// Unstaged are tracked files of the worktree that are not as staged.
	Unstaged []WorktreeChange
	// Untracked are files that git does not track, and Uncovered tracked files that
	// no signature is for.
	Untracked, Uncovered []string
	// Fetched is how many objects were fetched that a partial clone lacked.
	Fetched int
}

// SignatureStatus is one signature.
type SignatureStatus struct {
	// Path and Model are relative to the top of the worktree; Model is "" for the
	// top itself.
	Path, Model string
	State       SignatureState
	// Verdict is on what is staged: by the policy, or with a Claim and no Signer
	// where that believes nobody. It is nil unless the signature is staged.
	Verdict *Verdict
}

// SignatureState is where a signature is.
type SignatureState string

// The states of a signature.
const (
	SignatureCommitted SignatureState = "committed" // as in HEAD
	SignatureStaged    SignatureState = "staged"    // new or changed in the index
	SignatureRemoved   SignatureState = "removed"   // in HEAD, and not in the index
	SignatureUntracked SignatureState = "untracked" // only in the worktree
	SignatureUnmerged  SignatureState = "unmerged"  // in conflict
)

// WorktreeChange is a path and how it differs.
type WorktreeChange struct {
	Path string
	What string // modified, deleted, unmerged, added, typechange
}

// The outcomes of a signature, for programs.
const (
	OutcomeGood       = "good"       // as signed, by somebody who is trusted
	OutcomeUnverified = "unverified" // as listed; nobody is trusted, so who signed it was not checked
	OutcomeStale      = "stale"      // files are not as listed
	OutcomeUntrusted  = "untrusted"  // not by anybody who is trusted
	OutcomeUnreadable = "unreadable" // not a signature, or one that was broken
	OutcomeUnknown    = "unknown"    // trouble kept it from being checked
)

// Outcome puts a verdict into one word.
func (v *Verdict) Outcome() string {
	if v.Quorum != nil {
		return v.quorumOutcome()
	}
	switch {
	case v.Report == nil && errors.Is(v.Err, oms.ErrFormat):
		return OutcomeUnreadable
	case v.Report == nil && Code(v.Err) == ExitFailed:
		return OutcomeUntrusted
	case v.Report == nil, v.Report.OnlyUnreadable():
		return OutcomeUnknown
	case len(v.Report.Failures()) > 0:
		return OutcomeStale
	case v.Signer == nil:
		return OutcomeUnverified
	}
	return OutcomeGood
}

// Status writes a status for people, as git status does.
func (t *Terminal) Status(s *Status) {
	if len(s.Signatures) == 0 {
		t.Result("no model signature")
		t.Result("  (use \"git model-sign sign\" to sign the model)")
	}
	for _, sig := range s.Signatures {
		t.signatureStatus(sig)
	}
	for _, v := range s.Together {
		if v.ExitCode() == ExitOK {
			t.Result("Together %s: %s", t.paint(green, OutcomeGood), v.by())
		} else {
			t.Result("Together %s: %s: %s", t.paint(red, "failed"), Quote(v.Signature), oneLine(errorText(v.Err)))
		}
		t.Result("")
	}
	var lines []string
	for _, c := range s.Unstaged {
		lines = append(lines, fmt.Sprintf("%-12s%s", c.What+":", Quote(c.Path)))
	}
	t.section("Changes not staged, and so not looked at:", "git add <file>...", "stage them", lines)
	t.section("Untracked files, which no clone and no signature has:", "git add <file>...", "track them", quoted(s.Untracked))
	if len(s.Signatures) > 0 {
		t.section("Files that no signature covers:", "git model-sign sign <path>", "sign them", quoted(s.Uncovered))
	}
	t.Fetched(s.Fetched)
}

func (t *Terminal) signatureStatus(s SignatureStatus) {
	state := map[SignatureState]string{
		SignatureStaged: ", staged and not committed", SignatureRemoved: ", staged to be removed",
		SignatureUntracked: ", not tracked", SignatureUnmerged: ", in conflict",
	}[s.State]
	t.Result("Signature %s%s", Quote(s.Path), state)
	switch s.State {
	case SignatureRemoved:
		t.Result("  (use \"git restore --staged <file>...\" to keep it)")
	case SignatureUntracked:
		t.Result("  (use \"git add <file>...\" to include it in what will be committed)")
	case SignatureUnmerged:
		t.Result("  (use \"git model-sign sign\" to sign the model anew once the conflict is resolved)")
	}
	if s.Verdict != nil {
		t.outcome(s.Verdict)
	}
	t.Result("")
}

// outcome writes what is known of a staged signature.
func (t *Terminal) outcome(v *Verdict) {
	switch v.Outcome() {
	case OutcomeUntrusted, OutcomeUnreadable:
		t.Result("  %s: %s", t.paint(red, v.Outcome()), oneLine(errorText(v.Err)))
		return
	case OutcomeUnknown:
		why := "files cannot be read"
		if v.Err != nil {
			why = oneLine(errorText(v.Err))
		}
		t.Result("  %s: %s", t.paint(yellow, "not checked"), why)
		return
	}
	if v.Signer != nil {
		t.Result("  signed by %s", v.Signer)
	} else {
		t.Result("  claims to be signed by %s; not verified, as no signer is trusted", v.Claim.signer())
	}
	bad := v.Report.Failures()
	if len(bad) == 0 {
		t.Result("  %s: %s (%s)", t.paint(green, "as signed"), resources(len(v.Report.Files), v.Manifest), v.howKnown())
		return
	}
	t.Result("  %s: %s of %d not as signed:", t.paint(red, "stale"), Plural(len(bad), "file"), len(v.Report.Files))
	t.Result("  (use \"git model-sign sign\" to sign the model as it is)")
	t.stale(bad, maxStale)
}

// section writes a list with a heading, as git status does.
func (t *Terminal) section(heading, command, purpose string, lines []string) {
	if len(lines) == 0 {
		return
	}
	t.Result("%s", heading)
	t.Result("  (use %q to %s)", command, purpose)
	for _, line := range lines[:min(len(lines), maxStale)] {
		t.Result("\t%s", line)
	}
	if n := len(lines) - maxStale; n > 0 {
		t.Result("\tand %d more", n)
	}
	t.Result("")
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Quote(n)
	}
	return out
}

// Porcelain writes a status for scripts, in a form that stays: one record a line,
// of words with single spaces between them and a path or a text at its end. With
// null each record ends in NUL instead and paths are as they are; without, a path
// with unusual characters is quoted as git does with core.quotePath.
func (t *Terminal) Porcelain(s *Status, null bool) {
	w := porcelain{t: t, null: null}
	for _, sig := range s.Signatures {
		outcome := "none"
		if sig.Verdict != nil {
			outcome = sig.Verdict.Outcome()
		}
		w.record(sig.Path, "signature", string(sig.State), outcome)
		if v := sig.Verdict; v != nil {
			w.verdict(v)
		}
	}
	for _, v := range s.Together {
		if v.Quorum != nil {
			w.record(v.Signature, "quorum", met(v), strconv.Itoa(v.Quorum.Signers), strconv.Itoa(v.Quorum.Need))
		}
	}
	for _, c := range s.Unstaged {
		w.record(c.Path, "worktree", c.What)
	}
	for _, p := range s.Untracked {
		w.record(p, "untracked")
	}
	for _, p := range s.Uncovered {
		w.record(p, "uncovered")
	}
	t.Fetched(s.Fetched)
}

// met says whether enough signers are there and nothing is wrong.
func met(v *Verdict) string {
	if v.ExitCode() == ExitOK {
		return "met"
	}
	return "unmet"
}

// porcelain writes records.
type porcelain struct {
	t    *Terminal
	null bool
}

func (w porcelain) verdict(v *Verdict) {
	switch {
	case v.Signer != nil:
		w.record(v.Signer.String(), "signer", "verified", v.Signer.Method)
	case v.Claim != nil:
		w.record(v.Claim.signer(), "signer", "claimed", v.Claim.Bundle.Material.String())
	}
	if v.Report == nil {
		return
	}
	for _, f := range v.Report.Failures() {
		w.record(f.Path, "file", string(f.Status))
	}
}

// record writes words, and a path or text that may hold anything.
func (w porcelain) record(last string, words ...string) {
	line := strings.Join(words, " ") + " "
	if w.null {
		w.t.raw(line + last + "\x00")
		return
	}
	w.t.raw(line + quoteC(last) + "\n")
}

// quoteC quotes a path as git does: in double quotes with C's escapes where it
// holds a control character, a quote, a backslash or a byte beyond ASCII.
func quoteC(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < 0x7f && s[i] != '"' && s[i] != '\\'
	}
	if plain {
		return s
	}
	escapes := map[byte]string{'\a': `\a`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\v': `\v`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		switch {
		case escapes[c] != "":
			b.WriteString(escapes[c])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// StatusJSON is the object that status --json prints.
type StatusJSON struct {
	SchemaVersion int                   `json:"schemaVersion"`
	Signatures    []SignatureStatusJSON `json:"signatures"`
	Quorums       []*QuorumJSON         `json:"quorums,omitempty"`
	Worktree      []WorktreeChangeJSON  `json:"worktree"`
	Untracked     []string              `json:"untracked"`
	Uncovered     []string              `json:"uncovered"`
	Fetched       int                   `json:"fetched,omitempty"` // objects, by a partial clone
}

// SignatureStatusJSON is one signature of a status.
type SignatureStatusJSON struct {
	Path  string `json:"path"`
	Model string `json:"model"`
	State string `json:"state"`
	OutcomeJSON
}

// OutcomeJSON is what is known of a signature.
type OutcomeJSON struct {
	Outcome string             `json:"outcome,omitempty"`
	Signer  *SignerJSON        `json:"signer,omitempty"`
	Claimed *ClaimedSignerJSON `json:"claimed,omitempty"`
	Counts  *CountsJSON        `json:"counts,omitempty"`
	Files   []FileJSON         `json:"files,omitempty"` // those that are not as signed
	Error   *ErrorJSON         `json:"error,omitempty"`
}

// ClaimedSignerJSON is whom a signature names, which nobody has verified.
type ClaimedSignerJSON struct {
	Method string `json:"method"`
	Signer string `json:"signer"`
}

// WorktreeChangeJSON is a path and how it differs.
type WorktreeChangeJSON struct {
	Path   string `json:"path"`
	Status string `json:"status"`
}

// JSON is the status as one object.
func (s *Status) JSON() StatusJSON {
	out := StatusJSON{SchemaVersion: SchemaVersion, Signatures: []SignatureStatusJSON{}, Worktree: []WorktreeChangeJSON{},
		Untracked: append([]string{}, s.Untracked...), Uncovered: append([]string{}, s.Uncovered...), Fetched: s.Fetched}
	for _, sig := range s.Signatures {
		j := SignatureStatusJSON{Path: sig.Path, Model: sig.Model, State: string(sig.State)}
		if sig.Verdict != nil {
			j.OutcomeJSON = sig.Verdict.OutcomeJSON()
		}
		out.Signatures = append(out.Signatures, j)
	}
	for _, v := range s.Together {
		if v.Quorum != nil {
			out.Quorums = append(out.Quorums, v.quorumJSON())
		}
	}
	for _, c := range s.Unstaged {
		out.Worktree = append(out.Worktree, WorktreeChangeJSON{Path: c.Path, Status: c.What})
	}
	return out
}

// OutcomeJSON is what is known, without the files that are as signed.
func (v *Verdict) OutcomeJSON() OutcomeJSON {
	out := OutcomeJSON{Outcome: v.Outcome(), Signer: signerJSON(v.Signer), Error: NewErrorJSON(v.Err)}
	if v.Signer == nil && v.Claim != nil {
		out.Claimed = &ClaimedSignerJSON{Method: v.Claim.Bundle.Material.String(), Signer: v.Claim.signer()}
	}
	if v.Report != nil {
		out.Counts = countsJSON(v.Report)
		out.Files = filesJSON(&check.Report{Algorithm: v.Report.Algorithm, Files: v.Report.Failures()})
	}
	return out
}
