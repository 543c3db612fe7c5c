// Package lfs reads Git LFS pointers: the small texts that stand in
// a commit where the content itself is kept elsewhere.
//
// It knows the pointer format and nothing else. Whether a path goes through LFS
// at all is decided by that path's attributes (package gitrepo), never by what
// its blob looks like, so a parsed pointer alone is no proof of anything.
package lfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxPointerSize is the size in bytes that a pointer must stay below, as
// git-lfs has it.
const MaxPointerSize = 1024

// ErrNotPointer says that bytes are not a pointer in its one canonical form.
var ErrNotPointer = errors.New("not a canonical LFS pointer")

const (
	version   = "https://git-lfs.github.com/spec/v1"
	oidPrefix = "sha256:"
	oidLength = 64
	// extPrefix opens the key of an extension line, ext-<0..9>-<name>.
	extPrefix = "ext-"
)

// Pointer is what a pointer says of the content that it stands for.
type Pointer struct {
	// OID is the SHA-256 of the content as git-lfs stores it, 64 lower-case hex
	// digits. With Extensions that is not the content that a checkout writes.
	OID string
	// Size is the number of bytes that OID is the digest of, at least 1: empty
	// content has no pointer.
	Size int64
	// Extensions is set where the pointer names extensions, programs that
	// rewrote the content before it was stored.
	Extensions bool
}

// ParsePointer reads a pointer that is canonical to the byte, the form that
// `git lfs pointer --check --strict` accepts; anything else is ErrNotPointer.
// Empty input is no pointer: git-lfs keeps an empty file as it is.
func ParsePointer(b []byte) (Pointer, error) {
	if len(b) >= MaxPointerSize {
		return Pointer{}, fmt.Errorf("%w: %d bytes or more", ErrNotPointer, MaxPointerSize)
	}
	rest, ok := bytes.CutPrefix(b, []byte("version "+version+"\n"))
	if !ok {
		return Pointer{}, fmt.Errorf("%w: no version line", ErrNotPointer)
	}
	lines := strings.Split(string(rest), "\n")
	if lines[len(lines)-1] != "" {
		return Pointer{}, fmt.Errorf("%w: last line is not ended", ErrNotPointer)
	}
	lines = lines[:len(lines)-1]
	if len(lines) < 2 {
		return Pointer{}, fmt.Errorf("%w: no oid and size lines", ErrNotPointer)
	}
	extensions, lines := lines[:len(lines)-2], lines[len(lines)-2:]
	if err := checkExtensions(extensions); err != nil {
		return Pointer{}, err
	}
	oid, ok := strings.CutPrefix(lines[0], "oid "+oidPrefix)
	if !ok || !isOID(oid) {
		return Pointer{}, fmt.Errorf("%w: bad oid line", ErrNotPointer)
	}
	digits, ok := strings.CutPrefix(lines[1], "size ")
	size, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || size < 1 || strconv.FormatInt(size, 10) != digits {
		return Pointer{}, fmt.Errorf("%w: bad size line", ErrNotPointer)
	}
	return Pointer{OID: oid, Size: size, Extensions: len(extensions) > 0}, nil
}

// checkExtensions sees that the lines are extension lines in rising order of
// their one-digit priority.
func checkExtensions(lines []string) error {
	last := byte('0' - 1)
	for _, line := range lines {
		key, value, ok := strings.Cut(line, " ")
		priority, name := byte(0), ""
		if rest, isExt := strings.CutPrefix(key, extPrefix); ok && isExt && len(rest) > 2 && rest[1] == '-' {
			priority, name = rest[0], rest[2:]
		}
		oid, isDigest := strings.CutPrefix(value, oidPrefix)
		if !isDigest || !isOID(oid) || !isExtensionName(name) || priority < '0' || priority > '9' || priority <= last {
			return fmt.Errorf("%w: bad extension line", ErrNotPointer)
		}
		last = priority
	}
	return nil
}

func isOID(s string) bool {
	if len(s) != oidLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isExtensionName reports whether a name begins as git-lfs wants it to, with an
// ASCII letter, digit or underscore. It does not look at the rest.
func isExtensionName(s string) bool {
	if s == "" {
		return false
	}
	c := s[0]
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// Resembles reports whether b, the whole or the beginning of a file, might be
// taken for a pointer by a lenient reader, as git-lfs is one when it checks a
// file out: it opens with a version line of the LFS or an older specification.
// Where such text stands in an LFS path but ParsePointer refuses it, nobody can
// say which content it stands for.
func Resembles(b []byte) bool {
	b = bytes.TrimSpace(b[:min(len(b), MaxPointerSize)])
	if bytes.HasPrefix(b, []byte("# git-media")) {
		return true
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if !bytes.HasPrefix(line, []byte("version ")) {
		return false
	}
	for _, name := range []string{"git-lfs", "hawser", "git-media"} {
		if bytes.Contains(line, []byte(name)) {
			return true
		}
	}
	return false
}
