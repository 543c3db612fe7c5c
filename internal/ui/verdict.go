package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Verdict is everything that is known after one signature was checked.
type Verdict struct {
	// Model is the folder or file that the signature speaks of, and Signature
	// the signature's file, both as the user would name them.
	Model, Signature string
	// Commit is the commit that was looked at, "" for files and the worktree, ":"
	// for what is staged.
	Commit string
	// Hub is set where the commit is one on the Hub.
	Hub *Hub
	// Detached says that the signature is no file of that commit.
	Detached bool
	// Signer and Manifest are set once the signature itself is believed. Where
	// nobody was to be believed, there are Claim and Manifest and no Signer.
	Signer   *verify.Signer
	Claim    *Claim
	Manifest *oms.Manifest
	// Report is set once the files were compared.
	Report *check.Report
	// MadeFor is an earlier commit whose files are as signed, where those that
	// were looked at are not; "" if none was found.
	MadeFor string
	// Err is why there is no report, or nil.
	Err error
	// TrustedBy says why the signer is believed; empty unless the signature is.
	TrustedBy TrustedBy
	// URL is where the model was cloned from, where a pin is what decides.
	URL string
	// Pinned says that the signer was pinned now, and NotPinned why he could not be.
	Pinned    bool
	NotPinned error
	// Unpinnable says why nobody is pinned although the signer is believed; "" if he may be.
	Unpinnable string
	// Beside are the verdicts on the signatures beside this one whose signers were
	// pinned with its own, or could not be.
	Beside []*Verdict
	// Quorum is set where several signatures were judged together. Then Signer,
	// Manifest and Report are those of the first one that counts, if any does.
	Quorum *Quorum
	// Aside says why one of several signatures does not count though it is no
	// failure; "" for one that does, or that is.
	Aside string
	// Change is set where another signer than the pinned one was found.
	Change *Change
}

// Hub is a repository on the Hub, of which nothing need be here.
type Hub struct {
	Repository string // org/model, as it was asked for
	MovedTo    string // what the Hub calls it now, "" where that is the same
	// Downloaded is where the files were put once they were found to be as
	// signed; "" where they are only on the Hub.
	Downloaded string
}

// TrustedBy is why a signer is believed.
type TrustedBy string

// Why a signer is believed.
const (
	ByPolicy   TrustedBy = "policy"    // the command line or git config names the signer
	ByPin      TrustedBy = "pin"       // the signer is the one that was met before
	ByFirstUse TrustedBy = "first-use" // nobody was met before, and the signer may be pinned
)

// Change puts a pinned signer and what was found instead side by side, each as
// one printable line.
type Change struct{ Pinned, Found string }

// ExitCode is the exit code that the verdict stands for.
func (v *Verdict) ExitCode() int {
	switch {
	case v.Err != nil:
		return Code(v.Err)
	case v.Report == nil:
		return ExitOK // only the signer was asked about
	case len(v.Report.Failures()) == 0:
		return ExitOK
	case v.Report.OnlyUnreadable():
		return ExitTrouble
	}
	return ExitFailed
}

// Short is the number of hexadecimal digits by which a commit is called.
const Short = 10

// subject names what the verdict is about: the signature, with its commit as git
// writes that.
func (v *Verdict) subject() string {
	commit := v.Commit
	if commit != ":" {
		commit = commit[:min(len(commit), Short)]
	}
	if v.Hub != nil {
		commit = v.Hub.Repository + "@" + commit
	}
	switch {
	case v.Commit == "":
		return Quote(v.Signature)
	case v.Detached:
		return fmt.Sprintf("%s by %s", commit, Quote(v.Signature))
	case v.Commit == ":":
		return Quote(":" + v.Signature)
	}
	return Quote(commit + ":" + v.Signature)
}

// Unchecked says that there was nothing to check: everything lies outside the
// sparse checkout.
func (v *Verdict) Unchecked() bool {
	return v.Report != nil && len(v.Report.Files) > 0 && v.Report.Count(check.Sparse) == len(v.Report.Files)
}

// Verdict writes a verdict for people: one line that says it, and below it one
// entry for each file that is not as signed.
func (t *Terminal) Verdict(v *Verdict) {
	defer t.leftOut(v)
	if v.Err != nil {
		t.noReport(v)
		return
	}
	bad := v.Report.Failures()
	if v.Unchecked() {
		t.Result("%s %s: %s outside the sparse checkout, signed by %s", t.paint(yellow, "unchecked"), v.subject(),
			resources(len(v.Report.Files), v.Manifest), v.Signer)
	} else if len(bad) == 0 {
		t.Result("%s %s: %s as signed by %s (%s)", t.paint(green, "verified"), v.subject(),
			resources(len(v.Report.Files), v.Manifest), v.by(), v.howKnown())
	} else {
		t.Result("%s %s: %s; signed by %s", t.paint(red, "FAILED"), v.subject(), summary(bad), v.Signer)
	}
	for _, f := range bad {
		t.finding(f, v.Report.Algorithm)
	}
	t.members(v, t.allFindings)
	if v.MadeFor != "" {
		t.Result("\tthis signature was made for commit %s, which holds the signed files", v.MadeFor[:min(len(v.MadeFor), Short)])
	}
	if v.Hub != nil && v.Hub.Downloaded != "" {
		t.Result("downloaded to %s", Quote(v.Hub.Downloaded))
	}
	t.pinned(v)
	t.remarks(v)
}

// Waiting says that a server is asked again only after a while, and why. It may be
// called from several goroutines.
func (t *Terminal) Waiting(d time.Duration, because error) {
	if d >= noticeable {
		t.Note("waiting %s to ask again: %s", d.Round(time.Second), oneLine(errorText(because)))
	}
}

// noticeable is how long a wait is that its reason is told.
const noticeable = 3 * time.Second

// Fetched says how many objects were fetched that a partial clone lacked.
func (t *Terminal) Fetched(n int) {
	if n > 0 {
		t.Note("%s fetched that this partial clone lacked", Plural(n, "object"))
	}
}

// Range says how many commits of a range had to be verified.
func (t *Terminal) Range(n int) {
	if n == 0 {
		t.Note("no commit of the range changes the model or its signature")
		return
	}
	t.Note("%s checked that change the model or its signature", Plural(n, "commit"))
}

// leftOut tells what the signer left out, beside what every signer leaves out:
// nobody vouches for that.
func (t *Terminal) leftOut(v *Verdict) {
	if v.Manifest == nil {
		return
	}
	var paths []string
	usual := oms.NewIgnored(oms.DefaultIgnored())
	for _, p := range v.Manifest.Serialization.IgnorePaths {
		if !usual.Has(p) && !strings.HasSuffix(p, ".sig") {
			paths = append(paths, p)
		}
	}
	if len(paths) > 0 {
		t.Note("left out of the signature by its signer: %s", QuoteAll(paths))
	}
}

// noReport writes why there is no report: as a verdict on stdout where the
// signature is not to be believed, as an error where it is trouble.
func (t *Terminal) noReport(v *Verdict) {
	if Code(v.Err) != ExitFailed {
		t.Fail(v.Err)
		return
	}
	t.Result("%s %s: %s", t.paint(red, "FAILED"), v.subject(), oneLine(errorText(v.Err)))
	t.members(v, t.allFindings)
	if v.Change != nil {
		t.Result("\tpinned  %s", v.Change.Pinned)
		t.Result("\tfound   %s", v.Change.Found)
	}
	t.hints(v.Err)
}

// hints writes the hints that an error carries.
func (t *Terminal) hints(err error) {
	for _, h := range Hints(err) {
		t.Hint(h)
	}
}

// finding is the entry of one file that is not as signed.
func (t *Terminal) finding(f check.File, algorithm string) {
	line := fmt.Sprintf("%-16s%s", string(f.Status)+":", shardName(f))
	if f.Detail != "" {
		line += " (" + oneLine(f.Detail) + ")"
	}
	t.Result("\t%s", line)
	if f.Expected != "" {
		t.Result("\t    expected %s:%s", algorithm, f.Expected)
	}
	if f.Found != "" {
		t.Result("\t    found    %s:%s", algorithm, f.Found)
	}
}

// remarks are what is worth knowing and no failure.
func (t *Terminal) remarks(v *Verdict) {
	r := v.Report
	for _, w := range r.Warnings {
		t.Warn("%s", oneLine(w))
	}
	inCommit := v.Commit != ""
	if v.Hub != nil && v.Hub.MovedTo != "" && !strings.EqualFold(v.Hub.MovedTo, v.Hub.Repository) { // which it overlooks, and so does policy
		t.Note("the Hub has moved it to %s; policy is that for %s", Quote(v.Hub.MovedTo), Quote(v.Hub.Repository))
	}
	if n := r.Count(check.Promised); n > 0 && v.Hub != nil {
		t.Note("%s not downloaded: the Hub lists the signed content, which nobody has read here", Plural(n, "file"))
	}
	if n := r.Count(check.Promised); n > 0 && !inCommit {
		t.Note("%s not downloaded: the LFS pointer names the signed content, which nobody has read here", Plural(n, "file"))
		t.Hint("git lfs pull, then git model-sign verify")
	}
	switch n := r.Count(check.NotDownloaded); {
	case n > 0 && v.Hub != nil:
		t.Hint("the Hub lists the SHA-256 of whole files only: --download gets the files and checks every byte")
	case n > 0 && inCommit:
		t.Hint("a commit holds LFS pointers only: check it out, git lfs pull, then git model-sign verify")
	case n > 0:
		t.Hint("git lfs pull")
	}
	t.Fetched(r.Fetched)
	if n := r.Count(check.Sparse); n > 0 {
		t.Note("%s outside the sparse checkout, not checked", Plural(n, "file"))
	}
	t.Untracked(r.Untracked)
}

// maxListed is how many names a remark lists before it only counts.
const maxListed = 10

// Untracked names files that git does not track, which no clone will have.
func (t *Terminal) Untracked(paths []string) {
	if len(paths) == 0 {
		return
	}
	t.Note("%s not tracked by git, and not part of the model:", Plural(len(paths), "file"))
	t.list(paths)
}

// Uncommitted names files that are staged and in no commit. Their author may
// believe that they are signed, so this is a warning.
func (t *Terminal) Uncommitted(paths []string) {
	if len(paths) == 0 {
		return
	}
	t.Warn("%s staged and not committed, and not part of the signed model:", Plural(len(paths), "file"))
	t.list(paths)
}

// list writes the first of some names, and how many more there are.
func (t *Terminal) list(paths []string) {
	for _, p := range paths[:min(len(paths), maxListed)] {
		t.Note("\t%s", Quote(p))
	}
	if n := len(paths) - maxListed; n > 0 {
		t.Note("\tand %d more", n)
	}
}

// resources counts what a manifest lists in the words of its method.
func resources(n int, m *oms.Manifest) string {
	if m.Serialization.Method == oms.Shards {
		return Plural(n, "shard")
	}
	return Plural(n, "file")
}

// howKnown tells apart what was read now, what was read before, and what is only
// promised.
func (v *Verdict) howKnown() string {
	r, by := v.Report, "LFS pointers"
	if v.Hub != nil {
		by = "the Hub"
	}
	parts := []string{fmt.Sprintf("%d read", r.Count(check.Read))}
	if n := r.Count(check.Remembered); n > 0 {
		parts = append(parts, fmt.Sprintf("%d remembered", n))
	}
	if n := r.Count(check.Promised); n > 0 {
		parts = append(parts, fmt.Sprintf("%d promised by %s", n, by))
	}
	if n := r.Count(check.Sparse); n > 0 {
		parts = append(parts, fmt.Sprintf("%d outside the sparse checkout", n))
	}
	return strings.Join(parts, ", ")
}

// namedFailures is how many files the first line of a failure names.
const namedFailures = 3

// summary names the first files that are wrong, and how.
func summary(bad []check.File) string {
	var parts []string
	for _, f := range bad[:min(len(bad), namedFailures)] {
		parts = append(parts, fmt.Sprintf("%s is %s", shardName(f), words(f.Status)))
	}
	s := strings.Join(parts, ", ")
	if n := len(bad) - namedFailures; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// words is how a state reads after "is".
func words(s check.Status) string {
	switch s {
	case check.Extra:
		return "not signed"
	case check.NotDownloaded:
		return "not downloaded"
	case check.Refused:
		return "no regular file"
	}
	return string(s)
}

func shardName(f check.File) string {
	if f.End > 0 {
		return fmt.Sprintf("%s bytes %d-%d", Quote(f.Path), f.Start, f.End)
	}
	return Quote(f.Path)
}

// oneLine keeps the text of errors from other programs and libraries on one line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
