package ui

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// CacheReport is what was found out about every snapshot of a Hugging Face cache.
type CacheReport struct {
	// Dir is the cache's folder.
	Dir       string
	Snapshots []CachedVerdict
	// Problems are what a client would load and nobody can verify.
	Problems []hub.Problem
	// Foreign are the names of folders that nothing was looked for in.
	Foreign []string
}

// CachedVerdict is the verdict on one snapshot.
type CachedVerdict struct {
	Snapshot hub.CachedSnapshot
	Verdict  *Verdict
	// Excused says that there is no signature, or nobody who is known by whom it is,
	// and that the policy does not mind.
	Excused bool
}

// ExitCode is the worst of all snapshots that are not excused.
func (r *CacheReport) ExitCode() int {
	code := ExitOK
	if len(r.Problems) > 0 {
		code = ExitFailed
	}
	for _, c := range r.Snapshots {
		if !c.Excused {
			code = Worse(code, c.Verdict.ExitCode())
		}
	}
	return code
}

// word is the verdict in a word, and its colour.
func (c *CachedVerdict) word() (word, color string) {
	switch code := c.Verdict.ExitCode(); {
	case code == ExitOK:
		return "verified", green
	case code == ExitFailed:
		return "FAILED", red
	case code == ExitUnsigned:
		return "unsigned", yellow
	case c.Excused:
		return "not checked", yellow
	}
	return "error", red
}

// finding is the rest of the line: what was found, and who signed.
func (c *CachedVerdict) finding() string {
	v := c.Verdict
	if v.Err != nil {
		return strings.TrimPrefix(oneLine(errorText(v.Err)), Quote(v.Signature)+": ") // the line says where
	}
	if bad := v.Report.Failures(); len(bad) > 0 {
		return summary(bad) + "; " + v.madeBy()
	}
	return fmt.Sprintf("%s as signed by %s (%s)", resources(len(v.Report.Files), v.Manifest), v.by(), v.howKnown())
}

// revision names the snapshot by what leads to it, and by its commit.
func (c *CachedVerdict) revision() string {
	commit := c.Snapshot.Commit[:Short]
	if len(c.Snapshot.Refs) == 0 {
		return commit
	}
	return strings.Join(c.Snapshot.Refs, ", ") + " (" + commit + ")"
}

// DownloadHowTo is the command that gets a whole repository.
func DownloadHowTo(r hub.Repo) string {
	if r.Type == hub.Model {
		return "hf download " + ShellQuote(r.ID)
	}
	return "hf download --repo-type " + string(r.Type) + " " + ShellQuote(r.ID)
}

// CacheReport writes a table with a line for each snapshot, and below it what is
// wrong there.
func (t *Terminal) CacheReport(r *CacheReport) {
	names, revisions := 0, 0
	for i := range r.Snapshots {
		names = max(names, len(r.Snapshots[i].Snapshot.Repo.String()))
		revisions = max(revisions, utf8.RuneCountInString(r.Snapshots[i].revision()))
	}
	names, revisions = min(names, widestColumn), min(revisions, widestColumn)
	counts := map[string]int{}
	for i := range r.Snapshots {
		c := &r.Snapshots[i]
		word, color := c.word()
		counts[word]++
		t.Result("%s  %-*s  %-*s  %s", t.paint(color, fmt.Sprintf("%-11s", word)), names, c.Snapshot.Repo.String(), revisions, c.revision(), c.finding())
		t.cachedDetails(c)
	}
	for _, p := range r.Problems {
		t.Result("%s  %s: %s", t.paint(red, fmt.Sprintf("%-11s", "FAILED")), Quote(p.Path), oneLine(errorText(p.Err)))
	}
	counts["FAILED"] += len(r.Problems)
	t.cacheSummary(r, counts)
}

// widestColumn is how many characters of a column the others make room for.
const widestColumn = 50

// cachedDetails writes below a line what is wrong, and what can be done.
func (t *Terminal) cachedDetails(c *CachedVerdict) {
	v := c.Verdict
	if v.Change != nil {
		t.Result("\tpinned  %s", v.Change.Pinned)
		t.Result("\tfound   %s", v.Change.Found)
	}
	t.members(v, t.staleFindings)
	if v.Report != nil {
		t.stale(v.Report.Failures(), maxStale)
	}
	if !c.Excused {
		t.hints(v.Err)
	}
	t.pinned(v)
}

// cacheSummary counts the verdicts, in an order of its own.
func (t *Terminal) cacheSummary(r *CacheReport, counts map[string]int) {
	if len(r.Foreign) > 0 {
		t.Note("not looked at, as no models, datasets or spaces: %s", QuoteAll(r.Foreign))
	}
	if len(r.Snapshots)+len(r.Problems) == 0 {
		t.Note("nothing is cached in %s", Quote(r.Dir))
		return
	}
	var parts []string
	for _, word := range []string{"verified", "FAILED", "unsigned", "not checked", "error"} {
		if n := counts[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	t.Note("%s in %s: %s", Plural(len(r.Snapshots), "snapshot"), Quote(r.Dir), strings.Join(parts, ", "))
	if counts["not checked"] > 0 {
		t.Hint("git config modelsign.<url>.* says whom to believe; hf-model-verify --cached ID shows how for one of them")
	}
}

// CacheReportJSON is the object that hf-model-verify --all-cached --json prints.
type CacheReportJSON struct {
	SchemaVersion int                  `json:"schemaVersion"`
	Verdict       string               `json:"verdict"`
	ExitCode      int                  `json:"exitCode"`
	Cache         string               `json:"cache"`
	Snapshots     []CachedSnapshotJSON `json:"snapshots"`
	Problems      []CacheProblemJSON   `json:"problems"`
	Foreign       []string             `json:"foreign"`
}

// CachedSnapshotJSON is the verdict on one snapshot; its exit code is the one that it
// has by itself.
type CachedSnapshotJSON struct {
	URL      string   `json:"url"`
	Type     string   `json:"type"`
	ID       string   `json:"id"`
	Revision string   `json:"revision"` // commit
	Refs     []string `json:"refs"`
	Excused  bool     `json:"excused,omitempty"`
	VerdictJSON
}

// CacheProblemJSON is what a client would load and nobody can verify.
type CacheProblemJSON struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// JSON is the report as one object.
func (r *CacheReport) JSON() CacheReportJSON {
	out := CacheReportJSON{SchemaVersion: SchemaVersion, ExitCode: r.ExitCode(), Verdict: verdictWord(r.ExitCode()), Cache: hidePIN(r.Dir),
		Snapshots: []CachedSnapshotJSON{}, Problems: []CacheProblemJSON{}, Foreign: append([]string{}, r.Foreign...)}
	for _, c := range r.Snapshots {
		s := c.Snapshot
		out.Snapshots = append(out.Snapshots, CachedSnapshotJSON{URL: s.URL(), Type: string(s.Type), ID: s.ID, Revision: s.Commit,
			Refs: append([]string{}, s.Refs...), Excused: c.Excused, VerdictJSON: c.Verdict.JSON()})
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, CacheProblemJSON{Path: p.Path, Message: errorText(p.Err)})
	}
	return out
}
