package wire

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Said is what a service says in the body of an answer, as one printable line: most put a message into JSON. A page is for
// browsers, and usually a proxy's.
func Said(header http.Header, body []byte) string {
	var message struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &message) == nil && message.Message != "" {
		return plain.Line(Redact(message.Message))
	}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") || strings.HasPrefix(text, "<") {
		return "a page for browsers"
	}
	return plain.Line(Redact(text))
}
