package sigstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer is the largest answer of a service that is read, in bytes.
const maxAnswer = 8 << 20

// Transport returns a transport for the HTTP clients of sigstore-go and go-tuf, which lack what it adds: requests end with
// ctx, say userAgent, and their answers are bounded. An answer of 5xx or 429 becomes a *StatusError, since sigstore-go would
// lose both the status and the reason; it is never tried again.
func Transport(ctx context.Context, userAgent string) http.RoundTripper {
	return &transport{ctx, userAgent}
}

type transport struct {
	ctx       context.Context
	userAgent string
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // the answer is read below, so nothing needs the context afterwards
	defer context.AfterFunc(t.ctx, cancel)()
	r = r.Clone(ctx)
	if t.userAgent != "" {
		r.Header.Set("User-Agent", t.userAgent)
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, t.cause(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, t.cause(err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	case a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests:
		return nil, NewStatusError(a, body)
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, nil
}

// cause prefers the reason why everything was given up to the one that follows from it.
func (t *transport) cause(err error) error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return err
}
