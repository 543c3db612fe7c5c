package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	requestTimeout = 60 * time.Second
	maxTries       = 4
	maxPause       = 60 * time.Second
)

// errNotThere is wrapped by errors about an address that a log does not know.
var errNotThere = errors.New("not there")

// errTooLarge is wrapped by errors about an answer with more bytes than are read.
var errTooLarge = errors.New("its answer is too large")

// ErrUnavailable is wrapped by errors about a log that does not answer, or not with what was asked for.
var ErrUnavailable = errors.New("the log cannot be read")

// Client asks logs over HTTP. Its zero value is ready to use.
type Client struct {
	// UserAgent is what requests say that they come from.
	UserAgent string
	// Transport sends requests; http.DefaultTransport if nil.
	Transport http.RoundTripper
	// Timeout is how long one request may take, with its answer. A minute if zero.
	Timeout time.Duration
	// Pause is how long to wait before the first repetition of a request that was answered by 429 or 5xx, or not at all. It
	// doubles each time. One second if zero.
	Pause time.Duration
}

// get returns at most limit bytes that are at an address.
func (c *Client) get(ctx context.Context, address string, limit int64) ([]byte, error) {
	return c.do(ctx, http.MethodGet, address, "", limit)
}

// do sends a request, again after a while if the log is busy or broken, and returns the answer, which may have limit bytes.
// Reading can be repeated: nothing here changes a log.
func (c *Client) do(ctx context.Context, method, address, body string, limit int64) ([]byte, error) {
	pause := c.Pause
	if pause == 0 {
		pause = time.Second
	}
	for try := 1; ; try++ {
		answer, again, err := c.once(ctx, method, address, body, limit)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if again < 0 || try == maxTries {
			return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, plain.Name(address), err)
		}
		// Somewhat more or less, so that many who were turned away at once do not come back at once.
		wait := max(again, pause/2+rand.N(pause))
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(min(wait, maxPause)):
		}
		pause *= 2
	}
}

// once sends a request once. After an error, again is for how long the log wants to be left alone, negative where it makes no
// sense to ask again.
func (c *Client) once(ctx context.Context, method, address, body string, limit int64) (answer []byte, again time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, -1, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json")
	}
	if c.UserAgent != "" {
		request.Header.Set("User-Agent", c.UserAgent)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = requestTimeout
	}
	client := http.Client{Transport: c.Transport, Timeout: timeout, CheckRedirect: sameScheme}
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, errors.New(plain.Line(err.Error()))
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusOK:
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		return nil, -1, fmt.Errorf("%w: it answered %s", errNotThere, plain.Line(response.Status))
	case status == http.StatusTooManyRequests, status >= 500:
		return nil, retryAfter(response), fmt.Errorf("it answered %s", plain.Line(response.Status))
	default:
		return nil, -1, fmt.Errorf("it answered %s", plain.Line(response.Status))
	}
	answer, err = io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case err != nil:
		return nil, 0, errors.New(plain.Line(err.Error()))
	case int64(len(answer)) > limit:
		return nil, -1, fmt.Errorf("%w: it has more than %d bytes", errTooLarge, limit)
	}
	return answer, 0, nil
}

// sameScheme refuses a redirect out of TLS, and a circle of them.
func sameScheme(next *http.Request, before []*http.Request) error {
	if len(before) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if before[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errors.New("a redirect from https to " + next.URL.Scheme)
	}
	return nil
}

// retryAfter is for how long a log wants to be left alone, 0 where it does not say.
func retryAfter(r *http.Response) time.Duration {
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, maxPause)
}
