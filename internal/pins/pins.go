// Package pins remembers who signed a model the first time it was met, and
// notices when somebody else does: trust on first use, for repositories about
// which the user's policy says nothing.
//
// A pin is one line of the known-signers file: the URL of a repository, the path
// of a signature in it, and the Sigstore signer of that signature. Only Sigstore
// signers are pinned, since somebody else has identified them; a key vouches for
// nobody but itself. The package pins a signer only when it is told to, which is on
// first use once the whole model was found to be as signed, or by a user who names
// the signer or accepts one, and then no model is read. It never lets go of a line
// that it does not understand.
package pins

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Limits of a known-signers file, in bytes. A line has some two hundred.
const (
	maxFile  = 16 << 20
	maxField = 4 << 10
)

// ErrFile is wrapped by every error about what a known-signers file holds.
var ErrFile = errors.New("known signers")

// Pin is a signer that is known.
type Pin struct {
	// URL is where the repository was cloned from, in the form of
	// [gitrepo.NormalURL].
	URL string
	// Signature is the path of the signature in the repository, with slashes.
	Signature string
	// Method is how the signer signs, "sigstore".
	Method string
	// Identity and Issuer name a Sigstore signer.
	Identity, Issuer string
}

// New makes the pin of a signer.
func New(url, signature string, signer *verify.Signer) Pin {
	return Pin{URL: url, Signature: signature, Method: signer.Method, Identity: signer.Identity, Issuer: signer.Issuer}
}

// SameSigner says whether another pin is of the same signer.
func (p Pin) SameSigner(other Pin) bool {
	return p.Method == other.Method && p.Identity == other.Identity && p.Issuer == other.Issuer
}

// Signer describes the signer in one printable line.
func (p Pin) Signer() string { return verify.Identity{ID: p.Identity, Issuer: p.Issuer}.String() }

// Line is the pin as a line of the file, without its end.
func (p Pin) Line() string {
	fields := []string{p.URL, p.Signature, p.Method, p.Identity, p.Issuer}
	for i, f := range fields {
		fields[i] = quote(f)
	}
	return strings.Join(fields, " ")
}

// check refuses a pin that could never be found again, or not be written.
func (p Pin) check() error {
	for _, f := range []string{p.URL, p.Signature, p.Method, p.Identity, p.Issuer} {
		if f == "" {
			return errors.New("a field is empty")
		}
		if len(f) > maxField {
			return fmt.Errorf("a field has %d bytes, at most %d are kept", len(f), maxField)
		}
	}
	normal, err := gitrepo.NormalURL(p.URL)
	switch {
	case err != nil:
		return fmt.Errorf("its URL is %w", err)
	case normal != p.URL:
		return fmt.Errorf("its URL is not in the form that is compared, which is %s", normal)
	case !IsSignaturePath(p.Signature):
		return fmt.Errorf("its signature %s is no path in a repository", strconv.Quote(p.Signature))
	case p.Method != oms.MaterialSigstore.String():
		return fmt.Errorf("its method is %s, expected %s", strconv.Quote(p.Method), oms.MaterialSigstore)
	}
	return nil
}

// IsSignaturePath says whether a signature may be pinned by a path: a clean one,
// relative to the top of the repository and inside of it.
func IsSignaturePath(name string) bool {
	return name == path.Clean(name) && !path.IsAbs(name) && name != "." && name != ".." && !strings.HasPrefix(name, "../")
}

// quote writes a field as it is where that is plain, else as Go quotes strings.
func quote(s string) string {
	odd := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError }
	if s == "" || strings.ContainsFunc(s, odd) || strings.ContainsRune(`"#`, rune(s[0])) {
		return strconv.Quote(s)
	}
	return s
}

// File is what a known-signers file holds: pins, and the comments and blank
// lines between them.
type File struct {
	lines []line
}

// line is one line of a file, and the pin that it holds unless it is a comment.
type line struct {
	text string
	pin  *Pin
}

// Parse reads a known-signers file. A line that it does not understand is an
// error that names the line: a signer must not be forgotten because of a typing
// mistake.
func Parse(b []byte) (*File, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: the file has %d bytes, at most %d are read", ErrFile, len(b), maxFile)
	}
	f := new(File)
	seen := map[[3]string]int{}
	number := 0
	for text := range bytes.Lines(b) {
		number++
		l, err := parseLine(strings.TrimSuffix(string(text), "\n"))
		if err != nil {
			return nil, fmt.Errorf("%w, line %d: %w", ErrFile, number, err)
		}
		if l.pin != nil {
			// Lines for the Hub that differ by spelling were written when it counted.
			key := [3]string{gitrepo.ComparedURL(l.pin.URL), strings.TrimSuffix(l.pin.URL, ".git"), l.pin.Signature}
			if first, twice := seen[key]; twice {
				return nil, fmt.Errorf("%w, line %d: line %d is for the same signature", ErrFile, number, first)
			}
			seen[key] = number
		}
		f.lines = append(f.lines, l)
	}
	return f, nil
}

func parseLine(text string) (line, error) {
	rest := strings.Trim(text, " \t\r")
	if rest == "" || strings.HasPrefix(rest, "#") {
		return line{text: text}, nil
	}
	var fields []string
	for rest != "" {
		field, after, err := parseField(rest)
		if err != nil {
			return line{}, err
		}
		fields = append(fields, field)
		rest = strings.TrimLeft(after, " \t")
	}
	if len(fields) != 5 {
		return line{}, fmt.Errorf("expected a URL, a signature, a method, an identity and its provider, found %d fields", len(fields))
	}
	p := &Pin{URL: fields[0], Signature: fields[1], Method: fields[2], Identity: fields[3], Issuer: fields[4]}
	if err := p.check(); err != nil {
		return line{}, err
	}
	return line{text: text, pin: p}, nil
}

// parseField takes the first field of a line.
func parseField(s string) (field, rest string, err error) {
	if s[0] != '"' {
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		if field = s[:end]; quote(field) != field {
			return "", "", errors.New("a field with odd characters has to be in double quotes")
		}
		return field, s[end:], nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", errors.New("a double quote is not closed, or holds an escape that is none")
	}
	if field, err = strconv.Unquote(quoted); err != nil {
		return "", "", errors.New("a quoted field cannot be read")
	}
	rest = s[len(quoted):]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", errors.New("a space is missing behind a double quote")
	}
	return field, rest, nil
}

// Bytes is the file as it is written. What was read and not changed is as it was.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// All lists the pins in the order of the file.
func (f *File) All() []Pin {
	var out []Pin
	for _, l := range f.lines {
		if l.pin != nil {
			out = append(out, *l.pin)
		}
	}
	return out
}

// Of lists the pins of one URL, in whatever spelling: see [gitrepo.ComparedURL].
func (f *File) Of(url string) []Pin {
	url = gitrepo.ComparedURL(url)
	return slices.DeleteFunc(f.All(), func(p Pin) bool { return gitrepo.ComparedURL(p.URL) != url })
}

// Get finds the pins of a signature. There is one, or none, unless lines differ by
// the spelling of a URL only: then each of them has to be met.
func (f *File) Get(url, signature string) []Pin {
	return slices.DeleteFunc(f.Of(url), func(p Pin) bool { return p.Signature != signature })
}

// Set adds a pin, or puts it in the place of those for the same signature.
func (f *File) Set(p Pin) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	l := line{text: p.Line(), pin: &p}
	if i := f.index(p.URL, p.Signature); i >= 0 {
		f.lines[i] = l
		f.remove(i+1, p.URL, p.Signature)
		return nil
	}
	if len(f.lines) == 0 {
		for _, text := range header {
			f.lines = append(f.lines, line{text: text})
		}
	}
	f.lines = append(f.lines, l)
	return nil
}

// header stands above the first pin of a new file.
var header = []string{
	"# Who signed the models that came from a URL, as git model-sign has met them.",
	"# URL, signature, method, identity, identity provider",
}

// Remove takes the pins of a signature away, and says whether there was one.
func (f *File) Remove(url, signature string) bool { return f.remove(0, url, signature) }

// remove takes the pins of a signature away from a line on.
func (f *File) remove(from int, url, signature string) bool {
	before := len(f.lines)
	f.lines = append(f.lines[:from], slices.DeleteFunc(f.lines[from:], isFor(url, signature))...)
	return len(f.lines) < before
}

func (f *File) index(url, signature string) int {
	return slices.IndexFunc(f.lines, isFor(url, signature))
}

// isFor knows the lines that pin a signature.
func isFor(url, signature string) func(line) bool {
	url = gitrepo.ComparedURL(url)
	return func(l line) bool {
		return l.pin != nil && l.pin.Signature == signature && gitrepo.ComparedURL(l.pin.URL) == url
	}
}
