package pkcs11

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	strict "github.com/go-json-experiment/json"
)

// The operations of a helper, in the order in which they may come.
const (
	OpOpen         = "open"         // load the module, find the token and open a session: URI
	OpLogin        = "login"        // PIN, or none where the token has a keypad
	OpFind         = "find"         // find one object: Class, URI of OpOpen
	OpCertificates = "certificates" // find every certificate that matches
	OpSign         = "sign"         // ECDSA over Digest by the private key that OpFind has found
)

// Request is a line that is sent to a helper.
type Request struct {
	Op     string `json:"op"`
	URI    *URI   `json:"uri,omitempty"`
	Class  Class  `json:"class,omitempty"`
	ID     []byte `json:"id,omitempty"` // the object's id, whatever the URI says
	PIN    []byte `json:"pin,omitempty"`
	Digest []byte `json:"digest,omitempty"`
}

// Response is the line that a helper answers. Exactly one member is set, but for OpLogin, where none is.
type Response struct {
	Failure      *Failure `json:"failure,omitempty"`
	Token        *Token   `json:"token,omitempty"`
	Object       *Object  `json:"object,omitempty"`
	Certificates [][]byte `json:"certificates,omitempty"`
	Signature    []byte   `json:"signature,omitempty"` // r and s, each half of it
}

// Token says what a token is and what it asks for.
type Token struct {
	Module        string `json:"module"` // the file
	Label         string `json:"label"`
	Serial        string `json:"serial"`
	LoginRequired bool   `json:"loginRequired"`
	Keypad        bool   `json:"keypad"`   // the PIN is entered on the token
	FinalTry      bool   `json:"finalTry"` // one more wrong PIN locks the token
	Locked        bool   `json:"locked"`
}

// Object is a key, with what its public half can be made of.
type Object struct {
	Label   string `json:"label"`
	ID      []byte `json:"id"`
	KeyType uint64 `json:"keyType"`          // CKA_KEY_TYPE
	Params  []byte `json:"params,omitempty"` // CKA_EC_PARAMS
	Point   []byte `json:"point,omitempty"`  // CKA_EC_POINT
}

// Kind tells failures of a helper apart.
type Kind string

// The failures of a helper.
const (
	KindModule Kind = "module" // the module cannot be loaded, or is not the one that is meant
	KindFailed Kind = "failed" // the module, or its token, fails
	KindToken  Kind = "token"  // no token matches, or several
	KindObject Kind = "object" // no object matches, or several
	KindPIN    Kind = "pin"    // the PIN is wrong
	KindLocked Kind = "locked" // the token lets nobody in any more
	KindLogin  Kind = "login"  // the object needs a login
)

// MaxChoices is how many tokens or objects are listed where none matches, or several do.
const MaxChoices = 20

// Failure is why a helper could not do what it was asked.
type Failure struct {
	Kind    Kind     `json:"kind"`
	Message string   `json:"message"`
	Choices []string `json:"choices,omitempty"` // what there is instead, as attributes of a URI
}

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// maxLine is the longest line of the protocol, in bytes: a hundred certificates.
const maxLine = 1 << 20

// errTooLong says that a line of the protocol does not end.
var errTooLong = fmt.Errorf("a line of more than %d bytes", maxLine)

// Lines reads the protocol's lines.
type Lines struct{ scanner *bufio.Scanner }

// NewLines reads lines from r.
func NewLines(r io.Reader) *Lines {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	return &Lines{s}
}

// Read reads a line into v, or returns io.EOF where there are no more.
func (l *Lines) Read(v any) error {
	if !l.scanner.Scan() {
		if err := l.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
			return errTooLong
		} else if err != nil {
			return err
		}
		return io.EOF
	}
	defer clear(l.scanner.Bytes()) // a PIN may be in it
	return strict.Unmarshal(l.scanner.Bytes(), v, strict.RejectUnknownMembers(true))
}

// WriteLine writes v as a line.
func WriteLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	defer clear(b)
	_, err = w.Write(b)
	return err
}
