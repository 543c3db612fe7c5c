package download_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/download"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// origin is a source whose connections can be spoiled.
type origin struct {
	files map[string][]byte
	// spoil, where set, changes what a connection does.
	spoil func(c *connection)

	mu    sync.Mutex
	asked []string // path and offset of each connection
	sent  int64
}

// connection is one answer of an origin.
type connection struct {
	path          string
	number        int // of the connections of the origin, from 0
	offset        int64
	size, begins  int64
	data          []byte // from begins on
	end           error  // what comes after data
	ctx           context.Context
	origin        *origin
	read          func(c *connection, b []byte) (int, error)
	closed        chan struct{}
	closeOnce     sync.Once
	refusedToOpen error
}

var errDropped = errors.New("connection reset by peer")

func (o *origin) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	content, ok := o.files[path]
	if !ok {
		return nil, 0, 0, fs.ErrNotExist
	}
	c := &connection{
		path: path, number: len(o.asked), offset: offset, size: int64(len(content)), begins: offset,
		data: content[offset:], end: io.EOF, ctx: ctx, origin: o, read: plainRead, closed: make(chan struct{}),
	}
	o.asked = append(o.asked, fmt.Sprintf("%s@%d", path, offset))
	if o.spoil != nil {
		o.spoil(c)
	}
	if c.refusedToOpen != nil {
		return nil, 0, 0, c.refusedToOpen
	}
	return c, c.size, c.begins, nil
}

func plainRead(c *connection, b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, c.end
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *connection) Read(b []byte) (int, error) {
	n, err := c.read(c, b)
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	c.origin.sent += int64(n)
	return n, err
}

func (c *connection) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return nil
}

// drop lets a connection break after n bytes.
func (c *connection) drop(n int) {
	if n < len(c.data) {
		c.data, c.end = c.data[:n], errDropped
	}
}

// requests is what was asked for, in order of the text.
func (o *origin) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.asked))
}

// text is n bytes that no two positions of which look alike.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return b
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// blobID is the id that git gives to content.
func blobID(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// signed is a file by the SHA-256 of the whole, as it is listed through LFS.
func signed(path string, content []byte) download.File {
	return download.File{
		Path: path, Size: int64(len(content)), Algorithm: digest.SHA256,
		Want: []download.Range{{End: int64(len(content)), Digest: sum(content)}}, Blob: hex.EncodeToString(sum(content)),
	}
}

// listed is a file that only the listing knows, by git's id.
func listed(path string, content []byte) download.File {
	return download.File{Path: path, Size: int64(len(content)), Blob: blobID(content)}
}

// sharded is a file by shards, of an algorithm, and by git's id.
func sharded(path string, content []byte, a digest.Algorithm, size int) download.File {
	f := download.File{Path: path, Size: int64(len(content)), Algorithm: a, Blob: blobID(content)}
	for start := 0; start < len(content); start += size {
		end := min(start+size, len(content))
		h, err := a.New()
		if err != nil {
			panic(err)
		}
		h.Write(content[start:end])
		f.Want = append(f.Want, download.Range{Start: int64(start), End: int64(end), Digest: h.Sum(nil)})
	}
	return f
}

// quick are options that wait for nothing.
func quick() download.Options {
	return download.Options{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

// mustRun runs, and wants no error of the whole.
func mustRun(t *testing.T, o *origin, to download.Destination, files ...download.File) []download.Result {
	t.Helper()
	results, err := download.Run(t.Context(), o, files, to, quick())
	if err != nil {
		t.Fatalf("the run failed: %v", err)
	}
	if len(results) != len(files) {
		t.Fatalf("%d results for %d files", len(results), len(files))
	}
	for i, r := range results {
		if r.Path != files[i].Path {
			t.Fatalf("result %d is of %q, want %q", i, r.Path, files[i].Path)
		}
	}
	return results
}

// allRight fails unless every result is without error.
func allRight(tb testing.TB, results []download.Result) {
	tb.Helper()
	for _, r := range results {
		if r.Err != nil {
			tb.Fatalf("%q: %v", r.Path, r.Err)
		}
	}
}

// tree is what lies below a folder: names with contents, or with where links lead.
// Locks and cache tags are left out.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))
		switch {
		case err != nil || d.IsDir() || d.Name() == "lock" || d.Name() == "CACHEDIR.TAG" || d.Name() == ".gitignore":
			return err
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[name] = "-> " + filepath.ToSlash(target)
			return err
		}
		b, err := os.ReadFile(path)
		found[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// partials are the names of the partial files below a folder.
func partials(t *testing.T, dir string) (names []string) {
	t.Helper()
	for name := range tree(t, dir) {
		if strings.HasSuffix(name, ".model-sign-partial") {
			names = append(names, name)
		}
	}
	return names
}

// holds fails unless a file has this content.
func holds(t *testing.T, name string, content []byte) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != string(content) {
		t.Fatalf("%s holds %d bytes (%v), not the %d that were expected", name, len(got), err, len(content))
	}
}

// absent fails if there is a file.
func absent(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is there (%v)", name, err)
	}
}

// write makes a file and the folders above it.
func write(t *testing.T, name, content string) {
	t.Helper()
	name = filepath.Clean(name)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
