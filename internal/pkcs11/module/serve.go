//go:build (darwin || linux || windows) && (amd64 || arm64)

package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
)

// Serve answers requests until there are no more. It takes standard input and output for itself. There is one session to a
// process. A module that then does not come back has the process ended: whoever started it may be gone and unable to.
func Serve(ctx context.Context) error {
	in, out, err := ownStreams()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // some modules know threads
	var s server
	defer s.end()
	for request := range requests(in) {
		if request.err != nil {
			return request.err
		}
		if err := pkcs11.WriteLine(out, s.response(&request.Request)); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// received is a request, or why there are no more.
type received struct {
	pkcs11.Request
	err error
}

// requests reads requests beside the module's work, which notices that way that there will be no more.
func requests(in *os.File) <-chan received {
	out := make(chan received)
	go func() {
		defer close(out)
		for lines := pkcs11.NewLines(in); ; {
			var r received
			r.err = lines.Read(&r.Request)
			if r.err != nil {
				time.AfterFunc(pkcs11.EndPatience, func() { os.Exit(exitHung) })
			}
			if errors.Is(r.err, io.EOF) {
				return
			}
			out <- r
			if r.err != nil {
				return
			}
		}
	}()
	return out
}

// exitHung is the exit status of a process that its module did not come back to.
const exitHung = 5

// response does what a request asks for.
func (s *server) response(r *pkcs11.Request) *pkcs11.Response {
	answer, err := s.answer(r)
	clear(r.PIN) // what a later login for one signature takes is a copy
	var failure *pkcs11.Failure
	switch {
	case errors.As(err, &failure):
		return &pkcs11.Response{Failure: failure}
	case err != nil:
		return &pkcs11.Response{Failure: fail(err)}
	}
	return answer
}

// server is a session on a token.
type server struct {
	library    *library
	open       bool // whether there is a session
	session    ulong
	loggedIn   bool
	key        ulong // the private key to sign with
	everySign  bool  // the key wants a login for each signature
	pin        []byte
	keypad     bool
	hasPrivate bool
}

// end logs out and leaves the module.
func (s *server) end() {
	clear(s.pin)
	if s.library == nil {
		return
	}
	if s.loggedIn {
		s.library.call(cLogout, s.session)
	}
	if s.open {
		s.library.call(cCloseSession, s.session)
	}
	s.library.call(cFinalize, nil)
}

// fail tells errors of modules apart.
func fail(err error) *pkcs11.Failure {
	var rv code
	errors.As(err, &rv)
	kind := pkcs11.KindFailed
	switch rv {
	case errPINIncorrect, errPINInvalid, errPINLenRange:
		kind = pkcs11.KindPIN
	case errPINLocked, errPINExpired, errPINNotInitialized:
		kind = pkcs11.KindLocked
	case errNotLoggedIn:
		kind = pkcs11.KindLogin
	}
	return &pkcs11.Failure{Kind: kind, Message: err.Error()}
}

func (s *server) answer(r *pkcs11.Request) (*pkcs11.Response, error) {
	switch {
	case r.Op == pkcs11.OpOpen && s.library == nil && r.URI != nil:
		return s.openToken(r.URI)
	case !s.open:
		return nil, errors.New("no token was opened")
	case r.Op == pkcs11.OpLogin:
		return new(pkcs11.Response), s.login(r.PIN)
	case r.Op == pkcs11.OpFind && r.URI != nil:
		return s.find(r)
	case r.Op == pkcs11.OpCertificates && r.URI != nil:
		return s.certificates(r)
	case r.Op == pkcs11.OpSign && s.hasPrivate:
		return s.sign(r.Digest)
	}
	return nil, fmt.Errorf("request %q is not understood here", r.Op)
}

// openToken loads the module and finds the one token that the URI means.
func (s *server) openToken(u *pkcs11.URI) (*pkcs11.Response, error) {
	if err := s.load(u); err != nil {
		return nil, &pkcs11.Failure{Kind: pkcs11.KindModule, Message: err.Error()}
	}
	found, err := s.token(u)
	if err != nil {
		return nil, err
	}
	const serialSession = 0x4
	handle := encoded(0)
	if err := s.library.call(cOpenSession, found.id, ulong(serialSession), nil, nil, handle); err != nil {
		return nil, fmt.Errorf("C_OpenSession: %w", err)
	}
	s.session, s.open = ulong(number(handle)), true
	s.keypad = found.flags&ckfProtectedPath != 0
	return &pkcs11.Response{Token: &pkcs11.Token{
		Module: u.ModulePath, Label: found.label, Serial: found.serial, Keypad: s.keypad,
		LoginRequired: found.flags&ckfLoginRequired != 0,
		FinalTry:      found.flags&ckfUserPINFinalTry != 0,
		Locked:        found.flags&ckfUserPINLocked != 0,
	}}, nil
}

// load loads the module, which must be the one that the URI means.
func (s *server) load(u *pkcs11.URI) error {
	library, err := load(u.ModulePath)
	if err != nil {
		return err
	}
	if err := library.call(cInitialize, nil); err != nil {
		return fmt.Errorf("C_Initialize: %w", err)
	}
	s.library = library
	manufacturer, description, version, err := library.info()
	if err != nil {
		return err
	}
	for _, pair := range [][2]string{{u.LibraryManufacturer, manufacturer}, {u.LibraryDescription, description}, {u.LibraryVersion, version}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return fmt.Errorf("it is %q of %q, version %s, which the URI does not mean", description, manufacturer, version)
		}
	}
	return nil
}

func (s *server) token(u *pkcs11.URI) (*slot, error) {
	slots, err := s.library.slots()
	if err != nil {
		return nil, err
	}
	var found []*slot
	var choices []string
	for i := range slots {
		if slots[i].matches(u) {
			found = append(found, &slots[i])
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	message := fmt.Sprintf("%d tokens match", len(found))
	if len(found) == 0 {
		message = fmt.Sprintf("there are %d others", len(slots))
		for i := range slots {
			found = append(found, &slots[i])
		}
	}
	for _, f := range found[:min(len(found), pkcs11.MaxChoices)] {
		choices = append(choices, f.String())
	}
	return nil, &pkcs11.Failure{Kind: pkcs11.KindToken, Message: message, Choices: choices}
}

// Kinds of users in C_Login.
const (
	ckuUser            ulong = 1
	ckuContextSpecific ulong = 2
)

func (s *server) login(pin []byte) error {
	if err := s.enter(ckuUser, pin); err != nil && !errors.Is(err, errAlreadyLoggedIn) {
		return fmt.Errorf("C_Login: %w", err)
	}
	s.loggedIn, s.pin = true, bytes.Clone(pin)
	return nil
}

// enter calls C_Login, with no PIN where it is entered on the token.
func (s *server) enter(user ulong, pin []byte) error {
	if s.keypad {
		pin = nil
	}
	return s.library.call(cLogin, s.session, user, pin, ulong(len(pin)))
}

// classes are the values of CKA_CLASS.
var classes = map[pkcs11.Class]ulong{pkcs11.Certificate: 1, pkcs11.Public: 2, pkcs11.Private: 3}

// matching finds the objects of a class: those with the id that the request has, if it has one, and else those with the URI's
// label and id.
func (s *server) matching(class pkcs11.Class, r *pkcs11.Request) ([]ulong, error) {
	if len(r.ID) > 0 {
		return s.objects(class, "", r.ID)
	}
	return s.objects(class, r.URI.Object, r.URI.ID)
}

func (s *server) objects(class pkcs11.Class, label string, id []byte) ([]ulong, error) {
	having := []attribute{{ckaClass, encoded(classes[class])}}
	if label != "" {
		having = append(having, attribute{ckaLabel, []byte(label)})
	}
	if len(id) > 0 {
		having = append(having, attribute{ckaID, slices.Clone(id)})
	}
	objects, err := s.library.objects(s.session, having...)
	if err != nil {
		return nil, fmt.Errorf("C_FindObjects: %w", err)
	}
	return objects, nil
}

// find finds one object.
func (s *server) find(r *pkcs11.Request) (*pkcs11.Response, error) {
	objects, err := s.matching(r.Class, r)
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 {
		return nil, s.noObject(r.Class, objects)
	}
	values, err := s.library.attributes(s.session, objects[0], ckaLabel, ckaID, ckaKeyType, ckaECParams, ckaECPoint, ckaAlwaysAuthenticate)
	if err != nil {
		return nil, fmt.Errorf("C_GetAttributeValue: %w", err)
	}
	if len(values[2]) != ulongSize {
		return nil, &pkcs11.Failure{Kind: pkcs11.KindObject, Message: "the object does not say of which type it is"}
	}
	if r.Class == pkcs11.Private {
		s.key, s.hasPrivate, s.everySign = objects[0], true, bytes.Equal(values[5], []byte{1})
	}
	return &pkcs11.Response{Object: &pkcs11.Object{
		Label: string(values[0]), ID: values[1], KeyType: number(values[2]), Params: values[3], Point: values[4],
	}}, nil
}

// noObject says that none matches, and lists those of the same class; or that several do, and lists them.
func (s *server) noObject(class pkcs11.Class, objects []ulong) error {
	message := fmt.Sprintf("%d objects of type %s match", len(objects), class)
	if len(objects) == 0 {
		message = fmt.Sprintf("no object of type %s matches", class)
		objects, _ = s.objects(class, "", nil)
	}
	var choices []string
	for _, o := range objects[:min(len(objects), pkcs11.MaxChoices)] {
		values, err := s.library.attributes(s.session, o, ckaLabel, ckaID)
		if err != nil {
			continue
		}
		choices = append(choices, fmt.Sprintf("object=%s;id=%s;type=%s", escape(string(values[0])), pkcs11.EscapeID(values[1]), class))
	}
	return &pkcs11.Failure{Kind: pkcs11.KindObject, Message: message, Choices: choices}
}

func (s *server) certificates(r *pkcs11.Request) (*pkcs11.Response, error) {
	objects, err := s.matching(pkcs11.Certificate, r)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 || len(objects) > pkcs11.MaxChoices {
		return nil, s.noObject(pkcs11.Certificate, objects)
	}
	answer := new(pkcs11.Response)
	for _, o := range objects {
		values, err := s.library.attributes(s.session, o, ckaValue)
		if err != nil {
			return nil, fmt.Errorf("C_GetAttributeValue: %w", err)
		}
		if len(values[0]) == 0 {
			return nil, &pkcs11.Failure{Kind: pkcs11.KindObject, Message: "the certificate is not on the token, or too large"}
		}
		answer.Certificates = append(answer.Certificates, values[0])
	}
	return answer, nil
}

// maxSignature is larger than any signature by ECDSA.
const maxSignature = 256

// ecdsaMechanism is CKM_ECDSA: it signs a digest as it is.
const ecdsaMechanism = 0x1041

func (s *server) sign(digest []byte) (*pkcs11.Response, error) {
	if len(digest) == 0 {
		return nil, errors.New("nothing to sign")
	}
	if s.everySign && s.pin == nil && !s.keypad {
		return nil, &pkcs11.Failure{Kind: pkcs11.KindLogin, Message: "the key wants its PIN for each signature, and there is none that was not refused"}
	}
	// CK_MECHANISM: the mechanism, a parameter that is NULL, and its length.
	mechanism := make([]byte, 24)
	copy(mechanism, encoded(ecdsaMechanism))
	if err := s.library.call(cSignInit, s.session, mechanism, s.key); err != nil {
		return nil, fmt.Errorf("C_SignInit: %w", err)
	}
	if s.everySign { // the PIN was right before, or else this is its one try
		if err := s.enter(ckuContextSpecific, s.pin); err != nil {
			clear(s.pin)
			s.pin = nil
			return nil, fmt.Errorf("C_Login for the signature: %w", err)
		}
	}
	signature, size := make([]byte, maxSignature), encoded(maxSignature)
	if err := s.library.call(cSign, s.session, digest, ulong(len(digest)), signature, size); err != nil {
		return nil, fmt.Errorf("C_Sign: %w", err)
	}
	return &pkcs11.Response{Signature: signature[:min(number(size), maxSignature)]}, nil
}
