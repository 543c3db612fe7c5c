package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxRedirects = 10
	// maxIdle is how long a connection may be silent, and how long it may take over
	// leastBytes: a byte now and then is silence too.
	maxIdle    = 30 * time.Second
	leastBytes = 512
	// maxAnswering is how long an answer of the API may take to arrive, so that
	// nobody keeps us by sending it a byte at a time.
	maxAnswering = 5 * time.Minute
)

// maxFinish is how much of an unwanted answer is read, in bytes.
const maxFinish = 2 << 10

var (
	errIdle = fmt.Errorf("nothing came for %s, or next to nothing", maxIdle)
	errSlow = fmt.Errorf("the answer did not arrive within %s", maxAnswering)
)

// exchange is a request with the redirects that it led to.
type exchange struct {
	*http.Response
	url    *url.URL // where the answer came from
	etag   string   // what the endpoint called the file
	commit string   // which commit it said that the file is of
	size   int64    // how large it said that the file is; -1
	atHome bool     // the answer is the endpoint's own
	body   *watched // Response.Body, under the watch for silence
}

// send makes a request of the endpoint and follows its redirects: anywhere for
// contents, else within the endpoint. The token is sent to the endpoint only, and
// not any more once a redirect has led away from there.
func (c *Client) send(ctx context.Context, u *url.URL, header http.Header, contents bool) (*exchange, error) {
	x := &exchange{url: u, size: -1, atHome: true}
	for range maxRedirects + 1 {
		if err := c.sendOnce(ctx, x, header); err != nil {
			return nil, fmt.Errorf("%s: %w", address(x.url), err)
		}
		if x.atHome {
			x.describe()
		}
		if !isRedirect(x.StatusCode) {
			return x, nil
		}
		x.body.finish()
		next, err := c.redirect(x, contents)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", address(x.url), err)
		}
		x.atHome = x.atHome && origin(next) == origin(c.base)
		x.url = next
	}
	return nil, fmt.Errorf("%s: %w: more than %d in a row", address(u), ErrRedirect, maxRedirects)
}

// sendOnce makes a request where the exchange is now.
func (c *Client) sendOnce(ctx context.Context, x *exchange, header http.Header) error {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.url.String(), nil)
	if err != nil {
		cancel(nil)
		return cause(err)
	}
	req.Header = header.Clone()
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if x.atHome && c.sendsToken() {
		req.Header.Set("Authorization", "Bearer "+*c.env.Token.secret)
	}
	silence := time.AfterFunc(maxIdle, func() { cancel(errIdle) })
	resp, err := c.transport.RoundTrip(req)
	silence.Stop()
	if err != nil {
		err = because(ctx, err)
		cancel(nil)
		return err
	}
	x.Response = resp
	x.body = &watched{body: resp.Body, ctx: ctx, cancel: cancel, silence: silence}
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		x.body.Close()
		return errEncoded
	}
	return nil
}

// errEncoded is a body in a form that was not asked for.
var errEncoded = errors.New("the answer is compressed, which was not asked for")

// describe takes what the endpoint says of a file before it leads elsewhere.
func (x *exchange) describe() {
	etag := x.Header.Get("X-Linked-Etag")
	if etag == "" {
		etag = x.Header.Get("ETag")
	}
	if etag != "" {
		x.etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	}
	if n, ok := parseSize(x.Header.Get("X-Linked-Size")); ok {
		x.size = n
	}
	if c := x.Header.Get("X-Repo-Commit"); c != "" {
		x.commit = c
	}
}

func isRedirect(status int) bool {
	return slices.Contains([]int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, status)
}

// redirect is where an answer leads, if that may be followed.
func (c *Client) redirect(x *exchange, contents bool) (*url.URL, error) {
	location := x.Header.Get("Location")
	next, err := x.url.Parse(location)
	if location == "" || err != nil {
		return nil, fmt.Errorf("%w: it leads to no address", ErrRedirect)
	}
	if !contents {
		next = c.rebase(next)
	}
	next.Fragment, next.RawFragment = "", ""
	switch {
	case next.User != nil || next.Hostname() == "" || next.Scheme != "http" && next.Scheme != "https":
		return nil, fmt.Errorf("%w to %s: expected an address of scheme https without a user", ErrRedirect, address(next))
	case next.Scheme == "http" && x.url.Scheme == "https":
		return nil, fmt.Errorf("%w to %s: from https to http", ErrRedirect, address(next))
	case !contents && origin(next) != origin(c.base):
		return nil, fmt.Errorf("%w to %s: the API is only asked at %s", ErrRedirect, address(next), c.env.Endpoint)
	}
	return next, nil
}

// rebase leads an address of the Hub back to the endpoint, where that is a mirror
// which hands on what the Hub says.
func (c *Client) rebase(u *url.URL) *url.URL {
	hub, _ := url.Parse(DefaultEndpoint)
	if origin(u) != origin(hub) || origin(c.base) == origin(hub) {
		return u
	}
	v := *c.base
	v.Path, v.RawPath, v.RawQuery = c.base.Path+u.Path, c.base.EscapedPath()+u.EscapedPath(), u.RawQuery
	return &v
}

// watched is a body whose connection may not be silent while it is read.
type watched struct {
	body    io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	silence *time.Timer
	waited  time.Duration // for the last got bytes, fewer than leastBytes
	got     int
}

func (w *watched) Read(p []byte) (int, error) {
	began := time.Now()
	w.silence.Reset(maxIdle - w.waited)
	n, err := w.body.Read(p)
	w.silence.Stop()
	w.waited += time.Since(began)
	if w.got += n; w.got >= leastBytes {
		w.got, w.waited = 0, 0
	}
	if err != nil && err != io.EOF {
		err = because(w.ctx, err)
	}
	return n, err
}

// finish closes a body of which nothing is wanted, after reading it where that is
// little: the connection can then be taken again.
func (w *watched) finish() {
	_, _ = io.CopyN(io.Discard, w, maxFinish)
	w.Close()
}

func (w *watched) Close() error {
	w.silence.Stop()
	w.cancel(nil)
	return w.body.Close()
}

// because is why a connection failed: the end of its context, where that is the reason.
func because(ctx context.Context, err error) error {
	switch c := context.Cause(ctx); c {
	case nil:
		return &broken{cause(err)}
	case errIdle, errSlow:
		return c
	}
	return ctx.Err()
}

// answer is what the API said.
type answer struct {
	url    *url.URL
	header http.Header
	body   []byte
}

// wrong says that the answer is not what the API would say.
func (a *answer) wrong(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{address(a.url)}, args...)...)
}

// ask asks the API a question, which is the rest of an address below the endpoint.
func (c *Client) ask(ctx context.Context, question string, p *patience) (*answer, error) {
	u, err := c.at(question)
	if err != nil {
		return nil, err
	}
	return c.askAt(ctx, u, p)
}

// at is an address below the endpoint, where there may be a request.
func (c *Client) at(path string) (*url.URL, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case c.env.Offline:
		return nil, ErrOffline
	}
	u, err := url.Parse(c.base.String() + path)
	return u, cause(err)
}

// askAt is ask at a whole address, which must be the endpoint's.
func (c *Client) askAt(ctx context.Context, u *url.URL, p *patience) (*answer, error) {
	var a *answer
	return a, p.try(ctx, func() (err error) {
		a, err = c.askOnce(ctx, u)
		return err
	})
}

func (c *Client) askOnce(ctx context.Context, u *url.URL) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxAnswering, errSlow)
	defer cancel()
	x, err := c.send(ctx, u, http.Header{}, false)
	if err != nil {
		return nil, err
	}
	defer x.body.Close()
	if x.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", address(x.url), &retryable{c.failure(x.Response, x.atHome), x.StatusCode, x.Header})
	}
	b, err := io.ReadAll(io.LimitReader(x.body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address(x.url), err)
	}
	a := &answer{x.url, x.Header, b}
	if len(b) > maxAnswer {
		return nil, a.wrong("the answer is larger than %d bytes", maxAnswer)
	}
	return a, nil
}
