package sigstore

import (
	"fmt"
	"net/http"

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
	return &StatusError{Code: a.StatusCode, Status: a.Status, Body: wire.Said(a.Header, body)}
}

func (e *StatusError) Error() string {
	if e.Body == "" {
		return "it answered " + plain.Line(e.Status)
	}
	return fmt.Sprintf("it answered %s: %s", plain.Line(e.Status), e.Body)
}
