package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	maxTries = 5
	// maxConnects is how often a server is tried that cannot be reached at all.
	maxConnects = 3
	firstWait   = 500 * time.Millisecond
	// maxAsked is the longest wait that a server may ask for: the Hub counts
	// requests over five minutes.
	maxAsked = 5*time.Minute + 10*time.Second
	// maxWaiting is how long a call waits in all, however it is kept waiting.
	maxWaiting = 10 * time.Minute
)

// retryable is an answer after which the same request may succeed, by its status.
type retryable struct {
	error
	status int
	header http.Header
}

func (r *retryable) Unwrap() error { return r.error }

// patience is how long a call goes on trying.
type patience struct {
	waiting func(time.Duration, error)
	waited  time.Duration
}

func newPatience(c *Client) *patience { return &patience{waiting: c.waiting} }

// try does something until it succeeds, fails for good, or patience ends.
func (p *patience) try(ctx context.Context, do func() error) error {
	for tried := 1; ; tried++ {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := p.wait(ctx, err, tried); err != nil {
			return err
		}
	}
}

// wait waits before another try after an error, or returns the error that ends
// the trying.
func (p *patience) wait(ctx context.Context, err error, tried int) error {
	limit := tries(err)
	if limit == 1 {
		return err
	}
	if tried >= limit {
		return fmt.Errorf("%w (tried %d times)", err, tried)
	}
	d, asked := retryAfter(err, time.Now())
	if !asked {
		d = backoff(tried)
	}
	if d > maxAsked || p.waited+d > maxWaiting {
		return fmt.Errorf("%w (the next try would be in %s, and there have been %s of waiting)", err, d.Round(time.Second), p.waited.Round(time.Second))
	}
	p.waited += d
	if p.waiting != nil {
		p.waiting(d, err)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w (while waiting to try again: %w)", context.Cause(ctx), err)
	}
}

// backoff doubles with every try, and is half of it chance, so that those who
// were sent away together do not come back together.
func backoff(tried int) time.Duration {
	d := firstWait << (tried - 1)
	return d/2 + rand.N(d/2+1)
}

// tries is how often something that failed with err is done in all.
func tries(err error) int {
	if r, ok := errors.AsType[*retryable](err); ok {
		switch r.status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return maxTries
		}
		return 1
	}
	if !isTransient(err) {
		return 1
	}
	op, isOp := errors.AsType[*net.OpError](err)
	if errors.Is(err, errIdle) || isOp && (op.Op == "dial" || op.Op == "proxyconnect") {
		return maxConnects
	}
	return maxTries
}

// broken is a connection that broke, or was never made.
type broken struct{ error }

// Error is in one line: what a proxy or a server said may be part of it.
func (b *broken) Error() string { return plain.Line(b.error.Error()) }

func (b *broken) Unwrap() error { return b.error }

// isTransient says whether err is of a connection that may do better next time.
func isTransient(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return false
	}
	_, isBroken := errors.AsType[*broken](err)
	return isBroken || errors.Is(err, errIdle)
}

// rateLimit is the header by which the Hub says how many requests are left (r),
// and in how many seconds there are more (t).
var rateLimit = regexp.MustCompile(`"\w+"\s*;\s*r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)`)

// retryAfter is how long the server asks to be left alone.
func retryAfter(err error, now time.Time) (time.Duration, bool) {
	r, ok := errors.AsType[*retryable](err)
	if !ok {
		return 0, false
	}
	if m := rateLimit.FindStringSubmatch(r.header.Get("RateLimit")); m != nil && r.status == http.StatusTooManyRequests && strings.Trim(m[1], "0") == "" {
		return seconds(m[2])
	}
	value := strings.TrimSpace(r.header.Get("Retry-After"))
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return seconds(value)
}

// seconds adds one to what the server says, which it has rounded.
func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || n > uint64(maxWaiting/time.Second):
		return maxWaiting + time.Second, true
	case err != nil:
		return 0, false
	}
	return time.Duration(n+1) * time.Second, true
}
