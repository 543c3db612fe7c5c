package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Entry is a file of a revision, as the Hub lists it.
type Entry struct {
	// Path is relative to the repository, its parts apart by "/", none of them
	// empty, ".", ".." or ".git".
	Path string
	// Size is of the content, in bytes.
	Size int64
	// BlobID is git's SHA-1 of the blob, which is of the pointer where there is one.
	BlobID string
	// SHA256 is of the content, "" where the listing does not say it, which it
	// does for files in LFS and in Xet.
	SHA256 string
	// PointerSize is of the pointer, in bytes; 0 where there is none.
	PointerSize int64
}

// What is taken of a listing. The Hub advises to stay below 100,000 files.
const (
	maxEntries      = 250_000   // files and folders
	maxListing      = 128 << 20 // bytes of all its pages
	maxPages        = 5_000
	maxPath         = 4096 // bytes
	maxAddress      = 8192 // bytes of the address of a page
	maxPointerBytes = 1024 // as git-lfs reads
)

// List lists all files of a revision, sorted by path. What no listing of the Hub
// holds is an error: a path that leaves the folder or is there twice, pages that
// go round in a circle or lead away from the endpoint.
func (c *Client) List(ctx context.Context, r Revision) ([]Entry, error) {
	l := newListing()
	err := r.check()
	if err == nil {
		err = c.list(ctx, r, l)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s at %.12s: %w", r.repo(), r.Commit, err)
	}
	return l.entries, nil
}

func (c *Client) list(ctx context.Context, r Revision, l *listing) error {
	question := "/tree/" + r.Commit
	u, err := c.at(apiPath(r.repo()) + question + "?recursive=true&expand=false")
	if err != nil {
		return err
	}
	p := newPatience(c)
	for u != nil {
		if l.pages[u.String()] || len(l.pages) == maxPages {
			return fmt.Errorf("%s: page %d of the listing is one that was there before, or one too many", address(u), len(l.pages)+1)
		}
		l.pages[u.String()] = true
		a, err := c.askAt(ctx, u, p)
		if err != nil {
			return err
		}
		if movedTo(a.url, c.base, r.Repo.Type, question) == "" {
			return fmt.Errorf("%w: the listing led to %s", ErrRedirect, address(a.url))
		}
		if err := l.add(a.body); err != nil {
			return a.wrong("page %d of the listing: %w", len(l.pages), err)
		}
		if u, err = c.nextPage(a); err != nil {
			return a.wrong("page %d of the listing: %w", len(l.pages), err)
		}
	}
	return l.finish()
}

// nextPage is where the next page is, nil after the last.
func (c *Client) nextPage(a *answer) (*url.URL, error) {
	link, err := nextLink(a.header[http.CanonicalHeaderKey("Link")])
	if err != nil || link == "" {
		return nil, err
	}
	u, err := a.url.Parse(link)
	if err != nil || len(link) > maxAddress {
		return nil, errLink
	}
	if u = c.rebase(u); origin(u) != origin(c.base) || u.User != nil {
		return nil, fmt.Errorf("the next one would be at %s, expected it at %s", address(u), c.env.Endpoint)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// listing collects the pages.
type listing struct {
	entries []Entry
	seen    map[string]bool // paths of files, true, and of folders, false
	pages   map[string]bool
	bytes   int
}

func newListing() *listing {
	return &listing{seen: map[string]bool{}, pages: map[string]bool{}}
}

// listed is an element of a page.
type listed struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size *int64 `json:"size"`
	OID  string `json:"oid"`
	LFS  *struct {
		OID         string `json:"oid"`
		Size        *int64 `json:"size"`
		PointerSize int64  `json:"pointerSize"`
	} `json:"lfs"`
}

// add takes the files of a page.
func (l *listing) add(page []byte) error {
	if l.bytes += len(page); l.bytes > maxListing {
		return fmt.Errorf("the listing is larger than %d bytes", maxListing)
	}
	invalid := func(err error) error { return fmt.Errorf("no valid JSON: %w", jsonError(err)) }
	d := jsontext.NewDecoder(bytes.NewReader(page))
	if kind := d.PeekKind(); kind != '[' && kind != 0 {
		return invalid(errors.New("expected an array"))
	}
	if _, err := d.ReadToken(); err != nil {
		return invalid(err)
	}
	// One by one: of two bytes of JSON there can be a hundred in memory.
	for d.PeekKind() != ']' {
		var e listed
		if err := json.UnmarshalDecode(d, &e); err != nil {
			return invalid(err)
		}
		if err := l.addElement(&e); err != nil {
			return fmt.Errorf("%s: %w", plain.Quote(e.Path), err)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return invalid(err)
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return invalid(errors.New("something follows the array"))
	}
	return nil
}

func (l *listing) addElement(e *listed) error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	if _, again := l.seen[e.Path]; again {
		return errors.New("the path is listed twice")
	}
	if len(l.seen) == maxEntries {
		return fmt.Errorf("more than %d files and folders", maxEntries)
	}
	switch e.Type {
	case "directory":
		l.seen[e.Path] = false
		return nil
	case "file":
	default:
		return fmt.Errorf("neither a file nor a folder, but %s", plain.Quote(e.Type))
	}
	l.seen[e.Path] = true
	entry, err := e.entry()
	l.entries = append(l.entries, entry)
	return err
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// entry checks what is said of a file.
func (e *listed) entry() (Entry, error) {
	switch {
	case e.Size == nil || *e.Size < 0:
		return Entry{}, errors.New("it has no size")
	case !commit.MatchString(e.OID):
		return Entry{}, fmt.Errorf("its blob is %s, expected 40 hex digits", plain.Quote(e.OID))
	}
	entry := Entry{Path: e.Path, Size: *e.Size, BlobID: e.OID}
	if e.LFS == nil {
		return entry, nil
	}
	switch {
	case !sha256Hex.MatchString(e.LFS.OID):
		return Entry{}, fmt.Errorf("its sha256 is %s, expected 64 hex digits", plain.Quote(e.LFS.OID))
	case e.LFS.Size == nil || *e.LFS.Size != *e.Size:
		return Entry{}, fmt.Errorf("it has %d bytes as a file, and another size as an LFS object", *e.Size)
	case e.LFS.PointerSize < 0 || e.LFS.PointerSize > maxPointerBytes:
		return Entry{}, fmt.Errorf("its pointer has %d bytes, expected at most %d", e.LFS.PointerSize, maxPointerBytes)
	}
	entry.SHA256, entry.PointerSize = e.LFS.OID, e.LFS.PointerSize
	return entry, nil
}

// finish sorts the files, and refuses one that lies below another.
func (l *listing) finish() error {
	for _, e := range l.entries {
		for i := range len(e.Path) {
			if e.Path[i] == '/' && l.seen[e.Path[:i]] {
				return fmt.Errorf("the listing has %s as a file and as a folder", plain.Quote(e.Path[:i]))
			}
		}
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// checkPath refuses a path that is no path below a folder on every system, or
// that would reach into a repository's own folder.
func checkPath(path string) error {
	switch {
	case path == "" || len(path) > maxPath:
		return fmt.Errorf("a path has between 1 and %d bytes", maxPath)
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\\' }):
		return errors.New("the path holds a backslash or a control character")
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return errors.New(`the path has an empty part, "." or ".."`)
		case strings.EqualFold(part, ".git") || strings.EqualFold(part, "git~1"):
			return errors.New("the path leads into a .git folder")
		}
	}
	return nil
}
