package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Scheme is what a PKCS #11 URI begins with.
const Scheme = "pkcs11:"

const (
	// maxURI is the longest URI that is read, in bytes.
	maxURI = 4096
	// maxID is the longest id of an object, in bytes; tokens have up to 64.
	maxID = 256
)

// pinValue is the attribute whose value nothing shows.
const pinValue = "pin-value"

// ErrURI says that a PKCS #11 URI is not well formed, or has attributes that are not understood.
var ErrURI = errors.New("PKCS #11 URI can not be used")

// A URI names a module, a token in it and an object on that (RFC 7512). What is empty was not given, and matches everything.
type URI struct {
	ModulePath string `json:"modulePath,omitempty"` // absolute
	ModuleName string `json:"moduleName,omitempty"` // without folder, prefix "lib" and suffix

	LibraryManufacturer string `json:"libraryManufacturer,omitempty"`
	LibraryDescription  string `json:"libraryDescription,omitempty"`
	LibraryVersion      string `json:"libraryVersion,omitempty"` // "major.minor"

	SlotManufacturer string  `json:"slotManufacturer,omitempty"`
	SlotDescription  string  `json:"slotDescription,omitempty"`
	SlotID           *uint64 `json:"slotID,omitempty"`

	Token        string `json:"token,omitempty"` // the token's label
	Manufacturer string `json:"manufacturer,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Model        string `json:"model,omitempty"`

	Object string `json:"object,omitempty"` // the object's label
	ID     []byte `json:"id,omitempty"`
	Type   Class  `json:"type,omitempty"`

	// PINSource is the absolute path of a file with the PIN. Neither it nor PINValue is sent to a helper.
	PINSource string `json:"-"`
	PINValue  string `json:"-"`
}

// Class is a kind of object, as a URI's type spells it.
type Class string

// The kinds of objects that are looked for.
const (
	Private     Class = "private"
	Public      Class = "public"
	Certificate Class = "cert"
)

// IsURI says whether what an option names is a PKCS #11 URI, well formed or not.
func IsURI(s string) bool {
	_, ok := cutFold(s, Scheme)
	return ok
}

// ParseURI reads a URI. Attributes that RFC 7512 does not have, and those given twice, are errors: one that was passed over
// could be the one that tells two keys apart. An error never holds a PIN.
func ParseURI(s string) (*URI, error) {
	if !IsURI(s) {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrURI, Scheme)
	}
	if len(s) > maxURI {
		return nil, fmt.Errorf("%w: it has %d bytes, the longest that is read has %d", ErrURI, len(s), maxURI)
	}
	u := new(URI)
	path, query, _ := strings.Cut(s[len(Scheme):], "?")
	seen := make(map[string]bool)
	for _, part := range []struct{ text, separator string }{{path, ";"}, {query, "&"}} {
		for attribute := range strings.SplitSeq(part.text, part.separator) {
			if attribute == "" && part.text == "" {
				continue
			}
			if err := u.take(attribute, part.separator == "&", seen); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrURI, err)
			}
		}
	}
	return u, u.check()
}

// take puts one attribute into u.
func (u *URI) take(attribute string, query bool, seen map[string]bool) error {
	name, raw, ok := strings.Cut(attribute, "=")
	if !ok {
		return fmt.Errorf("an attribute without \"=\"") // which may be a piece of a PIN
	}
	set, ok := pathAttributes[name]
	if query {
		set, ok = queryAttributes[name]
	}
	switch {
	case !ok && query && seen[pinValue]: // which may be a piece of a PIN
		return errors.New("something behind pin-value that is no attribute: in a PIN, \"&\" is written as %26")
	case !ok && query && pathAttributes[name] != nil:
		return fmt.Errorf("attribute %s stands before the %q", name, "?")
	case !ok && !query && queryAttributes[name] != nil:
		return fmt.Errorf("attribute %s stands behind a %q", name, "?")
	case !ok:
		return fmt.Errorf("unknown attribute %s", plain.Quote(name))
	case seen[name]:
		return fmt.Errorf("attribute %s is given twice", name)
	}
	seen[name] = true
	value, err := unescape(raw)
	if err != nil {
		return fmt.Errorf("attribute %s: %w", name, err)
	}
	switch {
	case value == "":
		return fmt.Errorf("attribute %s is empty", name)
	case name != pinValue && strings.Contains(value, pinValue+"="): // values are shown in errors
		return fmt.Errorf("attribute %s has a pin-value in it, which stands behind a \"?\", or an \"&\" behind that", name)
	}
	if name != "id" && (!utf8.ValidString(value) || strings.IndexFunc(value, unicode.IsControl) >= 0) {
		return fmt.Errorf("attribute %s has control characters, or is not UTF-8", name)
	}
	if err := set(u, value); err != nil {
		return fmt.Errorf("attribute %s %w", name, err)
	}
	return nil
}

// unescape decodes percent-encoding. What is not percent-encoded stands for itself, "+" too.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) {
				return "", errors.New("a percent sign without two hexadecimal digits")
			}
			decoded, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return "", errors.New("a percent sign without two hexadecimal digits")
			}
			b.Write(decoded)
			i += 2
		case c < ' ' || c == 0x7f:
			return "", errors.New("has control characters that are not percent-encoded")
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

type setter func(u *URI, value string) error

// text sets an attribute that is compared as it is.
func text(field func(*URI) *string) setter {
	return func(u *URI, value string) error {
		*field(u) = value
		return nil
	}
}

var pathAttributes = map[string]setter{
	"library-manufacturer": text(func(u *URI) *string { return &u.LibraryManufacturer }),
	"library-description":  text(func(u *URI) *string { return &u.LibraryDescription }),
	"library-version": func(u *URI, value string) error {
		if !strings.Contains(value, ".") {
			value += ".0"
		}
		u.LibraryVersion = value
		return nil
	},
	"slot-manufacturer": text(func(u *URI) *string { return &u.SlotManufacturer }),
	"slot-description":  text(func(u *URI) *string { return &u.SlotDescription }),
	"slot-id": func(u *URI, value string) error {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("is %s, expected a decimal number", plain.Quote(value))
		}
		u.SlotID = &n
		return nil
	},
	"token":        text(func(u *URI) *string { return &u.Token }),
	"manufacturer": text(func(u *URI) *string { return &u.Manufacturer }),
	"serial":       text(func(u *URI) *string { return &u.Serial }),
	"model":        text(func(u *URI) *string { return &u.Model }),
	"object":       text(func(u *URI) *string { return &u.Object }),
	"id": func(u *URI, value string) error {
		if len(value) > maxID {
			return fmt.Errorf("has %d bytes, at most %d are allowed", len(value), maxID)
		}
		u.ID = []byte(value)
		return nil
	},
	"type": func(u *URI, value string) error {
		if u.Type = Class(value); !slices.Contains([]Class{Private, Public, Certificate}, u.Type) {
			return fmt.Errorf("is %s, expected private, public or cert", plain.Quote(value))
		}
		return nil
	},
}

var queryAttributes = map[string]setter{
	"module-path": func(u *URI, value string) error {
		if !isLocal(value) {
			return fmt.Errorf("is %s, expected an absolute path on this machine", plain.Quote(value))
		}
		u.ModulePath = value
		return nil
	},
	"module-name": func(u *URI, value string) error {
		if strings.ContainsAny(value, `/\:`) || strings.HasPrefix(value, ".") {
			return fmt.Errorf("is %s, expected a name without folders", plain.Quote(value))
		}
		u.ModuleName = value
		return nil
	},
	pinValue: text(func(u *URI) *string { return &u.PINValue }),
	"pin-source": func(u *URI, value string) (err error) {
		u.PINSource, err = pinFile(value)
		return err
	},
}

// pinFile is the file that a pin-source names, by its path or by a file: URI (RFC 8089), which may have percent-encoding of
// its own. RFC 7512 knows programs ("|/bin/ask") and other URIs there too: nothing is run, and no PIN comes over a network.
func pinFile(source string) (string, error) {
	path, isURI := cutFold(source, "file:")
	if isURI {
		if rest, ok := strings.CutPrefix(path, "//"); ok { // file://HOST/path, where HOST is empty or this one
			path, _ = cutFold(rest, "localhost")
		}
		decoded, err := unescape(path)
		if err != nil {
			return "", fmt.Errorf("is a file: URI with %w", err)
		}
		path = ofFileURI(decoded)
	}
	if !isLocal(path) || strings.IndexFunc(path, unicode.IsControl) >= 0 {
		return "", errors.New("does not name a file by its absolute path") // and may be the PIN itself
	}
	return path, nil
}

// cutFold is strings.CutPrefix that takes capital letters for small ones.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// onDrive says whether a path of Windows begins with a drive's letter, and so names no other machine.
func onDrive(path string) bool {
	return len(path) > 3 && path[1] == ':' && strings.ContainsRune(`\/`, rune(path[2])) && 'a' <= path[0]|0x20 && path[0]|0x20 <= 'z'
}

// check refuses attributes that do not go together.
func (u *URI) check() error {
	switch {
	case u.PINSource != "" && u.PINValue != "":
		return fmt.Errorf("%w: pin-source and pin-value are two PINs", ErrURI)
	case u.ModulePath != "" && u.ModuleName != "":
		return fmt.Errorf("%w: module-path and module-name are two modules", ErrURI)
	}
	return nil
}

// DescribeToken says in words which token u names, for error messages.
func (u *URI) DescribeToken() string {
	var slot string
	if u.SlotID != nil {
		slot = strconv.FormatUint(*u.SlotID, 10)
	}
	return describe("any token",
		"token", u.Token, "serial", u.Serial, "manufacturer", u.Manufacturer, "model", u.Model,
		"slot-id", slot, "slot-description", u.SlotDescription, "slot-manufacturer", u.SlotManufacturer,
		"library-description", u.LibraryDescription, "library-manufacturer", u.LibraryManufacturer, "library-version", u.LibraryVersion)
}

// DescribeObject says in words which object u names, for error messages.
func (u *URI) DescribeObject() string {
	return describe("any object", "object", u.Object, "id", EscapeID(u.ID))
}

// describe writes pairs of names and values, without those that have no value.
func describe(otherwise string, pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			parts = append(parts, pairs[i]+"="+plain.Name(pairs[i+1]))
		}
	}
	if len(parts) == 0 {
		return otherwise
	}
	return strings.Join(parts, ";")
}

// EscapeID writes an object's id as a URI has it: every byte percent-encoded.
func EscapeID(id []byte) string {
	var b strings.Builder
	for _, c := range id {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// String names what u names, without anything secret: for people, not for parsing.
func (u *URI) String() string {
	parts := []string{u.DescribeToken(), u.DescribeObject()}
	parts = slices.DeleteFunc(parts, func(s string) bool { return strings.HasPrefix(s, "any ") })
	return Scheme + strings.Join(parts, ";")
}
