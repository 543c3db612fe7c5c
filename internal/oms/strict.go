package oms

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// A reader reads one JSON text, strictly: jsontext refuses duplicate members and
// invalid UTF-8, newReader what is too deep or too wide, and end what follows
// the value. Its methods read the next value and fail where it is of another
// type, in the words of a formatError that say where.
type reader struct {
	dec  *jsontext.Decoder
	text []byte

	// at is where the text stands, as a JSON Pointer (RFC 6901); it comes
	// before the pointers into the text itself.
	at string

	// scratch holds the last string that had escapes.
	scratch []byte
}

// newReader returns a reader of text after checking its shape.
func newReader(text []byte) (*reader, error) {
	if err := checkShape(text); err != nil {
		return nil, err
	}
	return subReader(text, ""), nil
}

// subReader returns a reader of a value that raw returned.
func subReader(text []byte, at string) *reader {
	// The decoder parses a bytes.Buffer in place.
	return &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(text)), text: text, at: at}
}

// checkShape bounds the depth of a JSON text, and the members of its objects and
// their names, before anything else looks at it. It tells strings from
// structure, which is all it needs to be exact about valid JSON; what is not
// valid is left to the decoder.
func checkShape(text []byte) error {
	var commas [MaxDepth + 1]int // in the open object at each depth; in an array, -1
	depth := 0
	length := 0 // of the last string, as it is spelled
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := stringEnd(text, i)
			length = end - i - 1
			i = end
		case ':':
			if length > maxMemberName {
				return formatErrorf("JSON object with a member name of %d bytes before byte %d", length, i)
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return formatErrorf("JSON nests deeper than %d levels at byte %d", MaxDepth, i)
			}
			commas[depth] = 0
			if text[i] == '[' {
				commas[depth] = -1
			}
		case '}', ']':
			if depth--; depth < 0 {
				return nil
			}
		case ',':
			if commas[depth] < 0 {
				continue
			}
			if commas[depth]++; commas[depth] >= maxMembers {
				return formatErrorf("JSON object with more than %d members at byte %d", maxMembers, i)
			}
		}
	}
	return nil
}

// stringEnd returns the index of the quote that ends the string whose opening
// quote is at start, or the end of the text.
func stringEnd(text []byte, start int) int {
	for i := start + 1; ; {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return len(text)
		}
		escapes := 0
		for j := i + n - 1; j >= i && text[j] == '\\'; j-- {
			escapes++
		}
		i += n
		if escapes%2 == 0 {
			return i
		}
		i++
	}
}

// fail turns an error of the decoder into a formatError.
func (r *reader) fail(err error) error {
	if errors.Is(err, ErrFormat) {
		return err
	}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		if len(r.text) == 0 {
			return formatErrorf("no JSON: the text is empty")
		}
		return formatErrorf("invalid JSON: it ends early, at byte %d", len(r.text))
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return formatErrorf("invalid JSON: duplicate member %s", quote(r.at+string(syntax.JSONPointer)))
	case errors.As(err, &syntax):
		return formatErrorf("invalid JSON at byte %d, within %s: %v", syntax.ByteOffset, quote(r.at+string(syntax.JSONPointer)), syntax.Err)
	}
	return formatErrorf("invalid JSON: %v", err)
}

// mistyped says that the value just read is of the wrong type.
func (r *reader) mistyped(want string, got jsontext.Kind) error {
	return formatErrorf("%s: expected %s, found %s", quote(r.at+string(r.dec.StackPointer())), want, kindName(got))
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	}
	return "a boolean"
}

// object reads an object. For each member it calls member, which must read the
// member's value; name is valid until it does.
func (r *reader) object(member func(name []byte) error) error {
	if err := r.open('{', "an object"); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		raw, err := r.dec.ReadValue()
		if err != nil {
			return r.fail(err)
		}
		name, err := r.unquote(raw)
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return r.failIf(err)
}

// array reads an array of at most limit elements. It calls element for each, which
// must read it.
func (r *reader) array(limit int, element func(i int) error) error {
	if err := r.open('[', "an array"); err != nil {
		return err
	}
	for i := 0; ; i++ {
		switch {
		case r.dec.PeekKind() == ']':
			_, err := r.dec.ReadToken()
			return r.failIf(err)
		case i == limit:
			at := r.dec.StackPointer().Parent()
			return formatErrorf("%s: more than %d elements", quote(r.at+string(at)), limit)
		}
		if err := element(i); err != nil {
			return err
		}
	}
}

// open reads the token that begins an object or an array.
func (r *reader) open(want jsontext.Kind, name string) error {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return r.fail(err)
	}
	if tok.Kind() != want {
		return r.mistyped(name, tok.Kind())
	}
	return nil
}

func (r *reader) failIf(err error) error {
	if err != nil {
		return r.fail(err)
	}
	return nil
}

// bytes reads a string of at most limit bytes. The result is valid until the next
// read.
func (r *reader) bytes(limit int) ([]byte, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.fail(err)
	}
	if raw.Kind() != '"' {
		return nil, r.mistyped("a string", raw.Kind())
	}
	length := len(raw) - 2
	if length <= 6*limit { // an escape spells one byte with up to six
		s, err := r.unquote(raw)
		if err != nil || len(s) <= limit {
			return s, err
		}
		length = len(s)
	}
	return nil, formatErrorf("%s: string of %d bytes, at most %d are allowed", quote(r.at+string(r.dec.StackPointer())), length, limit)
}

// unquote resolves the escapes of a string.
func (r *reader) unquote(raw jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var err error
	r.scratch, err = jsontext.AppendUnquote(r.scratch[:0], raw)
	return r.scratch, r.failIf(err)
}

// string reads a string of at most limit bytes into s.
func (r *reader) string(s *string, limit int) error {
	b, err := r.bytes(limit)
	if err == nil {
		*s = string(b)
	}
	return err
}

// bool reads true or false into b.
func (r *reader) bool(b *bool) error {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return r.fail(err)
	}
	switch tok.Kind() {
	case 't', 'f':
		*b = tok.Bool()
		return nil
	}
	return r.mistyped("a boolean", tok.Kind())
}

// number reads a number and returns it as it is spelled.
func (r *reader) number() (string, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return "", r.fail(err)
	}
	if raw.Kind() != '0' {
		return "", r.mistyped("a number", raw.Kind())
	}
	return string(raw[:min(len(raw), maxWord)]), nil
}

// null reports whether the next value is null, and reads it if so.
func (r *reader) null() bool {
	if r.dec.PeekKind() != 'n' {
		return false
	}
	_, err := r.dec.ReadToken()
	return err == nil
}

// skip reads a value of any type, checking it and keeping nothing.
func (r *reader) skip() error {
	return r.failIf(r.dec.SkipValue())
}

// raw reads a value of any type and returns its text, as part of the reader's,
// with a pointer to where it stands.
func (r *reader) raw() (text []byte, at string, err error) {
	value, err := r.dec.ReadValue()
	if err != nil {
		return nil, "", r.fail(err)
	}
	end := r.dec.InputOffset()
	return r.text[end-int64(len(value)) : end], r.at + string(r.dec.StackPointer()), nil
}

// end fails unless the text ends here.
func (r *reader) end() error {
	if _, err := r.dec.ReadToken(); errors.Is(err, io.EOF) {
		return nil
	}
	return formatErrorf("something follows the JSON value, at byte %d", r.dec.InputOffset())
}
