package ui_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// terminal is one whose streams are told apart by a mark in front of each line.
func terminal() (*ui.Terminal, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &ui.Terminal{Out: &out, Err: &err}, &out, &err
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"model.safetensors": "model.safetensors",
		"my weights.bin":    "my weights.bin",
		"модель.bin":        "модель.bin",
		"":                  `""`,
		" lead":             `" lead"`,
		"a\nb":              `"a\nb"`,
		"\x1b[31mred":       `"\x1b[31mred"`,
		"\u202egpj.exe":     `"\u202egpj.exe"`,
		"bad\xff":           `"bad\xff"`,
		`quo"te`:            `"quo\"te"`,
		"model.sig: 1 file as signed by me (1 read)": `"model.sig: 1 file as signed by me (1 read)"`,
	} {
		if got := ui.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.00 KiB", 3 << 20: "3.00 MiB", 5 << 29: "2.50 GiB"} {
		if got := ui.Size(in); got != want {
			t.Errorf("Size(%d) = %s, want %s", in, got, want)
		}
	}
}

func TestFail(t *testing.T) {
	term, _, stderr := terminal()
	term.Fail(ui.Usage("do this\nor that", "reading %s: %w", "x", errors.Join(errors.New("one"), errors.New("two"))))
	want := "error: reading x: one\nerror: two\nhint: do this\nhint: or that\n"
	if stderr.String() != want {
		t.Errorf("got %q, want %q", stderr, want)
	}
}

// Whatever text reaches the terminal, it cannot write there in our name.
func TestNothingReachesTheTerminalRaw(t *testing.T) {
	const hostile = "a\x1b[2K\rverified\u202e\u009b\xff"
	const shown = `a\x1b[2K\rverified\u202e\u009b\xff`
	term, stdout, stderr := terminal()
	term.Result("%s %v", hostile, errors.New(hostile))
	term.Note("%s", hostile)
	term.Warn("%s", hostile)
	term.Hint(hostile)
	term.Fail(ui.Trouble(hostile, "%s", hostile))
	if got, want := stdout.String(), shown+" "+shown+"\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	want := shown + "\nwarning: " + shown + "\nhint: " + shown + "\nerror: " + shown + "\nhint: " + shown + "\n"
	if stderr.String() != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	var out bytes.Buffer
	if err := ui.WriteJSON(&out, map[string]string{"path": "a\u202e\u009b\U000e0001b"}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["path"] != "a\u202e\u009b\U000e0001b" || strings.ContainsAny(out.String(), "\u202e\u009b\U000e0001") {
		t.Errorf("JSON %q, %v", out.String(), err)
	}
}

// full is a stream that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A PIN that was given where no PKCS #11 URI is taken is not shown, whatever is in it.
func TestPINIsNotShown(t *testing.T) {
	const secret = "s3cr3t"
	for _, name := range []string{
		"pkcs11:token=a?pin-value=s3cr3t", "token=a?pin-value%3Ds3cr3t", "pkcs11:?pin-value=a s3cr3t&module-path=/x", "pin-value=\x1bs3cr3t",
		"pin-value=it's3cr3t", `pin-value=a"s3cr3t`, "pin-value=a: s3cr3t", "pin-value=...s3cr3t", "pin-value=a&pin-value=s3cr3t", "pin-value=a\ns3cr3t",
	} {
		term, out, err := terminal()
		missing := &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		failed := ui.Usage("there is "+strings.ReplaceAll(name, "\n", ""), "opening the model %s: %w", ui.Quote(name), missing)
		term.Fail(failed)
		term.Warn("%s, %s", ui.Quote(name), missing)
		term.Result("%s", ui.QuoteAll([]string{name, "the next"}))
		v := &ui.Verdict{Model: name, Signature: name, Err: failed}
		term.Verdict(v)
		v.Err = ui.Failed("", "opening: %w", missing)
		term.Verdict(v)
		if text := out.String() + err.String(); strings.Contains(text, secret) || strings.Count(text, ": file does not exist") != 4 || !strings.Contains(text, "the next") {
			t.Errorf("%q: %s", name, text)
		}
		term.Result("%s", errors.New("opening '"+strings.ReplaceAll(name, "\n", "")+"'"))
		if text := out.String(); strings.Contains(text, secret) {
			t.Errorf("%q: %s", name, text)
		}
		signing := &ui.Signing{Model: name, Signature: name, Manifest: verdict(t).Manifest}
		for what, printed := range map[string]any{
			"verdict": v.JSON(), "error": ui.NewErrorJSON(failed), "outcome": v.OutcomeJSON(), "signing": signing.JSON(),
			"file":  verdict(t, check.File{Path: "a", Detail: missing.Error()}).JSON(),
			"trust": (&ui.TrustList{Policy: policy.Policy{Trust: policy.Trust{CertificateChain: []string{name}, TrustedRoot: name}}}).JSON(),
		} {
			var text bytes.Buffer
			if err := ui.WriteJSON(&text, printed); err != nil || strings.Contains(text.String(), secret) {
				t.Errorf("%q: %s: %s, %v", name, what, text.String(), err)
			}
		}
	}
}

func TestBroken(t *testing.T) {
	term := &ui.Terminal{Out: full{}, Err: full{}}
	term.Note("nobody hears")
	if term.Broken() != nil {
		t.Error("a remark that was lost is no failure")
	}
	term.Result("nor this")
	if err := term.Broken(); ui.Code(err) != ui.ExitTrouble || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v, want trouble that names the cause", err)
	}
}

func TestVerdictOfNothing(t *testing.T) {
	term, stdout, _ := terminal()
	v := verdict(t, check.File{Path: "a", Status: check.Sparse})
	term.Verdict(v)
	if strings.Contains(stdout.String(), "verified") || v.ExitCode() != ui.ExitOK || v.JSON().Verdict != "unchecked" {
		t.Errorf("exit %d, %q, %s", v.ExitCode(), stdout, v.JSON().Verdict)
	}
}

func TestCode(t *testing.T) {
	for want, err := range map[int]error{
		ui.ExitOK: nil, ui.ExitTrouble: errors.New("anything"), ui.ExitUsage: ui.Usage("", "x"),
		ui.ExitFailed: fmt.Errorf("wrapped: %w", ui.Failed("", "x")), ui.ExitUnsigned: ui.Unsigned("", "x"),
	} {
		if got := ui.Code(err); got != want {
			t.Errorf("Code(%v) = %d, want %d", err, got, want)
		}
	}
}

// verdict is one about the given findings.
func verdict(t *testing.T, files ...check.File) *ui.Verdict {
	t.Helper()
	m, err := oms.NewManifest("m", oms.Serialization{Method: oms.Files, HashType: oms.SHA256}, []oms.Resource{{Path: "a", Digest: make([]byte, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return &ui.Verdict{Model: "/m", Signature: "model.sig", Manifest: m, Signer: &verify.Signer{Method: "key", Identity: "SHA256:ab", LogIndex: -1},
		Report: &check.Report{Algorithm: "sha256", Files: files}}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []check.File
		code  int
		first string
	}{
		{"good", []check.File{{Path: "a", Status: check.Read}}, ui.ExitOK,
			"verified model.sig: 1 file as signed by key SHA256:ab (1 read)"},
		{"promised and sparse", []check.File{{Path: "a", Status: check.Promised}, {Path: "b", Status: check.Sparse}}, ui.ExitOK,
			"verified model.sig: 2 files as signed by key SHA256:ab (0 read, 1 promised by LFS pointers, 1 outside the sparse checkout)"},
		{"changed", []check.File{{Path: "a\n", Status: check.Changed}}, ui.ExitFailed,
			`FAILED model.sig: "a\n" is changed; signed by key SHA256:ab`},
		{"many", []check.File{{Path: "a", Status: check.Missing}, {Path: "b", Status: check.Extra}, {Path: "c", Status: check.Refused}, {Path: "d", Status: check.Unreadable}, {Path: "e", Status: check.NotDownloaded}}, ui.ExitFailed,
			"FAILED model.sig: a is missing, b is not signed, c is no regular file and 2 more; signed by key SHA256:ab"},
		{"only unreadable", []check.File{{Path: "a", Status: check.Unreadable}}, ui.ExitTrouble,
			"FAILED model.sig: a is unreadable; signed by key SHA256:ab"},
	} {
		term, stdout, _ := terminal()
		v := verdict(t, test.files...)
		term.Verdict(v)
		first, rest, _ := strings.Cut(stdout.String(), "\n")
		if first != test.first || v.ExitCode() != test.code {
			t.Errorf("%s: exit %d, %q; want %d, %q", test.name, v.ExitCode(), first, test.code, test.first)
		}
		if got, want := strings.Count(rest, "\n"), len(v.Report.Failures()); got != want {
			t.Errorf("%s: %d lines about files, want %d:\n%s", test.name, got, want, rest)
		}
	}
}

func TestVerdictWithoutReport(t *testing.T) {
	term, stdout, stderr := terminal()
	term.Verdict(&ui.Verdict{Signature: "model.sig", Err: ui.Failed("look", "bad\nsignature")})
	if stdout.String() != "FAILED model.sig: bad signature\n" || stderr.String() != "hint: look\n" {
		t.Errorf("a verdict: %q, %q", stdout, stderr)
	}
	term, stdout, stderr = terminal()
	term.Verdict(&ui.Verdict{Signature: "model.sig", Err: ui.Unsigned("", "none there")})
	if stdout.String() != "" || stderr.String() != "error: none there\n" {
		t.Errorf("no verdict: %q, %q", stdout, stderr)
	}
}

func TestVerdictJSON(t *testing.T) {
	v := verdict(t, check.File{Path: "a", Status: check.Changed, Expected: "01", Found: "02"}, check.File{Path: "b", Start: 0, End: 5, Status: check.Read})
	var out bytes.Buffer
	if err := ui.WriteJSON(&out, v.JSON()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		SchemaVersion, ExitCode int
		Verdict                 string
		Signer                  struct{ Method, Identity string }
		Counts                  map[string]int
		Files                   []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.SchemaVersion != 1 || got.ExitCode != 1 || got.Verdict != "failed" || got.Signer.Identity != "SHA256:ab" ||
		got.Counts["changed"] != 1 || got.Counts["read"] != 1 || got.Files[0]["expected"] != "sha256:01" || got.Files[1]["end"] != 5.0 {
		t.Errorf("got %s", out.String())
	}
}
