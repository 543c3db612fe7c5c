package tree

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// onHub is a Fetch of contents by their paths, and counts how many are being read.
type onHub struct {
	contents   map[string]string
	open, most atomic.Int64
}

func (h *onHub) fetch(_ context.Context, path string) (io.ReadCloser, int64, error) {
	content, found := h.contents[path]
	if !found {
		return nil, 0, fmt.Errorf("fetching %q: %w", path, hub.ErrEntryNotFound)
	}
	n := h.open.Add(1)
	for most := h.most.Load(); n > most && !h.most.CompareAndSwap(most, n); most = h.most.Load() {
	}
	return &counted{strings.NewReader(content), &h.open}, int64(len(content)), nil
}

type counted struct {
	io.Reader
	open *atomic.Int64
}

func (c *counted) Close() error { c.open.Add(-1); return nil }

// sums hashes the contents of a tree as check does.
func sums(t *testing.T, tr *Tree) (map[string]digest.Result, error) {
	t.Helper()
	var files []File
	for _, f := range tr.Files {
		if f.Kind == Content {
			files = append(files, f)
		}
	}
	out := map[string]digest.Result{}
	err := tr.Load(t.Context(), files, func(from, to int) error {
		var items []digest.Item
		for _, f := range files[from:to] {
			items = append(items, digest.Item{Name: f.Path, Open: f.Open, Length: -1, Size: f.Size})
		}
		results, err := digest.Hasher{}.Sum(t.Context(), items)
		for i, r := range results {
			out[items[i].Name] = r
		}
		return err
	})
	return out, err
}

func TestOpenHub(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", maxLoaded/16+1)
	h := &onHub{contents: map[string]string{"config.json": "{}", "empty": "", "large.txt": large, "longer": "abc", "model.sig": "no part of it"}}
	entries := []hub.Entry{
		{Path: ".gitattributes", Size: 3},
		{Path: "a\u0301", Size: 1, SHA256: strings.Repeat("1", 64)},
		{Path: "config.json", Size: 2},
		{Path: "empty"},
		{Path: "gone", Size: 5},
		{Path: "large.txt", Size: int64(len(large))},
		{Path: "longer", Size: 2},
		{Path: "model.sig", Size: 13},
		{Path: "weights.bin", Size: 5e12, SHA256: strings.Repeat("a", 64)},
	}
	for i := range 40 {
		name := fmt.Sprintf("small/%02d", i)
		h.contents[name] = strings.Repeat("x", i)
		entries = append(entries, hub.Entry{Path: name, Size: int64(i)})
	}
	tr := OpenHub(t.Context(), "org/model", entries, h.fetch, Options{Signature: "model.sig"})
	var weights *File
	for i, f := range tr.Files {
		switch f.Path {
		case "model.sig", ".gitattributes":
			t.Errorf("%s is listed", f.Path)
		case "weights.bin":
			weights = &tr.Files[i]
		}
	}
	if weights == nil || weights.Kind != Pointer || weights.Pointer.OID != strings.Repeat("a", 64) || weights.Pointer.Size != 5e12 {
		t.Errorf("weights.bin is listed as %+v", weights)
	} else if _, err := weights.Open(); !errors.Is(err, ErrNotDownloaded) {
		t.Errorf("opening weights.bin: %v", err)
	}
	results, err := sums(t, tr)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range h.contents {
		want := sha256.Sum256([]byte(content))
		if r, read := results[name]; read && name != "longer" && (r.Err != nil || !bytes.Equal(r.Digest, want[:])) {
			t.Errorf("%s: %x, %v", name, r.Digest, r.Err)
		}
	}
	for _, name := range []string{"gone", "longer"} {
		if err := results[name].Err; !errors.Is(err, ErrListing) {
			t.Errorf("%s: %v, want ErrListing", name, err)
		}
	}
	if open, most := h.open.Load(), h.most.Load(); open != 0 || most > fetches+1 {
		t.Errorf("%d are left open, and %d were at a time", open, most)
	}
	if len(results) != 45 {
		t.Errorf("%d files hashed", len(results))
	}
}

// Small files are fetched eight at a time: with every one held up, there are eight
// of them when nothing goes on any more.
func TestOpenHubAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &onHub{contents: map[string]string{}}
		held := make(chan struct{})
		fetch := func(ctx context.Context, path string) (io.ReadCloser, int64, error) {
			body, size, err := h.fetch(ctx, path)
			<-held
			return body, size, err
		}
		var entries []hub.Entry
		for i := range 10 {
			name := fmt.Sprint(i)
			h.contents[name] = "x"
			entries = append(entries, hub.Entry{Path: name, Size: 1})
		}
		tr := OpenHub(t.Context(), "m", entries, fetch, Options{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			if results, err := sums(t, tr); err != nil || len(results) != 10 {
				t.Errorf("%d files hashed, %v", len(results), err)
			}
		}()
		synctest.Wait()
		if n := h.open.Load(); n != 8 {
			t.Errorf("%d files are fetched at a time, want 8", n)
		}
		close(held)
		<-done
		if open, most := h.open.Load(), h.most.Load(); open != 0 || most != 8 {
			t.Errorf("%d are left open, and %d were at a time, want 8", open, most)
		}
	})
}

// A network that fails is no verdict about any file.
func TestOpenHubUnreachable(t *testing.T) {
	down := errors.New("network is down")
	fetch := func(_ context.Context, path string) (io.ReadCloser, int64, error) {
		if path == "b" {
			return nil, 0, down
		}
		return io.NopCloser(strings.NewReader("1")), 1, nil
	}
	tr := OpenHub(t.Context(), "m", []hub.Entry{{Path: "a", Size: 1}, {Path: "b", Size: 1}, {Path: "c", Size: 1}}, fetch, Options{})
	if _, err := sums(t, tr); !errors.Is(err, down) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("error %v, want one of the network that names the file", err)
	}
}

// What cannot be signed is a problem by its name, as in any other tree.
func TestOpenHubNames(t *testing.T) {
	tr := OpenHub(t.Context(), "m", []hub.Entry{{Path: "a:b?"}, {Path: "bad\xff"}, {Path: "skip/me"}}, nil, Options{Ignore: []string{"skip"}})
	if len(tr.Problems) != 1 || tr.Problems[0].Path != "bad\xff" || !errors.Is(tr.Problems[0].Err, ErrNotUTF8) || len(tr.Files) != 1 {
		t.Errorf("files %v, problems %v", tr.Files, tr.Problems)
	}
}

// A server that does not say how long a file is may be right, and has to be held to the listing all the same.
func TestOpenHubUnsaidSize(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", maxLoaded/16+1)
	fetch := func(_ context.Context, path string) (io.ReadCloser, int64, error) {
		content := map[string]string{"right": "abc", "longer": "abcd", "shorter": "ab", "large": large, "larger": large + "x"}[path]
		return io.NopCloser(strings.NewReader(content)), -1, nil
	}
	size := int64(len(large))
	entries := []hub.Entry{{Path: "large", Size: size}, {Path: "larger", Size: size}, {Path: "longer", Size: 3}, {Path: "right", Size: 3}, {Path: "shorter", Size: 3}}
	results, err := sums(t, OpenHub(t.Context(), "m", entries, fetch, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range results {
		if right := name == "right" || name == "large"; right != (r.Err == nil) || !right && !errors.Is(r.Err, ErrListing) {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
	if len(results) != len(entries) {
		t.Errorf("%d files hashed", len(results))
	}
}
