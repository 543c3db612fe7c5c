package ui

import (
	"time"
)

// LogEntry is a signature that a commit changed.
type LogEntry struct {
	Commit string
	// Time is when the commit was made, as it says.
	Time time.Time
	// Signature is its path in the repository.
	Signature string
	// Verdict is on what the commit holds; nil where it removed the signature.
	Verdict *Verdict
	// Together is the verdict on all signatures of the same folder, where a number of
	// signers is asked for.
	Together *Verdict
	// CoveredBy is another signature that the commit holds for the same model, where
	// this one was removed: the model may have a new signer, or the file a new name.
	CoveredBy string
}

// OutcomeRemoved is the outcome of a commit that takes a signature away.
const OutcomeRemoved = "removed"

// Outcome puts an entry into one word.
func (e *LogEntry) Outcome() string {
	if e.Verdict == nil {
		return OutcomeRemoved
	}
	return e.Verdict.Outcome()
}

// LogEntry writes an entry for people, as git log writes a commit.
func (t *Terminal) LogEntry(e *LogEntry) {
	t.Result("%s", t.paint(yellow, "commit "+e.Commit))
	t.Result("Date:      %s", e.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	t.Result("Signature: %s", Quote(e.Signature))
	if v := e.Verdict; v != nil && v.Signer != nil {
		t.Result("Signer:    %s", v.Signer)
	} else if v != nil && v.Claim != nil {
		t.Result("Signer:    not verified; claims to be %s", v.Claim.signer())
	}
	switch outcome := e.Outcome(); outcome {
	case OutcomeGood, OutcomeUnverified:
		t.Result("Verdict:   %s, %s as signed (%s)", t.paint(green, outcome), resources(len(e.Verdict.Report.Files), e.Verdict.Manifest), e.Verdict.howKnown())
	case OutcomeStale:
		t.Result("Verdict:   %s: %s", t.paint(red, outcome), summary(e.Verdict.Report.Failures()))
	case OutcomeRemoved:
		what := "unsigned from here on"
		if e.CoveredBy != "" {
			what = Quote(e.CoveredBy) + " covers the model"
		}
		t.Result("Verdict:   %s, %s", t.paint(yellow, outcome), what)
	default:
		why := "files cannot be read"
		if e.Verdict.Err != nil {
			why = oneLine(errorText(e.Verdict.Err))
		}
		t.Result("Verdict:   %s: %s", t.paint(red, outcome), why)
	}
	if v := e.Together; v != nil && v.ExitCode() == ExitOK {
		t.Result("Together:  %s, %s", t.paint(green, OutcomeGood), v.by())
	} else if v != nil {
		t.Result("Together:  %s: %s", t.paint(red, "failed"), oneLine(errorText(v.Err)))
	}
	t.Result("")
}

// LogJSON is the object that log --json prints.
type LogJSON struct {
	SchemaVersion int            `json:"schemaVersion"`
	Entries       []LogEntryJSON `json:"entries"`
	Fetched       int            `json:"fetched,omitempty"` // objects, by a partial clone
}

// LogEntryJSON is one entry.
type LogEntryJSON struct {
	Commit    string    `json:"commit"`
	Time      time.Time `json:"time"`
	Signature string    `json:"signature"`
	OutcomeJSON
	Quorum *QuorumJSON `json:"quorum,omitempty"`
}

// NewLogJSON is a log without entries.
func NewLogJSON() *LogJSON {
	return &LogJSON{SchemaVersion: SchemaVersion, Entries: []LogEntryJSON{}}
}

// Add adds an entry.
func (l *LogJSON) Add(e *LogEntry) {
	j := LogEntryJSON{Commit: e.Commit, Time: e.Time.UTC(), Signature: e.Signature, OutcomeJSON: OutcomeJSON{Outcome: OutcomeRemoved}}
	if e.Verdict != nil {
		j.OutcomeJSON = e.Verdict.OutcomeJSON()
	}
	if e.Together != nil {
		j.Quorum = e.Together.quorumJSON()
	}
	l.Entries = append(l.Entries, j)
}
