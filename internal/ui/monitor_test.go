package ui_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

func TestMonitorFailed(t *testing.T) {
	tests := []struct {
		err      error
		code     int
		hint     string
		hopeless bool
	}{
		{nil, ui.ExitOK, "", false},
		{&monitor.Misbehaviour{Log: "log.example.com", What: "it has forked", File: "/state/evidence-1.txt"}, ui.ExitFailed, "/state/evidence-1.txt", true},
		{errors.Join(&monitor.Misbehaviour{What: "it has forked"}, errors.New("disk full")), ui.ExitFailed, "do not trust", true},
		{fmt.Errorf("%w: index 9", monitor.ErrSince), ui.ExitUsage, "", true},
		{&monitor.Unproven{Tree: "1001", Next: 7}, ui.ExitTrouble, "--since-index 7", false},
		{fmt.Errorf("%w: x", monitor.ErrState), ui.ExitTrouble, "begin anew", false},
		{fmt.Errorf("x: %w", durable.ErrLocked), ui.ExitTrouble, "--state", false},
		{fmt.Errorf("%w: x", monitor.ErrUnavailable), ui.ExitTrouble, "", false},
		{ui.Usage("as before", "of the repository"), ui.ExitUsage, "as before", true},
	}
	for _, tt := range tests {
		err := ui.MonitorFailed(tt.err)
		var e *ui.Error
		if errors.As(err, &e); ui.Code(err) != tt.code || tt.hint != "" && !strings.Contains(strings.Join(e.Hints, "\n"), tt.hint) {
			t.Errorf("%v: %#v", tt.err, err)
		}
		r := ui.MonitorReport{Logs: []ui.MonitoredLog{{}, {Err: err}}}
		if r.ExitCode() != tt.code || r.Hopeless() != tt.hopeless {
			t.Errorf("%v: exit code %d, hopeless: %t", tt.err, r.ExitCode(), r.Hopeless())
		}
		if r.Entries = make([]monitor.Entry, 1); r.ExitCode() != ui.ExitFailed {
			t.Errorf("%v, and an entry: exit code %d", tt.err, r.ExitCode())
		}
		if r.Interrupted = true; r.ExitCode() != ui.ExitTrouble {
			t.Errorf("%v, an entry, and interrupted: exit code %d", tt.err, r.ExitCode())
		}
	}
}

// What a certificate or a log says of itself stands on one line of ours, whatever it is.
func TestMonitorHostileWords(t *testing.T) {
	const bad = "alice\n\x1b[2Jverified"
	var out, err bytes.Buffer
	terminal := &ui.Terminal{Out: &out, Err: &err}
	l := monitor.Log{URL: "https://log.example.com/" + bad}
	terminal.MonitorEntry(l, monitor.Entry{Identity: bad, Issuer: bad, Kind: "dsse 0.0.1", Digest: bad})
	terminal.MonitoredLog(ui.MonitoredLog{Log: l, Err: ui.MonitorFailed(&monitor.Unproven{Tree: bad, Next: 1})})
	if lines := strings.Count(out.String(), "\n"); lines != 1 || strings.Contains(out.String()+err.String(), "\x1b") {
		t.Errorf("printed %q and %q", out.String(), err.String())
	}
}

// That a part of a log was not read is said to who wants to hear of nothing else.
func TestMonitorLeftQuiet(t *testing.T) {
	var err bytes.Buffer
	terminal := &ui.Terminal{Err: &err, Quiet: true}
	l := ui.MonitoredLog{Log: monitor.Log{URL: "https://log.example.com"}, Result: monitor.Result{From: 1, To: 5, Size: 7}}
	if terminal.MonitoredLog(l); !strings.Contains(err.String(), "warning: log.example.com: 2 entries left") {
		t.Errorf("printed %q", err.String())
	}
	err.Reset()
	l.Result.To = 7
	if terminal.MonitoredLog(l); err.Len() > 0 {
		t.Errorf("printed %q though all was read", err.String())
	}
}
