package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Errors that callers tell apart.
var (
	// ErrModule: the module is not there, or is none.
	ErrModule = errors.New("no usable PKCS #11 module")
	// ErrToken: no token, or more than one, is what the URI names. The error is a *NoMatchError.
	ErrToken = errors.New("URI does not name exactly one token")
	// ErrObject: no object, or more than one, is what the URI names. The error is a *NoMatchError.
	ErrObject = errors.New("URI does not name exactly one object")
	// ErrPIN: the PIN is wrong, or there is none.
	ErrPIN = errors.New("wrong PIN")
	// ErrLocked: the token lets nobody in, or would not after one more wrong PIN.
	ErrLocked = errors.New("token is locked")
)

// NoMatchError says that a URI does not name exactly one thing, and what there is.
type NoMatchError struct {
	Err     error // ErrToken or ErrObject, with what was looked for
	Choices []string
}

func (e *NoMatchError) Error() string { return e.Err.Error() }
func (e *NoMatchError) Unwrap() error { return e.Err }

// Options are what opening a session may need.
type Options struct {
	// PIN asks for the PIN of the token with this label, where the URI has none. last says that a wrong one would be the last.
	PIN func(ctx context.Context, label string, last bool) ([]byte, error)
	// Keypad is called before the token with this label asks for its PIN on a keypad of its own.
	Keypad func(label string)
	// Helper is the path of the helper program; by default it is looked for.
	Helper string
	// Patience is how long the module may take for one request; by default it is five minutes.
	Patience time.Duration
}

// Session is a session with the token that a URI names. It is for one goroutine.
type Session struct {
	uri    *URI
	token  Token
	helper *helper
	o      Options
	tried  bool  // whether the PIN was
	login  error // and how that went
}

// Open loads the URI's module in a helper program and finds the token. Nobody is logged in yet.
func Open(ctx context.Context, u *URI, o Options) (*Session, error) {
	resolved := *u
	var err error
	if resolved.ModulePath, err = modulePath(u); err != nil {
		return nil, err
	}
	if o.Helper == "" {
		if o.Helper, err = findHelper(); err != nil {
			return nil, err
		}
	}
	h, err := startHelper(ctx, o.Helper, cmp.Or(o.Patience, defaultPatience))
	if err != nil {
		return nil, err
	}
	s := &Session{uri: &resolved, helper: h, o: o}
	answer, err := s.ask(ctx, Request{Op: OpOpen, URI: &resolved})
	if err == nil && (answer.Token == nil || len(answer.Token.Label) > maxLabel) {
		err = fmt.Errorf("%w: it names no token", ErrFailed)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.token = *answer.Token
	return s, nil
}

// maxLabel is longer than the label of any token, in bytes: PKCS #11 has room for 32, each of which may become three.
const maxLabel = 96

// Close logs out and ends the helper.
func (s *Session) Close() { s.helper.close() }

// Describe names the token for people, safe to print.
func (s *Session) Describe() string { return "token " + plain.Name(s.token.Label) }

// ask asks the helper, and gives its failures their names.
func (s *Session) ask(ctx context.Context, r Request) (*Response, error) {
	answer, err := s.helper.ask(ctx, r)
	var failure *Failure
	if !errors.As(err, &failure) {
		if errors.Is(err, ErrFailed) {
			return nil, fmt.Errorf("module %s: %w", plain.Quote(s.uri.ModulePath), err)
		}
		return answer, err
	}
	text := plain.Line(failure.Message)
	switch failure.Kind {
	case KindToken:
		return nil, &NoMatchError{fmt.Errorf("%w: %s: %s (module %s)", ErrToken, s.uri.DescribeToken(), text, plain.Quote(s.uri.ModulePath)), printable(failure.Choices)}
	case KindObject:
		return nil, &NoMatchError{fmt.Errorf("%w: %s on %s: %s", ErrObject, s.uri.DescribeObject(), s.Describe(), text), printable(failure.Choices)}
	case KindPIN:
		return nil, fmt.Errorf("%w for %s: %s; it was not tried again", ErrPIN, s.Describe(), text)
	case KindLocked:
		return nil, fmt.Errorf("%w: %s: %s", ErrLocked, s.Describe(), text)
	case KindFailed:
		return nil, fmt.Errorf("module %s: %w: %s", plain.Quote(s.uri.ModulePath), ErrFailed, text)
	case KindLogin:
		return nil, fmt.Errorf("%w: %s wants a login: %s", ErrPIN, s.Describe(), text)
	}
	return nil, fmt.Errorf("%w: %s: %s", ErrModule, plain.Quote(s.uri.ModulePath), text)
}

func printable(choices []string) []string {
	var out []string
	for _, c := range choices[:min(len(choices), MaxChoices)] {
		out = append(out, plain.Line(c))
	}
	return out
}

// Key is a private key on a token.
type Key struct {
	session *Session
	public  *ecdsa.PublicKey
}

// PrivateKey logs in where the token wants that, and finds the private key that the URI names.
func (s *Session) PrivateKey(ctx context.Context) (*Key, error) {
	if err := s.wantType(Private); err != nil {
		return nil, err
	}
	if !s.tried {
		s.tried, s.login = true, s.enter(ctx)
	}
	if s.login != nil {
		return nil, s.login
	}
	private, err := s.find(ctx, Private, nil)
	if err != nil {
		return nil, err
	}
	public, err := s.publicHalf(ctx, private)
	if err != nil {
		return nil, err
	}
	return &Key{session: s, public: public}, nil
}

// publicHalf is the public key of a private one: of the object itself, of the public key with its id, as with most modules, or
// of the certificate with its id, as on many smart cards.
func (s *Session) publicHalf(ctx context.Context, private *Object) (*ecdsa.PublicKey, error) {
	half := private
	if len(half.Point) == 0 && half.KeyType == keyTypeEC {
		var err error
		if half, err = s.find(ctx, Public, private.ID); errors.Is(err, ErrObject) {
			if public, err := s.certified(ctx, private.ID); public != nil || err != nil {
				return public, err
			}
		}
		if err != nil {
			return nil, fmt.Errorf("public half of the private key: %w", err)
		}
	}
	public, err := half.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", s.Describe(), s.uri.DescribeObject(), err)
	}
	return public, nil
}

// certified is the public key of the one certificate with an id, or nil. Whether it is the private key's as well, the first
// signature shows.
func (s *Session) certified(ctx context.Context, id []byte) (*ecdsa.PublicKey, error) {
	if len(id) == 0 {
		return nil, nil
	}
	answer, err := s.ask(ctx, Request{Op: OpCertificates, URI: s.uri, ID: id})
	if errors.Is(err, ErrObject) || err == nil && len(answer.Certificates) != 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(answer.Certificates[0])
	if err != nil {
		return nil, nil
	}
	public, _ := cert.PublicKey.(*ecdsa.PublicKey)
	return public, nil
}

// Certificates returns the certificates, in DER, that the URI names, without a login. There is at least one.
func (s *Session) Certificates(ctx context.Context) ([][]byte, error) {
	if err := s.wantType(Certificate); err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, Request{Op: OpCertificates, URI: s.uri})
	if err != nil {
		return nil, err
	}
	if len(answer.Certificates) == 0 {
		return nil, fmt.Errorf("module %s: %w: it finds nothing", plain.Quote(s.uri.ModulePath), ErrFailed)
	}
	return answer.Certificates, nil
}

// wantType refuses a URI whose type is another than the one that is needed.
func (s *Session) wantType(want Class) error {
	if s.uri.Type != "" && s.uri.Type != want {
		return fmt.Errorf("%w: its type is %s, expected %s", ErrURI, s.uri.Type, want)
	}
	return nil
}

func (s *Session) find(ctx context.Context, class Class, id []byte) (*Object, error) {
	answer, err := s.ask(ctx, Request{Op: OpFind, URI: s.uri, Class: class, ID: id})
	if err != nil {
		return nil, err
	}
	if answer.Object == nil {
		return nil, fmt.Errorf("module %s: %w: it finds nothing", plain.Quote(s.uri.ModulePath), ErrFailed)
	}
	return answer.Object, nil
}

// enter gives the token its PIN. A PIN that nobody types is not tried where it could be the one that locks the token.
func (s *Session) enter(ctx context.Context) error {
	if !s.token.LoginRequired {
		return nil
	}
	if s.token.Locked {
		return fmt.Errorf("%w: %s: too many wrong PINs were given", ErrLocked, s.Describe())
	}
	var pin []byte
	if s.token.Keypad {
		if s.o.Keypad != nil {
			s.o.Keypad(s.token.Label)
		}
	} else {
		var err error
		if pin, err = s.findPIN(ctx); err != nil {
			return err
		}
		defer clear(pin)
		if len(pin) == 0 {
			return fmt.Errorf("%w for %s: it is empty, and was not tried", ErrPIN, s.Describe())
		}
	}
	_, err := s.ask(ctx, Request{Op: OpLogin, PIN: pin})
	return err
}

// findPIN is the URI's PIN, or else the caller's.
func (s *Session) findPIN(ctx context.Context) ([]byte, error) {
	stored := s.uri.PINValue != "" || s.uri.PINSource != ""
	switch {
	case stored && s.token.FinalTry:
		return nil, fmt.Errorf("%w: %s: one more wrong PIN would lock it, so the URI's is not tried", ErrLocked, s.Describe())
	case s.uri.PINValue != "":
		return []byte(s.uri.PINValue), nil
	case s.uri.PINSource != "":
		return readPIN(s.uri.PINSource)
	case s.o.PIN == nil:
		return nil, fmt.Errorf("%w for %s: there is none", ErrPIN, s.Describe())
	}
	return s.o.PIN(ctx, s.token.Label, s.token.FinalTry)
}

// maxPIN is the longest PIN that is read from a file, in bytes.
const maxPIN = 1024

// readPIN reads a PIN file. The line feed that editors leave at its end is no part of the PIN. What cannot have been typed as
// one is not tried: it would use up one of the few tries.
func readPIN(name string) ([]byte, error) {
	b, err := bounded.ReadFile(name, maxPIN)
	if err != nil {
		return nil, fmt.Errorf("reading the PIN: %w", err)
	}
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return unicode.IsControl(r) || r == byteOrderMark }) {
		clear(b)
		return nil, fmt.Errorf("%w: %s holds more than one line, or what is no text, and was not tried", ErrPIN, plain.Quote(name))
	}
	return b, nil
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = '\ufeff'

// Public returns the public half.
func (k *Key) Public() crypto.PublicKey { return k.public }

// SignDigest signs a digest on the token, and returns the signature in ASN.1. It has not been verified.
func (k *Key) SignDigest(ctx context.Context, digest []byte) ([]byte, error) {
	answer, err := k.session.ask(ctx, Request{Op: OpSign, Digest: digest})
	if err != nil {
		return nil, err
	}
	signature, err := encodeSignature(k.public, answer.Signature)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w: %w", plain.Quote(k.session.uri.ModulePath), ErrFailed, err)
	}
	return signature, nil
}

// modulePath is the file of the module that a URI names.
func modulePath(u *URI) (string, error) {
	switch {
	case u.ModulePath != "":
		info, err := os.Stat(u.ModulePath)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrModule, err)
		}
		if !info.Mode().IsRegular() {
			return "", fmt.Errorf("%w: %s is not a regular file", ErrModule, plain.Quote(u.ModulePath))
		}
		return u.ModulePath, nil
	case u.ModuleName != "":
		return findModule(u.ModuleName)
	}
	return "", fmt.Errorf("%w: the URI names none", ErrModule)
}

// findModule finds the file of a module-name in the system's folders.
func findModule(name string) (string, error) {
	folders, err := moduleFolders()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrModule, err)
	}
	names := moduleNames(name)
	for _, dir := range folders {
		for _, file := range names {
			path := filepath.Join(dir, file)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%w: %s is in none of %s", ErrModule, strings.Join(names, " or "), strings.Join(folders, ", "))
}
