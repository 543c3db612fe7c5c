package ui

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/quarantine"
)

// Quarantined tells what became of files that are not as signed, and how to get
// the right ones.
func (t *Terminal) Quarantined(q *quarantine.Quarantine, left []quarantine.Left) {
	if q != nil {
		held := heldFiles(q)
		t.Result("%s put in quarantine %s:", Plural(len(held), "file"), q.ID)
		for _, f := range held {
			t.Result("\t%s%s", Quote(f.Path), inPlace(f))
		}
	}
	t.notMoved("left in place", left)
	if q != nil {
		t.Hint(afterQuarantine(q))
	}
}

// notMoved names files that stay where they are, and why.
func (t *Terminal) notMoved(what string, left []quarantine.Left) {
	for _, l := range left {
		t.Warn("%s: %s %s", what, Quote(l.Path), oneLine(errorText(l.Err)))
	}
}

func inPlace(f quarantine.File) string {
	if f.Pointer != "" {
		return " (its LFS pointer is in its place)"
	}
	return ""
}

// afterQuarantine says what to do: git brings back what the commit holds, which
// is no help where that is what was found wrong.
func afterQuarantine(q *quarantine.Quarantine) string {
	var lfs, plain, committed bool
	for _, f := range heldFiles(q) {
		switch {
		case f.Committed:
			committed = true
		case f.Pointer != "":
			lfs = true
		default:
			plain = true
		}
	}
	var hints []string
	if lfs {
		hints = append(hints, "git lfs fsck, then git lfs pull, brings the content that the LFS pointers name")
	}
	if plain {
		hints = append(hints, "git checkout HEAD -- <path> brings a file as it is committed")
	}
	if committed {
		hints = append(hints, "what is committed is not what was signed: ask the signer, or check out another commit")
	}
	hints = append(hints, "git model-sign quarantine restore "+q.ID+" puts the files back as they were")
	return strings.Join(hints, "\n")
}

func heldFiles(q *quarantine.Quarantine) []quarantine.File {
	var held []quarantine.File
	for _, f := range q.Files {
		if f.Held {
			held = append(held, f)
		}
	}
	return held
}

// Quarantines lists what is in quarantine.
func (t *Terminal) Quarantines(all []*quarantine.Quarantine) {
	n := 0
	for _, q := range all {
		held := heldFiles(q)
		if len(held) == 0 {
			continue
		}
		n++
		worktree := ""
		if q.Worktree != "." {
			worktree = ", of the worktree " + Quote(strings.TrimPrefix(q.Worktree, "worktrees/"))
		}
		t.Result("%s: %s%s", q.ID, Plural(len(held), "file"), worktree)
		for _, f := range held {
			t.quarantinedFile(q, f)
		}
	}
	if n == 0 {
		t.Note("nothing is in quarantine")
	}
}

func (t *Terminal) quarantinedFile(q *quarantine.Quarantine, f quarantine.File) {
	line := fmt.Sprintf("%-16s%s", f.Status+":", Quote(f.Path))
	if f.Detail != "" {
		line += " (" + oneLine(f.Detail) + ")"
	}
	t.Result("\t%s", line)
	if f.Expected != "" {
		t.Result("\t    expected %s", f.Expected)
	}
	if f.Found != "" {
		t.Result("\t    found    %s", f.Found)
	}
	t.Result("\t    kept as  %s", Quote(filepath.Join(q.Dir, f.Name)))
}

// Restoration is what became of files that were to be put back.
type Restoration struct {
	Restored []string
	Left     []quarantine.Left
}

// Restored tells which files were put back.
func (t *Terminal) Restored(r *Restoration) {
	for _, path := range r.Restored {
		t.Result("restored %s", Quote(path))
	}
	if len(r.Restored) == 0 && len(r.Left) == 0 {
		t.Note("nothing is in quarantine")
	}
}

// Err is the error that some files could not be put back; nil where all were.
func (r *Restoration) Err() error {
	if len(r.Left) == 0 {
		return nil
	}
	e := &Error{Code: ExitTrouble}
	var errs []error
	var occupied, elsewhere bool
	for _, l := range r.Left {
		errs = append(errs, fmt.Errorf("%s stays in quarantine: %w", Quote(l.Path), l.Err))
		occupied = occupied || errors.Is(l.Err, quarantine.ErrOccupied)
		elsewhere = elsewhere || errors.Is(l.Err, quarantine.ErrOtherWorktree)
	}
	if occupied {
		e.Hints = append(e.Hints, "move away what is there, then restore the file by its path; nothing is written over")
	}
	if elsewhere {
		e.Hints = append(e.Hints, "restore it in that worktree, or remove that and restore it in this one")
	}
	e.Err = errors.Join(errs...)
	return e
}

// QuarantinesJSON is the object that quarantine list --json prints.
type QuarantinesJSON struct {
	SchemaVersion int              `json:"schemaVersion"`
	Quarantines   []QuarantineJSON `json:"quarantines"`
}

// QuarantineJSON is one quarantine.
type QuarantineJSON struct {
	ID       string                `json:"id"`
	Folder   string                `json:"folder"`
	Worktree string                `json:"worktree"`
	Files    []QuarantinedFileJSON `json:"files"`
}

// QuarantinedFileJSON is a file in quarantine.
type QuarantinedFileJSON struct {
	Path      string `json:"path"`
	Name      string `json:"name"` // in the folder
	Status    string `json:"status"`
	Signature string `json:"signature"`
	Expected  string `json:"expected,omitempty"` // <algorithm>:<hex>
	Found     string `json:"found,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Pointer   bool   `json:"pointer"`   // its LFS pointer was left in its place
	Committed bool   `json:"committed"` // it is what the commit holds
}

// NewQuarantinesJSON lists what is in quarantine.
func NewQuarantinesJSON(all []*quarantine.Quarantine) QuarantinesJSON {
	out := QuarantinesJSON{SchemaVersion: SchemaVersion, Quarantines: []QuarantineJSON{}}
	for _, q := range all {
		var files []QuarantinedFileJSON
		for _, f := range heldFiles(q) {
			files = append(files, QuarantinedFileJSON{Path: f.Path, Name: f.Name, Status: f.Status, Signature: f.Signature,
				Expected: f.Expected, Found: f.Found, Detail: hidePIN(f.Detail), Pointer: f.Pointer != "", Committed: f.Committed})
		}
		if len(files) > 0 {
			out.Quarantines = append(out.Quarantines, QuarantineJSON{ID: q.ID, Folder: q.Dir, Worktree: q.Worktree, Files: files})
		}
	}
	return out
}

// RestorationJSON is the object that quarantine restore --json prints.
type RestorationJSON struct {
	SchemaVersion int        `json:"schemaVersion"`
	Restored      []string   `json:"restored"`
	Left          []LeftJSON `json:"left"`
}

// LeftJSON is a file that stays where it is, and why.
type LeftJSON struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// JSON is the restoration as one object.
func (r *Restoration) JSON() RestorationJSON {
	out := RestorationJSON{SchemaVersion: SchemaVersion, Restored: append([]string{}, r.Restored...), Left: []LeftJSON{}}
	for _, l := range r.Left {
		out.Left = append(out.Left, LeftJSON{Path: l.Path, Reason: errorText(l.Err)})
	}
	return out
}
