package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Content is a file as it arrives. A connection that breaks is made again, and
// goes on where it broke; Read fails only after that did not help. Nothing of it
// is checked but its length: whoever reads it has to hash it.
type Content struct {
	// Size is of the whole file in bytes, -1 where the server does not say it.
	Size int64
	// Offset is where the first byte to be read lies in the file: what was asked
	// for, or 0 where the server sends the whole.
	Offset int64
	// ETag is the Hub's name for the content, and that of its blob in the cache: a
	// SHA-256 in hex for files in LFS and Xet, else git's SHA-1 of the blob; or
	// whatever the server says. It is "" where it says nothing.
	ETag string

	client   *Client
	ctx      context.Context // of the call that opened it, under which it goes on
	doing    string
	url      *url.URL
	commit   string
	patience *patience

	body   *watched // nil where there is nothing to read
	at     int64    // where the next byte lies in the file
	failed int      // tries since leastBytes came
	came   int64    // bytes since the last try
	err    error    // of Read, from now on
}

// Open asks for a file of a revision from offset on. ctx is that of the reading
// as well. A server that does not know ranges, or has fewer bytes than offset,
// sends the whole file, which Content.Offset tells.
func (c *Client) Open(ctx context.Context, r Revision, path string, offset int64) (*Content, error) {
	doing := fmt.Sprintf("fetching %s of %s at %.12s", plain.Quote(path), r.repo(), r.Commit)
	u, err := c.fileURL(r, path, offset)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	f := &Content{client: c, ctx: ctx, doing: doing, url: u, commit: r.Commit, patience: newPatience(c)}
	if err := f.patience.try(ctx, func() error { return f.open(offset) }); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return f, nil
}

// fileURL is where the endpoint has a file.
func (c *Client) fileURL(r Revision, path string, offset int64) (*url.URL, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("no offset of a file: %d", offset)
	}
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return c.at("/" + r.repo().String() + "/resolve/" + r.Commit + "/" + strings.Join(parts, "/"))
}

// open makes the request, and takes what the answer says of the file.
func (f *Content) open(offset int64) error {
	header := http.Header{"Accept-Encoding": {"identity"}} // else lengths and ranges would be of something else
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	x, err := f.client.send(f.ctx, f.url, header, true)
	if err != nil {
		return err
	}
	if x.StatusCode == http.StatusRequestedRangeNotSatisfiable && offset > 0 {
		x.body.Close()
		if isWhole(x.Header.Get("Content-Range"), offset) {
			f.body, f.at, f.Offset, f.Size, f.ETag = nil, offset, offset, offset, x.etag
			return nil
		}
		return f.open(0)
	}
	if err := f.take(x, offset); err != nil {
		x.body.Close()
		return fmt.Errorf("%s: %w", address(x.url), err)
	}
	return nil
}

// take checks the answer's header.
func (f *Content) take(x *exchange, offset int64) error {
	if x.StatusCode != http.StatusOK && x.StatusCode != http.StatusPartialContent {
		return &retryable{f.client.failure(x.Response, x.atHome), x.StatusCode, x.Header}
	}
	if x.commit != "" && x.commit != f.commit {
		return fmt.Errorf("the file is of commit %s, expected %s", plain.Quote(x.commit), f.commit)
	}
	size := x.ContentLength
	if x.StatusCode == http.StatusOK {
		offset = 0
		if size < 0 {
			size = x.size
		}
	} else {
		var err error
		if size, err = checkRange(x.Header.Get("Content-Range"), offset, x.ContentLength); err != nil {
			return err
		}
	}
	f.body, f.at, f.Offset, f.Size, f.ETag = x.body, offset, offset, size, x.etag
	return nil
}

var (
	contentRange = regexp.MustCompile(`^bytes ([0-9]+)-([0-9]+)/([0-9]+)$`)
	wholeRange   = regexp.MustCompile(`^bytes \*/([0-9]+)$`)
)

// checkRange checks that a part of a file is the one asked for, from offset to
// the end, and returns the size of the whole.
func checkRange(s string, offset, length int64) (int64, error) {
	if m := contentRange.FindStringSubmatch(s); m != nil {
		start, ok1 := parseSize(m[1])
		end, ok2 := parseSize(m[2])
		size, ok3 := parseSize(m[3])
		if ok1 && ok2 && ok3 && offset > 0 && start == offset && end >= start && end == size-1 && (length < 0 || length == size-start) {
			return size, nil
		}
	}
	return 0, fmt.Errorf("the server sends the range %s in %d bytes, expected what follows byte %d", plain.Quote(s), length, offset)
}

// isWhole says whether a server that has nothing to send from offset on says that
// the file ends there.
func isWhole(s string, offset int64) bool {
	m := wholeRange.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	n, ok := parseSize(m[1])
	return ok && n == offset
}

func parseSize(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

// Read implements io.Reader.
func (f *Content) Read(p []byte) (int, error) {
	for f.err == nil && len(p) > 0 {
		if f.body == nil {
			f.err = io.EOF
			break
		}
		n, err := f.body.Read(p)
		f.at += int64(n)
		if f.came += int64(n); f.came >= leastBytes {
			f.failed = 0
		}
		f.err = f.judge(err)
		if n > 0 {
			return n, nil
		}
	}
	return 0, f.err
}

// judge is what becomes of an error of the body, or of none.
func (f *Content) judge(err error) error {
	switch {
	case f.Size >= 0 && f.at > f.Size:
		return fmt.Errorf("%s: it goes on after the %d bytes that it should have", f.doing, f.Size)
	case err == io.EOF && f.at < f.Size:
		return f.resume(&broken{io.ErrUnexpectedEOF})
	case err == nil || err == io.EOF:
		return err
	}
	return f.resume(err)
}

// resume goes on after a connection broke because of cause.
func (f *Content) resume(cause error) error {
	f.body.Close()
	next := &Content{client: f.client, ctx: f.ctx, url: f.url, commit: f.commit}
	for cause != nil && f.ctx.Err() == nil {
		f.failed++
		if err := f.patience.wait(f.ctx, cause, f.failed); err != nil {
			return fmt.Errorf("%s: broken off at byte %d: %w", f.doing, f.at, err)
		}
		if cause = next.open(f.at); cause == nil {
			cause = next.skip(f.at)
		}
	}
	if cause != nil {
		return fmt.Errorf("%s: broken off at byte %d: %w", f.doing, f.at, f.ctx.Err())
	}
	f.body, f.came = next.body, 0
	if next.ETag != f.ETag || f.Size >= 0 && next.Size >= 0 && next.Size != f.Size {
		return fmt.Errorf("%s: broken off at byte %d: %w", f.doing, f.at, errChanged)
	}
	return nil
}

var errChanged = errors.New("the file that could be gone on with has another size or ETag")

// skip reads up to where a file that had to be sent from its beginning goes on.
func (f *Content) skip(to int64) error {
	if f.at == to {
		return nil
	}
	_, err := io.CopyN(io.Discard, f.body, to-f.at)
	if err != nil {
		f.body.Close()
	}
	if err == io.EOF {
		return &broken{io.ErrUnexpectedEOF}
	}
	f.at = to
	return err
}

// Close implements io.Closer.
func (f *Content) Close() error {
	if f.err == nil {
		f.err = errClosed
	}
	if f.body == nil {
		return nil
	}
	return f.body.Close()
}

var errClosed = errors.New("the file has been closed")
