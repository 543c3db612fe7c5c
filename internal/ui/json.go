package ui

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// SchemaVersion is the version of every JSON object that the programs print;
// docs/json.md describes it. New members may come in the same version, and no
// member changes its meaning.
const SchemaVersion = 1

// VerdictJSON is the object that verify --json prints.
type VerdictJSON struct {
	SchemaVersion int    `json:"schemaVersion"`
	Verdict       string `json:"verdict"` // verified, failed, unsigned, usage, trouble
	ExitCode      int    `json:"exitCode"`
	Model         string `json:"model"`
	Signature     string `json:"signature"`
	Commit        string `json:"commit,omitempty"`     // with --rev, and on the Hub
	Repository    string `json:"repository,omitempty"` // on the Hub
	MovedTo       string `json:"movedTo,omitempty"`    // what the Hub calls it now
	Downloaded    string `json:"downloaded,omitempty"` // folder

	Signer    *SignerJSON   `json:"signer,omitempty"`
	TrustedBy string        `json:"trustedBy,omitempty"` // policy, pin, first-use
	Pinned    bool          `json:"pinned,omitempty"`
	Beside    []string      `json:"pinnedBeside,omitempty"` // signatures
	Quorum    *QuorumJSON   `json:"quorum,omitempty"`
	Change    *ChangeJSON   `json:"change,omitempty"`
	Manifest  *ManifestJSON `json:"manifest,omitempty"`
	Counts    *CountsJSON   `json:"counts,omitempty"`
	Files     []FileJSON    `json:"files,omitempty"`
	Untracked []string      `json:"untracked,omitempty"`
	Warnings  []string      `json:"warnings,omitempty"`
	Error     *ErrorJSON    `json:"error,omitempty"`
	ReadBytes int64         `json:"readBytes"`
	MadeFor   string        `json:"madeFor,omitempty"` // commit
	Fetched   int           `json:"fetched,omitempty"` // objects, by a partial clone
}

// RangeJSON is the object that verify --json prints for a range of commits.
type RangeJSON struct {
	SchemaVersion int           `json:"schemaVersion"`
	Verdict       string        `json:"verdict"`
	ExitCode      int           `json:"exitCode"`
	Commits       []VerdictJSON `json:"commits"`
}

// NewRangeJSON sums up the verdicts on the commits of a range.
func NewRangeJSON(verdicts []*Verdict) RangeJSON {
	out := RangeJSON{SchemaVersion: SchemaVersion, Commits: []VerdictJSON{}}
	for _, v := range verdicts {
		out.Commits = append(out.Commits, v.JSON())
		out.ExitCode = Worse(out.ExitCode, v.ExitCode())
	}
	out.Verdict = verdictWord(out.ExitCode)
	return out
}

// SignerJSON is who signed, as verified.
type SignerJSON struct {
	Method   string     `json:"method"` // key, certificate, sigstore
	Identity string     `json:"identity"`
	Issuer   string     `json:"issuer,omitempty"`
	Time     *time.Time `json:"time,omitempty"`
	LogIndex *int64     `json:"logIndex,omitempty"`
	// Workflow is what the certificate says of the job that signed.
	Workflow *WorkflowJSON `json:"workflow,omitempty"`
}

// WorkflowJSON is what is asked or said of a job that signed.
type WorkflowJSON struct {
	Repository string `json:"repository,omitempty"`
	Ref        string `json:"ref,omitempty"`
	Trigger    string `json:"trigger,omitempty"`
	Name       string `json:"name,omitempty"`
	SHA        string `json:"sha,omitempty"`
}

func workflowJSON(w verify.Workflow) *WorkflowJSON {
	if w == (verify.Workflow{}) {
		return nil
	}
	out := WorkflowJSON(w)
	return &out
}

// ChangeJSON is a pinned signer, and what was found instead.
type ChangeJSON struct {
	Pinned string `json:"pinned"`
	Found  string `json:"found"`
}

// ManifestJSON is what was signed, without its resources.
type ManifestJSON struct {
	ModelName     string   `json:"modelName"`
	RootDigest    string   `json:"rootDigest"` // sha256:<hex>
	Method        string   `json:"method"`     // files, shards
	HashType      string   `json:"hashType"`
	ShardSize     int64    `json:"shardSize,omitempty"`
	AllowSymlinks bool     `json:"allowSymlinks"`
	IgnorePaths   []string `json:"ignorePaths,omitempty"`
	Resources     int      `json:"resources"`
}

// DigestJSON is the object that digest --json prints.
type DigestJSON struct {
	SchemaVersion int `json:"schemaVersion"`
	*ManifestJSON
}

// NewDigestJSON describes what was hashed.
func NewDigestJSON(m *oms.Manifest) DigestJSON {
	return DigestJSON{SchemaVersion, NewManifestJSON(m)}
}

// CountsJSON counts the findings by state.
type CountsJSON struct {
	Read          int `json:"read"`
	Remembered    int `json:"remembered"`
	Promised      int `json:"promised"`
	Sparse        int `json:"sparse"`
	Changed       int `json:"changed"`
	Missing       int `json:"missing"`
	Extra         int `json:"extra"`
	NotDownloaded int `json:"notDownloaded"`
	Refused       int `json:"refused"`
	Unreadable    int `json:"unreadable"`
}

// FileJSON is the finding about one resource.
type FileJSON struct {
	Path     string `json:"path"`
	Start    *int64 `json:"start,omitempty"` // shards only, bytes
	End      *int64 `json:"end,omitempty"`
	Status   string `json:"status"`
	Expected string `json:"expected,omitempty"` // <algorithm>:<hex>
	Found    string `json:"found,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// ErrorJSON is why there is no verdict about files, or why a command failed.
type ErrorJSON struct {
	Message string   `json:"message"`
	Hints   []string `json:"hints,omitempty"`
}

// JSON is the verdict as one object.
func (v *Verdict) JSON() VerdictJSON {
	out := VerdictJSON{SchemaVersion: SchemaVersion, ExitCode: v.ExitCode(), Verdict: verdictWord(v.ExitCode()),
		Model: hidePIN(v.Model), Signature: hidePIN(v.Signature), Commit: v.Commit, Signer: signerJSON(v.Signer), Manifest: NewManifestJSON(v.Manifest),
		TrustedBy: string(v.TrustedBy), Pinned: v.Pinned, Error: NewErrorJSON(v.Err), Quorum: v.quorumJSON()}
	if v.Hub != nil {
		out.Repository, out.MovedTo, out.Downloaded = v.Hub.Repository, v.Hub.MovedTo, hidePIN(v.Hub.Downloaded)
	}
	for _, beside := range v.Beside {
		if beside.Pinned {
			out.Beside = append(out.Beside, beside.Signature)
		}
	}
	if v.Change != nil {
		out.Change = &ChangeJSON{Pinned: v.Change.Pinned, Found: v.Change.Found}
	}
	if v.Unchecked() {
		out.Verdict = "unchecked"
	}
	if r := v.Report; r != nil {
		out.Counts = countsJSON(r)
		out.Files = filesJSON(r)
		out.Untracked, out.Warnings, out.ReadBytes = r.Untracked, hideAll(r.Warnings), r.Bytes
		out.Fetched, out.MadeFor = r.Fetched, v.MadeFor
	}
	return out
}

func verdictWord(code int) string {
	switch code {
	case ExitOK:
		return "verified"
	case ExitFailed:
		return "failed"
	case ExitUsage:
		return "usage"
	case ExitUnsigned:
		return "unsigned"
	}
	return "trouble"
}

// NewErrorJSON is err with its hints; nil for nil.
func NewErrorJSON(err error) *ErrorJSON {
	if err == nil {
		return nil
	}
	return &ErrorJSON{Message: errorText(err), Hints: hideAll(Hints(err))}
}

func signerJSON(s *verify.Signer) *SignerJSON {
	if s == nil {
		return nil
	}
	out := &SignerJSON{Method: s.Method, Identity: s.Identity, Issuer: s.Issuer, Workflow: workflowJSON(s.Workflow)}
	if !s.Time.IsZero() {
		at := s.Time.UTC()
		out.Time = &at
	}
	if s.Method == oms.MaterialSigstore.String() {
		out.LogIndex = &s.LogIndex
	}
	return out
}

// NewManifestJSON describes a manifest without its resources; nil for nil.
func NewManifestJSON(m *oms.Manifest) *ManifestJSON {
	if m == nil {
		return nil
	}
	root := m.RootDigest()
	return &ManifestJSON{ModelName: m.ModelName, RootDigest: "sha256:" + hex.EncodeToString(root[:]),
		Method: string(m.Serialization.Method), HashType: string(m.Serialization.HashType),
		ShardSize: m.Serialization.ShardSize, AllowSymlinks: m.Serialization.AllowSymlinks,
		IgnorePaths: m.Serialization.IgnorePaths, Resources: len(m.Resources)}
}

func countsJSON(r *check.Report) *CountsJSON {
	return &CountsJSON{Read: r.Count(check.Read), Remembered: r.Count(check.Remembered), Promised: r.Count(check.Promised), Sparse: r.Count(check.Sparse),
		Changed: r.Count(check.Changed), Missing: r.Count(check.Missing), Extra: r.Count(check.Extra),
		NotDownloaded: r.Count(check.NotDownloaded), Refused: r.Count(check.Refused), Unreadable: r.Count(check.Unreadable)}
}

func filesJSON(r *check.Report) []FileJSON {
	files := make([]FileJSON, len(r.Files))
	for i, f := range r.Files {
		files[i] = FileJSON{Path: f.Path, Status: string(f.Status), Detail: hidePIN(f.Detail),
			Expected: Digest(r.Algorithm, f.Expected), Found: Digest(r.Algorithm, f.Found)}
		if f.End > 0 {
			files[i].Start, files[i].End = &f.Start, &f.End
		}
	}
	return files
}

// Digest writes a digest as JSON has it, <algorithm>:<hex>; "" for none.
func Digest(algorithm, digest string) string {
	if digest == "" {
		return ""
	}
	return algorithm + ":" + digest
}

// WriteJSON writes v as one indented object and a newline.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	// What is not printable can only stand in strings, where JSON has an escape for it.
	var text strings.Builder
	for _, r := range b.String() {
		if !unprintable(r) {
			text.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&text, `\u%04x`, unit)
		}
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}
