package sigstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// requestTimeout is how long one request to a mirror may take, and longPatience all that fetching a file takes;
	// shortPatience is how long that may take where what is kept would do as well.
	requestTimeout = 30 * time.Second
	longPatience   = 60 * time.Second
	shortPatience  = 5 * time.Second

	// askAfter is how long what is kept is used without asking the mirror again, and retryAfter how long where it has just
	// not answered. Verifying many models in a row, as a hook does, then asks once.
	askAfter   = 24 * time.Hour
	retryAfter = 10 * time.Minute
)

// mirror is a TUF repository of Sigstore's, with the root of trust that is built into sigstore-go. That root expires within
// months, and is no more than where the chain of roots begins: those that follow it are kept along with the rest, so that what
// is kept can be verified without a network until it expires itself.
type mirror struct {
	name, url string
	root      []byte
	cacheDir  string // "" to keep nothing
	userAgent string
	now       func() time.Time
	// How long the mirror may take where what is kept would do as well, and where it would not.
	short, long time.Duration
}

func newMirror(o Options) *mirror {
	m := &mirror{name: "the public Sigstore instance", url: tuf.DefaultMirror, root: tuf.DefaultRoot()}
	if o.Staging {
		m = &mirror{name: "Sigstore's staging instance", url: tuf.StagingMirror, root: tuf.StagingRoot()}
	}
	m.cacheDir, m.userAgent, m.now = o.CacheDir, o.UserAgent, time.Now
	m.short, m.long = shortPatience, longPatience
	return m
}

// UnavailableError is why nothing is known of an instance: its mirror does not answer, or not with what can be believed, and
// what is kept of it will not do either.
type UnavailableError struct {
	Instance, URL string
	What, Option  string // what was to be fetched, and the option that takes it from a file instead
	Err           error  // why it could not be fetched
	Kept          error  // why what is kept of it will not do; nil where nothing is
}

// Error says all of it in one printable line.
func (e *UnavailableError) Error() string {
	text := fmt.Sprintf("%s: fetching the %s of %s from %s: %s", ErrUnavailable, e.What, e.Instance, e.URL, plain.Line(e.Err.Error()))
	if e.Kept != nil {
		text += ", and " + plain.Line(e.Kept.Error())
	}
	return text
}

// Unwrap returns ErrUnavailable, and the cause.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// Hint tells what to do about an error that wraps ErrUnavailable; it is "" for any other.
func Hint(err error) string {
	var e *UnavailableError
	if !errors.As(err, &e) {
		return ""
	}
	if e.Kept != nil {
		return fmt.Sprintf("connect to the network once to renew what is kept, or give the %s as a file: %s FILE", e.What, e.Option)
	}
	return fmt.Sprintf("without a network, give the %s as a file: %s FILE", e.What, e.Option)
}

// fetch returns a target, verified by TUF. Where the mirror can not be reached, or answers with what can not be believed,
// what is kept serves until its metadata expires, which is what TUF allows.
func (m *mirror) fetch(ctx context.Context, target, what, option string) ([]byte, error) {
	held := m.read()
	b, localErr := m.local(held, target)
	if b != nil && held.recent(m.now()) {
		return b, nil
	}
	patience := m.long
	if b != nil {
		patience = m.short
	}
	bounded, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	defer cancel()
	fresh, got, err := m.refresh(bounded, held, target)
	switch {
	case err == nil:
		m.keep(ctx, fresh)
		return got, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	if lastRoot(m.root, fresh) > lastRoot(m.root, held) {
		// A new root is for good, whatever came after it: it may take back a key that was stolen.
		held.Roots = fresh.Roots
		b, localErr = m.local(held, target)
		m.keep(ctx, held)
	}
	if b != nil {
		held.Failed = m.now()
		m.keep(ctx, held)
		return b, nil
	}
	out := &UnavailableError{Instance: m.name, URL: m.url, What: what, Option: option, Err: err}
	if held.Timestamp != nil && localErr != nil {
		out.Kept = fmt.Errorf("what is kept of it in %s %w", m.file(), localErr)
	}
	return nil, out
}

// local returns a target as it is held, nil if it is not, and why nothing that is held can be used.
func (m *mirror) local(held kept, target string) ([]byte, error) {
	s, err := replay(m.root, held)
	if err == nil {
		err = s.expired(m.now())
	}
	if err != nil {
		return nil, err
	}
	b, _ := s.cut(target, held.Files[target])
	return b, nil
}

// errSlow is the end of the patience with a mirror.
var errSlow = errors.New("no answer in time")

// refresh asks the mirror for its metadata and a target, by TUF's client workflow, with what is held to begin from and to
// guard against older metadata. After an error only the roots of what it returns are whole.
func (m *mirror) refresh(ctx context.Context, held kept, target string) (kept, []byte, error) {
	client := &http.Client{Transport: Transport(ctx, m.userAgent), Timeout: requestTimeout}
	get := func(name string, limit int64) ([]byte, error) { return download(client, m.url+"/"+name, limit) }
	fresh, set, err := update(m.root, held, m.now(), get)
	if err != nil {
		return fresh, nil, err
	}
	b, err := set.cut(target, held.Files[target])
	if err != nil {
		if b, err = set.download(target, get); err != nil {
			return fresh, nil, err
		}
	}
	fresh.Asked, fresh.Failed = m.now(), time.Time{}
	fresh.Files = make(map[string][]byte, len(held.Files)+1)
	for name, b := range held.Files {
		fresh.Files[name] = b
	}
	fresh.Files[target] = b
	return fresh, b, nil
}

// errNotFound is a mirror's answer that it does not have a file.
var errNotFound = errors.New("the mirror does not have it")

// download fetches a file of at most limit bytes.
func download(client *http.Client, url string, limit int64) ([]byte, error) {
	a, err := client.Get(url)
	if u := (*neturl.Error)(nil); errors.As(err, &u) {
		err = u.Err // the mirror is named anyway
	}
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	switch a.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", url, errNotFound)
	default:
		return nil, &StatusError{Status: a.Status}
	}
	b, err := io.ReadAll(io.LimitReader(a.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%s has more than %d bytes", url, limit)
	}
	return b, nil
}

// file is where what is known of the mirror is kept.
func (m *mirror) file() string {
	return filepath.Join(m.cacheDir, "tuf", tuf.URLToPath(m.url)+".json")
}
