// Package ui holds every rule of how the programs talk to people.
//
// Results go to stdout, everything else to stderr. An error is one line
// "error: …", in lower case and without a period; what to do about it stands on
// "hint: …" lines below, as git writes them. Progress is drawn only on a
// terminal. Whatever came from outside is quoted before it is shown, so that no
// file name or certificate can write to the terminal in our name.
package ui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// The exit codes of both programs.
const (
	ExitOK       = 0 // verified, or done
	ExitFailed   = 1 // verification failed
	ExitUsage    = 2 // wrong usage or configuration
	ExitUnsigned = 3 // no signature where one was asked for
	ExitTrouble  = 4 // I/O, network or git did not work
)

// Error is an error with the exit code that it ends the program with, and with
// what the user can do about it.
type Error struct {
	Code int
	Err  error
	// Hints are whole sentences or commands, one a line.
	Hints []string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its code and hints.
func (e *Error) Unwrap() error { return e.Err }

// Usage is an error of wrong usage or configuration.
func Usage(hint, format string, args ...any) error {
	return withHint(ExitUsage, hint, format, args...)
}

// Failed is the verdict that a signature or a model is not to be believed.
func Failed(hint, format string, args ...any) error {
	return withHint(ExitFailed, hint, format, args...)
}

// Unsigned says that a signature which was asked for is not there.
func Unsigned(hint, format string, args ...any) error {
	return withHint(ExitUnsigned, hint, format, args...)
}

// Trouble is an error of the world around: files, network, git.
func Trouble(hint, format string, args ...any) error {
	return withHint(ExitTrouble, hint, format, args...)
}

func withHint(code int, hint, format string, args ...any) error {
	e := &Error{Code: code, Err: fmt.Errorf(format, args...)}
	if hint != "" {
		e.Hints = strings.Split(hint, "\n")
	}
	return e
}

// Code is the exit code that an error asks for; an error that asks for none is trouble.
func Code(err error) int {
	var e *Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.Code
	}
	return ExitTrouble
}

// Hints are the hints that an error carries.
func Hints(err error) []string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hints
	}
	return nil
}

// Worse is the exit code that says more: a failed verification before any other
// trouble, and everything before success.
func Worse(a, b int) int {
	for _, code := range []int{ExitFailed, ExitTrouble, ExitUsage, ExitUnsigned} {
		if a == code || b == code {
			return code
		}
	}
	return max(a, b)
}

// Terminal is where a program talks: the two streams and how to write on them.
type Terminal struct {
	Out, Err io.Writer
	// Quiet leaves out everything but results and errors.
	Quiet bool
	// Prefix is put before every line, for hooks whose lines stand among those
	// of other programs.
	Prefix string
	// Color says whether the streams take colours.
	Color bool
	// Live says whether progress may be drawn on Err.
	Live bool

	broken error // the first error of writing to Out
}

// NewTerminal looks at the streams and the environment: progress only on a
// terminal, no colour where NO_COLOR is set or the terminal is dumb.
func NewTerminal(out, err *os.File) *Terminal {
	live := term.IsTerminal(int(err.Fd())) && os.Getenv("TERM") != "dumb"
	color := live && term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == ""
	return &Terminal{Out: out, Err: err, Live: live, Color: color}
}

// Result writes a line of the result to stdout.
func (t *Terminal) Result(format string, args ...any) {
	if err := t.line(t.Out, format, args...); err != nil && t.broken == nil {
		t.broken = err
	}
}

// raw writes text of the result to stdout as it is, for programs to read.
func (t *Terminal) raw(text string) {
	if _, err := io.WriteString(t.Out, text); err != nil && t.broken == nil {
		t.broken = err
	}
}

// Broken is the first error of writing a result, or nil: who asked for a result
// and did not get it must not be told that all is well.
func (t *Terminal) Broken() error {
	if t.broken == nil {
		return nil
	}
	return Trouble("", "writing the result: %w", t.broken)
}

// Note writes a remark that --quiet leaves out.
func (t *Terminal) Note(format string, args ...any) {
	if !t.Quiet {
		t.line(t.Err, format, args...)
	}
}

// Warn writes a warning; it is never left out.
func (t *Terminal) Warn(format string, args ...any) {
	t.line(t.Err, "%s "+format, append([]any{t.paint(yellow, "warning:")}, args...)...)
}

// Hint writes what the user can do, a line for each line of text.
func (t *Terminal) Hint(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		t.line(t.Err, "%s %s", t.paint(yellow, "hint:"), line)
	}
}

// Fail writes an error with its hints. A joined error is one line each.
func (t *Terminal) Fail(err error) {
	for line := range strings.SplitSeq(errorText(err), "\n") {
		if strings.TrimSpace(line) != "" {
			t.line(t.Err, "%s %s", t.paint(red, "error:"), line)
		}
	}
	t.hints(err)
}

// line writes one line behind the prefix. Everything that is put into the format
// loses what a terminal would obey, wherever it came from.
func (t *Terminal) line(w io.Writer, format string, args ...any) error {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = escape(arg)
		case error:
			args[i] = escape(errorText(arg))
		case painted:
		case fmt.Stringer:
			args[i] = escape(arg.String())
		}
	}
	_, err := fmt.Fprintf(w, t.Prefix+format+"\n", args...)
	return err
}

// escape replaces what is not printable by its escape in Go's spelling, but for
// the line feeds and tabs of longer texts. It takes PINs out.
func escape(s string) string {
	s = hidePINs(s)
	if strings.IndexFunc(s, unprintable) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unprintable(r) || r == utf8.RuneError {
			quoted := strconv.Quote(s[i : i+size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

// painted is text of our own that may hold colours.
type painted string

func (t *Terminal) paint(color, s string) painted {
	if !t.Color {
		return painted(s)
	}
	return painted(color + s + reset)
}

// Quote shows a name that came from outside: as it is where it is plain, and
// quoted like a Go string where it holds anything that a terminal or a reader
// could take for something else. A PIN in it is not shown.
func Quote(name string) string {
	name = hidePIN(name)
	for _, r := range name {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar || r == '"' {
			return fmt.Sprintf("%q", name)
		}
	}
	// A folder's name may be made to read like the rest of a verdict.
	likeSentence := slices.ContainsFunc([]string{": ", ", ", " ("}, func(s string) bool { return strings.Contains(name, s) })
	if name == "" || strings.TrimSpace(name) != name || likeSentence {
		return fmt.Sprintf("%q", name)
	}
	return name
}

// Plural is "1 file" or "27 files".
func Plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Size is a number of bytes as git's progress writes it.
func Size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.2f KiB", float64(n)/(1<<10))
	case n == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// Check writes how one check of the doctor came out.
func (t *Terminal) Check(state, name, detail, hint string) {
	color := green
	switch state {
	case "warning":
		color = yellow
	case "failed":
		color = red
	}
	t.Result("%-9s%s: %s", t.paint(color, state), name, detail)
	if hint != "" {
		t.Hint(hint)
	}
}

// Uncovered tells of tracked files that no signature is for.
func (t *Terminal) Uncovered(n int, first []string) {
	t.Note("%s", uncovered(n, first))
}

// uncovered counts tracked files that no signature is for, and names the first.
func uncovered(n int, first []string) string {
	names := QuoteAll(first)
	if n > len(first) {
		names += fmt.Sprintf(" and %d more", n-len(first))
	}
	return fmt.Sprintf("%s that no signature covers: %s", Plural(n, "tracked file"), names)
}

// RequiredCover is the failure of tracked files that no signature is for, where a
// policy requires signatures.
func RequiredCover(names []string, url string) error {
	return Failed(coverHowTo(url), "%s, and a signature is required", uncovered(len(names), names[:min(len(names), maxStale)]))
}
