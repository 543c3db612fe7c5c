package sigstore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

// StatusError is an answer by which a service says that it does not do what was asked for.
type StatusError struct {
	Code   int
	Status string // as "503 Service Unavailable"
	Body   string // what it says about that, as one printable line
}

// NewStatusError is what an answer says whose body has been read.
func NewStatusError(a *http.Response, body []byte) *StatusError {
	return &StatusError{Code: a.StatusCode, Status: a.Status, Body: said(a.Header, body)}
}

func (e *StatusError) Error() string {
	if e.Body == "" {
		return "it answered " + plain.Line(e.Status)
	}
	return fmt.Sprintf("it answered %s: %s", plain.Line(e.Status), e.Body)
}

// said is the message of an answer: Sigstore's services put it into JSON. A page is for browsers and usually a proxy's.
func said(header http.Header, body []byte) string {
	var message struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &message) == nil && message.Message != "" {
		return plain.Line(wire.Redact(message.Message))
	}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") || strings.HasPrefix(text, "<") {
		return "a page for browsers"
	}
	return plain.Line(wire.Redact(text))
}
