package ui

import (
	"errors"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// What is excused does not count, whatever it is; a problem counts as a failure.
func TestCacheReportExitCode(t *testing.T) {
	row := func(code int, excused bool) CachedVerdict {
		v := &Verdict{}
		if code != ExitOK {
			v.Err = &Error{Code: code, Err: errors.New("because")}
		}
		return CachedVerdict{Verdict: v, Excused: excused}
	}
	for _, test := range []struct {
		name     string
		rows     []CachedVerdict
		problems int
		want     int
	}{
		{"nothing", nil, 0, ExitOK},
		{"good, and excused", []CachedVerdict{row(ExitOK, false), row(ExitUnsigned, true), row(ExitUsage, true)}, 0, ExitOK},
		{"unsigned where that is not excused", []CachedVerdict{row(ExitOK, false), row(ExitUnsigned, false)}, 0, ExitUnsigned},
		{"trouble before a mistake", []CachedVerdict{row(ExitUsage, false), row(ExitTrouble, false)}, 0, ExitTrouble},
		{"a failure before all", []CachedVerdict{row(ExitTrouble, false), row(ExitFailed, false), row(ExitUsage, false)}, 0, ExitFailed},
		{"a problem", []CachedVerdict{row(ExitOK, false)}, 1, ExitFailed},
	} {
		r := &CacheReport{Snapshots: test.rows, Problems: make([]hub.Problem, test.problems)}
		if got := r.ExitCode(); got != test.want {
			t.Errorf("%s: exit code %d, want %d", test.name, got, test.want)
		}
	}
}

// Columns stand below each other, and no name from the cache writes a line of its own.
func TestCacheReport(t *testing.T) {
	snapshot := func(id string, refs ...string) hub.CachedSnapshot {
		return hub.CachedSnapshot{Snapshot: &hub.Snapshot{Repo: hub.Repo{Type: hub.Model, ID: id}, Commit: strings.Repeat("ab", 20)}, Refs: refs}
	}
	r := &CacheReport{Dir: "/cache", Foreign: []string{"a\nverified"},
		Snapshots: []CachedVerdict{
			{Snapshot: snapshot("gpt2", "main", "v1"), Verdict: &Verdict{Signature: "x/model.sig", Err: Unsigned("", "x/model.sig: no signature there")}, Excused: true},
			{Snapshot: snapshot("org/model"), Verdict: &Verdict{Err: Failed("do this", "not\nso"), Change: &Change{Pinned: "alice", Found: "mallory"}}},
		},
		Problems: []hub.Problem{{Path: "models--a\x1b[31m--b", Err: errors.New("is called\nso")}}}
	var out, notes strings.Builder
	term := &Terminal{Out: &out, Err: &notes}
	term.CacheReport(r)
	want := "unsigned     gpt2       main, v1 (ababababab)  no signature there\n" +
		"FAILED       org/model  ababababab             not so\n" +
		"\tpinned  alice\n\tfound   mallory\n" +
		"FAILED       \"models--a\\x1b[31m--b\": is called so\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	want = "hint: do this\nnot looked at, as no models, datasets or spaces: \"a\\nverified\"\n2 snapshots in /cache: 2 FAILED, 1 unsigned\n"
	if notes.String() != want {
		t.Errorf("noted\n%s\nwant\n%s", notes.String(), want)
	}
}
