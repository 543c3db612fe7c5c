package wire

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// tolerated is how far two clocks may be apart before that is worth a word.
const tolerated = 2 * time.Minute

// Clock compares this machine's clock with that of one service. Nil, or the zero value, has not heard from it.
type Clock struct {
	mu   sync.Mutex
	skew time.Duration
}

// Watch has the clock look at every answer that comes through next, by the header Date. now is this machine's clock.
func (c *Clock) Watch(next http.RoundTripper, now func() time.Time) http.RoundTripper {
	return watched{c, next, now}
}

type watched struct {
	clock *Clock
	next  http.RoundTripper
	now   func() time.Time
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := w.next.RoundTrip(r)
	if a == nil {
		return a, err
	}
	if at, errDate := http.ParseTime(a.Header.Get("Date")); errDate == nil {
		w.clock.mu.Lock()
		w.clock.skew = at.Sub(w.now())
		w.clock.mu.Unlock()
	}
	return a, err
}

// Hint says by how much this machine's clock differs from that of the service of that name; "" where that is not worth a word.
func (c *Clock) Hint(service string) string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	skew := c.skew.Round(time.Minute)
	c.mu.Unlock()
	switch {
	case skew > tolerated:
		return fmt.Sprintf("set the clock of this machine: it is %s behind that of %s", skew, plain.Name(service))
	case skew < -tolerated:
		return fmt.Sprintf("set the clock of this machine: it is %s ahead of that of %s", -skew, plain.Name(service))
	}
	return ""
}
