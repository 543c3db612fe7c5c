package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/wire"
)

const (
	// maxAnswer is the largest answer that is read, in bytes.
	maxAnswer = 1 << 20
	// requestTimeout is how long one request may take.
	requestTimeout = 20 * time.Second
	// tries is how often something is asked for that could not be had; to get a token leaves no trace.
	tries = 3
)

// errForm: an answer of another form than the platform documents.
var errForm = errors.New("its answer is none that holds a token")

// statusError is an answer that is no token.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// request is how something is asked for. It is made anew for each try.
type request struct {
	make func(context.Context) (*http.Request, error)
	// secret is what stands in the request and is never repeated.
	secret string
	// check says whether an answer is of the right form; it may be nil.
	check func(body []byte) bool
	// direct leaves proxies out: a metadata server is on this very machine.
	direct bool
}

// ask sends a request, again if that may help, and returns the answer.
func (e Environment) ask(ctx context.Context, r request) ([]byte, error) {
	pause := e.Pause
	if pause == 0 {
		pause = time.Second
	}
	for try := 1; ; try++ {
		body, err := r.send(ctx)
		if err == nil {
			return body, nil
		}
		var status *statusError
		final := errors.As(err, &status) && status.code < 500 && status.code != http.StatusTooManyRequests || errors.Is(err, errForm)
		if final || try == tries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause * time.Duration(try)):
		}
	}
}

// askToken is ask for an answer in JSON that has a token as its member.
func (e Environment) askToken(ctx context.Context, r request, member string) (string, error) {
	var answer map[string]jsontext.Value
	r.check = func(body []byte) bool { return json.Unmarshal(body, &answer) == nil }
	if _, err := e.ask(ctx, r); err != nil {
		return "", err
	}
	var token string
	if json.Unmarshal(answer[member], &token) != nil || token == "" {
		return "", fmt.Errorf("%w in the answer", ErrNoToken)
	}
	return token, nil
}

func (r request) send(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	made, err := r.make(ctx)
	if err != nil {
		return nil, err
	}
	address := made.URL.Scheme + "://" + made.URL.Host + made.URL.Path
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if r.direct {
		client.Transport = &http.Transport{DisableKeepAlives: true}
	}
	a, err := client.Do(made)
	if err != nil {
		return nil, unanswered("asking", address, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, unanswered("reading the answer of", address, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s has more than %d bytes", plain.Line(address), maxAnswer)
	case a.StatusCode != http.StatusOK:
		text := fmt.Sprintf("%s answered %s: %s", plain.Line(address), plain.Line(a.Status), wire.Said(a.Header, body))
		return nil, &statusError{a.StatusCode, wire.Redact(text, r.secret)}
	case r.check != nil && !r.check(body):
		return nil, &Error{Err: fmt.Errorf("%s: %w", plain.Line(address), errForm), Hint: (&statusError{}).hint()}
	}
	return body, nil
}

// unanswered says why there is no answer. What the client says may repeat the URL with its query, or a proxy's password.
func unanswered(doing, address string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var hint string
	if failure := wire.Explain(err); failure != nil {
		err, hint = failure, failure.Hint
	}
	return &Error{Err: fmt.Errorf("%s %s: %w", doing, plain.Line(address), err), Hint: hint}
}

// hint says what to do about an answer that is no token.
func (e *statusError) hint() string {
	switch {
	case e.code == http.StatusTooManyRequests || e.code >= 500:
		return "the platform has trouble: run the job again later"
	case e.code == http.StatusUnauthorized || e.code == http.StatusForbidden:
		return "may this job ask for a token still? It may be over, or lack the permission"
	}
	return "something else may have answered in the platform's place: look at the address"
}

// confidential parses a URL that a secret is sent to: https, or a server on this machine.
func confidential(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("its address is not a URL")
	}
	if u.Host == "" || !wire.Confidential(u) {
		return nil, fmt.Errorf("its address %s is not https", plain.Quote(u.Scheme+"://"+u.Host))
	}
	return u, nil
}
