package ui

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/monitor"
)

// MonitorReport is what was found in the logs of an instance.
type MonitorReport struct {
	// Shallow says that the repository has a part of its history only, and so may not know what it would know otherwise.
	Shallow bool
	// Interrupted says that the last of the logs may not have been read to the end, and that those behind it were not read at all.
	Interrupted bool
	Logs        []MonitoredLog
	Entries     []monitor.Entry
}

// MonitoredLog is how the reading of one log went.
type MonitoredLog struct {
	Log    monitor.Log
	Result monitor.Result
	Err    error // nil where everything that was to be read was read
}

// ExitCode is 1 where an entry was found of which nobody knew, or a log contradicts itself. It is 4 for whatever is interrupted.
func (r *MonitorReport) ExitCode() int {
	if r.Interrupted {
		return ExitTrouble
	}
	code := ExitOK
	if len(r.Entries) > 0 {
		code = ExitFailed
	}
	for _, l := range r.Logs {
		code = Worse(code, Code(l.Err))
	}
	return code
}

// Hopeless says whether asking again is of no use: a log contradicts itself, or something else was wanted than there is.
func (r *MonitorReport) Hopeless() bool {
	return slices.ContainsFunc(r.Logs, func(l MonitoredLog) bool {
		return Code(l.Err) == ExitFailed || Code(l.Err) == ExitUsage
	})
}

// MonitorFailed gives the error of watching a log its exit code, and says what can be done.
func MonitorFailed(err error) error {
	var bad *monitor.Misbehaviour
	var unproven *monitor.Unproven
	var said *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return err
	case errors.As(err, &bad):
		hint := "do not trust what this log says, and tell those who run it and others who watch it"
		if bad.File != "" {
			hint = "what it has signed is kept in " + bad.File + "\n" + hint
		}
		return Failed(hint, "%w", err)
	case errors.Is(err, monitor.ErrSince):
		return Usage("", "--since-index: %w", err)
	case errors.Is(err, monitor.ErrWatched):
		return Usage("", "%w", err)
	case errors.As(err, &unproven):
		return Trouble(fmt.Sprintf("--since-index %d reads on behind it", unproven.Next), "%w", err)
	case errors.Is(err, durable.ErrLocked):
		return Trouble("a monitor is at work there: wait for it, or name another folder by --state", "%w", err)
	case errors.Is(err, monitor.ErrState):
		return Trouble("what was kept says how far the log was read and what it had signed: put it back from a backup; or move its folder away to begin anew", "%w", err)
	}
	return Trouble("", "%w", err)
}

// MonitorEntry writes a line about an entry.
func (t *Terminal) MonitorEntry(l monitor.Log, e monitor.Entry) {
	t.Result("%s %d %s %s (%s) %s %s", l, e.Index, e.Time.UTC().Format(time.RFC3339), Quote(e.Identity), Quote(e.Issuer), e.Kind, Quote(e.Digest))
}

// MonitoredLog says how the reading of a log went.
func (t *Terminal) MonitoredLog(l MonitoredLog) {
	r := l.Result
	switch {
	case l.Err != nil && r.To == r.From:
	case r.First && r.From == r.Size:
		t.Note("%s: watched from index %d on, where it ends now; --since-index N or --all reads earlier entries", l.Log, r.From)
	default:
		t.Note("%s: read %s up to index %d of %d, found %d that this repository does not know", l.Log, entries(r.To-r.From), r.To, r.Size, r.Found)
	}
	if r.First && r.Unproven > 0 {
		t.Warn("%s: earlier ones cannot be proven, and are not read: %s, signed with a key that the trusted root does not list", l.Log, entries(r.Unproven))
	}
	if r.Unreadable > 0 {
		t.Warn("%s: %s could not be understood", l.Log, entries(int64(r.Unreadable)))
	}
	if l.Err == nil && r.To < r.Size {
		// No mere note: a log may grow faster than its parts are read, and then nobody sees what is new.
		t.Warn("%s: %s left for the next run, or for a larger --limit", l.Log, entries(r.Size-r.To))
	}
	if l.Err != nil {
		t.Fail(l.Err)
	}
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// MonitorAdvice says what else may explain that entries are unknown.
func (t *Terminal) MonitorAdvice(r *MonitorReport) {
	if r.Shallow && len(r.Entries) > 0 {
		t.Warn("this clone is shallow: it knows the signatures of a part of the history only; git fetch --unshallow gets the rest")
	}
}

// MonitorJSON is the object that monitor --json prints.
type MonitorJSON struct {
	SchemaVersion int                `json:"schemaVersion"`
	ExitCode      int                `json:"exitCode"`
	Shallow       bool               `json:"shallow,omitempty"`
	Logs          []MonitoredLogJSON `json:"logs"`
	Entries       []MonitorEntryJSON `json:"entries"`
}

// MonitoredLogJSON is how the reading of one log went.
type MonitoredLogJSON struct {
	Log        string     `json:"log"`
	First      bool       `json:"first"`
	From       int64      `json:"from"`
	To         int64      `json:"to"`
	Size       int64      `json:"size"`
	Unproven   int64      `json:"unproven"`
	Unreadable int        `json:"unreadable"`
	Evidence   string     `json:"evidence,omitempty"` // file
	Error      *ErrorJSON `json:"error,omitempty"`
}

// MonitorEntryJSON is one entry.
type MonitorEntryJSON struct {
	Log      string    `json:"log"`
	LogIndex int64     `json:"logIndex"`
	Time     time.Time `json:"time"`
	Identity string    `json:"identity"`
	Issuer   string    `json:"issuer"`
	Kind     string    `json:"kind"`
	Digest   string    `json:"digest"` // <algorithm>:<hex>
}

// JSON is the report as one object.
func (r *MonitorReport) JSON() MonitorJSON {
	out := MonitorJSON{SchemaVersion: SchemaVersion, ExitCode: r.ExitCode(), Shallow: r.Shallow, Logs: []MonitoredLogJSON{}, Entries: []MonitorEntryJSON{}}
	for _, l := range r.Logs {
		one := MonitoredLogJSON{Log: l.Log.URL, First: l.Result.First, From: l.Result.From, To: l.Result.To, Size: l.Result.Size,
			Unproven: l.Result.Unproven, Unreadable: l.Result.Unreadable, Error: NewErrorJSON(l.Err)}
		if bad := (*monitor.Misbehaviour)(nil); errors.As(l.Err, &bad) {
			one.Evidence = bad.File
		}
		out.Logs = append(out.Logs, one)
	}
	for _, e := range r.Entries {
		out.Entries = append(out.Entries, MonitorEntryJSON{Log: e.Log, LogIndex: e.Index, Time: e.Time.UTC(), Identity: e.Identity,
			Issuer: e.Issuer, Kind: e.Kind, Digest: e.Digest})
	}
	return out
}
