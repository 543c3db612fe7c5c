package ui

import (
	"fmt"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
)

// Quorum is what several signatures for the same files come to, where a policy asks
// for a number of signers.
type Quorum struct {
	// Need is how many different signers there have to be, and Signers how many
	// there are.
	Need, Signers int
	// Members are the verdicts on the single signatures. One whose Aside is not ""
	// does not count and is no failure.
	Members []*Verdict
}

// Shortage says that there are too few signers.
func (q *Quorum) Shortage() string {
	return fmt.Sprintf("signed by %d of those who are believed, %d are required", q.Signers, q.Need)
}

// Headline says in a line what is wrong with a signature or its files.
func (v *Verdict) Headline() string {
	if v.Err != nil {
		return strings.TrimPrefix(oneLine(errorText(v.Err)), Quote(v.Signature)+": ")
	}
	return summary(v.Report.Failures()) + "; " + v.madeBy()
}

// by names who signed, or where several had to how many did.
func (v *Verdict) by() string {
	if v.Quorum != nil {
		return fmt.Sprintf("%s, %d required", Plural(v.Quorum.Signers, "signer"), v.Quorum.Need)
	}
	return v.Signer.String()
}

// members writes a line for each of several signatures, and below it what is wrong.
func (t *Terminal) members(v *Verdict, files func(v *Verdict)) {
	if v.Quorum == nil {
		return
	}
	for _, m := range v.Quorum.Members {
		switch {
		case m.Aside != "" && m.Err != nil:
			t.Result("\tnot counted  %s: %s: %s", Quote(m.Signature), m.Aside, m.Headline())
		case m.Aside != "":
			t.Result("\tnot counted  %s: %s: %s", Quote(m.Signature), m.Aside, m.Signer)
		case m.ExitCode() == ExitOK:
			t.Result("\tcounted      %s: %s", Quote(m.Signature), m.Signer)
		default:
			t.Result("\t%s        %s: %s", t.paint(red, "wrong"), Quote(m.Signature), m.Headline())
			if m.Report != nil {
				files(m)
			}
			if m.MadeFor != "" {
				t.Result("\tthis signature was made for commit %s, which holds the signed files", m.MadeFor[:min(len(m.MadeFor), Short)])
			}
		}
	}
}

// allFindings writes what is wrong with the files of one of several signatures.
func (t *Terminal) allFindings(v *Verdict) {
	for _, f := range v.Report.Failures() {
		t.finding(f, v.Report.Algorithm)
	}
}

// staleFindings writes it in fewer lines.
func (t *Terminal) staleFindings(v *Verdict) { t.stale(v.Report.Failures(), maxStale) }

// quorumOutcome puts the verdict on several signatures into one word.
func (v *Verdict) quorumOutcome() string {
	switch code := v.ExitCode(); {
	case code == ExitOK:
		return OutcomeGood
	case code != ExitFailed:
		return OutcomeUnknown
	}
	for _, m := range v.Quorum.Members {
		if m.Aside == "" && m.Outcome() != OutcomeGood {
			return m.Outcome()
		}
	}
	return OutcomeUntrusted
}

// QuorumJSON is how many signers there have to be and are, and their signatures.
type QuorumJSON struct {
	Required   int          `json:"required"`
	Signers    int          `json:"signers"`
	Met        bool         `json:"met"` // there are enough, and nothing is wrong
	Signatures []MemberJSON `json:"signatures"`
}

// MemberJSON is one of several signatures.
type MemberJSON struct {
	Signature string      `json:"signature"`
	Counted   bool        `json:"counted"`
	Aside     string      `json:"aside,omitempty"` // why it is neither counted nor a failure
	Signer    *SignerJSON `json:"signer,omitempty"`
	Counts    *CountsJSON `json:"counts,omitempty"`
	Files     []FileJSON  `json:"files,omitempty"` // those that are not as signed
	Error     *ErrorJSON  `json:"error,omitempty"`
}

func (v *Verdict) quorumJSON() *QuorumJSON {
	q := v.Quorum
	if q == nil {
		return nil
	}
	out := &QuorumJSON{Required: q.Need, Signers: q.Signers, Met: v.ExitCode() == ExitOK, Signatures: []MemberJSON{}}
	for _, m := range q.Members {
		j := MemberJSON{Signature: hidePIN(m.Signature), Counted: m.Aside == "" && m.ExitCode() == ExitOK, Aside: m.Aside, Signer: signerJSON(m.Signer), Error: NewErrorJSON(m.Err)}
		if m.Report != nil {
			j.Counts = countsJSON(m.Report)
			j.Files = filesJSON(&check.Report{Algorithm: m.Report.Algorithm, Files: m.Report.Failures()})
		}
		out.Signatures = append(out.Signatures, j)
	}
	return out
}
