package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// What callers tell apart. The Hub hides whether a repository is private or not
// there from those who may not read it.
var (
	ErrRepoNotFound     = errors.New("no such repository, or a private one that the token may not read")
	ErrRevisionNotFound = errors.New("no such revision")
	ErrEntryNotFound    = errors.New("no such file")
	ErrGated            = errors.New("access to the repository has to be asked for on its page")
	ErrUnauthorized     = errors.New("the token is not accepted")
	ErrOffline          = errors.New("the network is switched off (HF_HUB_OFFLINE)")
	ErrRedirect         = errors.New("refused redirect")
)

// StatusError is an answer other than success.
type StatusError struct {
	Status int
	// Code is the Hub's own word for it, X-Error-Code; "" where there is none.
	Code string
	// Message is the Hub's sentence on it, in one line that may be printed.
	Message string
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("HTTP status %d", e.Status)
	if text := http.StatusText(e.Status); text != "" {
		s += " (" + text + ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// failure reads why the server did not do what was asked. Only the endpoint may
// say that something of the Hub is not there: a host of contents knows nothing of it.
func (c *Client) failure(resp *http.Response, atHome bool) error {
	e := &StatusError{Status: resp.StatusCode}
	if !atHome {
		return e
	}
	e.Code = plain.Line(resp.Header.Get("X-Error-Code"))
	e.Message = plain.Line(c.env.Token.censor(resp.Header.Get("X-Error-Message")))
	if err := c.meaning(e); err != nil {
		return fmt.Errorf("%w: %w", err, e)
	}
	return e
}

func (c *Client) meaning(e *StatusError) error {
	switch {
	case e.Code == "RevisionNotFound":
		return ErrRevisionNotFound
	case e.Code == "EntryNotFound":
		return ErrEntryNotFound
	case e.Code == "GatedRepo":
		return ErrGated
	case e.Status == http.StatusUnauthorized && strings.HasPrefix(e.Message, "Invalid credentials"):
		return ErrUnauthorized
	case e.Code == "RepoNotFound", e.Status == http.StatusUnauthorized:
		if c.env.Token.IsSet() && !c.sendsToken() {
			return fmt.Errorf("%w (the token is not sent over http)", ErrRepoNotFound)
		}
		return ErrRepoNotFound
	}
	return nil
}

// address is an address as errors name it: the query may hold a signature that
// opens a file to everybody, or a cursor of no use to a reader.
func address(u *url.URL) string {
	return plain.Line((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String())
}

// cause takes the address out of the errors of net/http, which quote it whole.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// jsonError is a parser's error as one line: it quotes what it could not parse.
func jsonError(err error) error { return errors.New(plain.Line(err.Error())) }
