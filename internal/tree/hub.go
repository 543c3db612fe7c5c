package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// Fetch reads the content of a file of the Hub. The size is what the Hub says
// that it is now, -1 where it does not say it. An error that wraps [hub.ErrEntryNotFound] says that the file
// is not there.
type Fetch func(ctx context.Context, path string) (content io.ReadCloser, size int64, err error)

// OpenHub lists the files of a revision on the Hub, by the Hub's own listing. A
// file for which that has a SHA-256 is a Pointer, as it is in a commit: the Hub
// promises it, and it is not fetched. Each of the others is fetched when it is
// hashed; [Tree.Load] does that for many at once. The context is that of reading
// all of them.
//
// The name is what the model is called, and Options.Signature a path in it.
func OpenHub(ctx context.Context, name string, entries []hub.Entry, fetch Fetch, o Options) *Tree {
	t := &Tree{Name: name, contents: hubContents(fetch)}
	l := &listing{tree: t, options: o}
	l.rules(o.Signature)
	for _, e := range entries {
		if l.leftOut(e.Path) {
			continue
		}
		if err := checkName(e.Path); err != nil {
			l.problem(e.Path, err, "")
			continue
		}
		f := File{Path: e.Path, Size: e.Size, BlobID: e.BlobID}
		if e.SHA256 != "" {
			f.Kind, f.LFS, f.Pointer = Pointer, true, lfs.Pointer{OID: e.SHA256, Size: e.Size}
			f.Open = func() (digest.File, error) { return nil, ErrNotDownloaded }
		} else {
			f.blob = &blob{id: e.Path, size: e.Size, stream: func() (io.ReadCloser, error) { return fetchListed(ctx, fetch, e.Path, e.Size) }}
			f.Open = f.blob.opener(path.Base(e.Path))
		}
		t.Files = append(t.Files, f)
	}
	return l.finish()
}

// fetchListed opens a file of the Hub, which has to be as long as it is listed.
func fetchListed(ctx context.Context, fetch Fetch, name string, size int64) (io.ReadCloser, error) {
	body, found, err := fetch(ctx, name)
	switch {
	case errors.Is(err, hub.ErrEntryNotFound):
		return nil, fmt.Errorf("%w: %w", ErrListing, err)
	case err != nil:
		return nil, err
	case found < 0:
		return &exactly{body, size}, nil
	case found != size:
		body.Close()
		return nil, fmt.Errorf("%w: listed with %d bytes, served with %d", ErrListing, size, found)
	}
	return body, nil
}

// exactly is a content whose size nobody said beforehand: it is an error that it ends
// early, and before its last byte is handed out that it goes on.
type exactly struct {
	io.ReadCloser
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	switch {
	case e.left == 0 && (err == nil || err == io.EOF):
		if more, _ := io.ReadFull(e.ReadCloser, make([]byte, 1)); more > 0 {
			return 0, fmt.Errorf("%w: it goes on after the bytes that are listed", ErrListing)
		}
		return n, nil
	case err == io.EOF:
		return n, fmt.Errorf("%w: it ends %d bytes before it is listed to", ErrListing, e.left)
	}
	return n, err
}

// fetches is how many files of the Hub are fetched at a time.
const fetches = 8

// hubContents reads blobs that the Hub has, several at a time, and puts them in
// their order. One that is not as it is listed is an error of that file only.
func hubContents(fetch Fetch) contentSource {
	return func(ctx context.Context, blobs []*blob, put func(i int, content []byte) error) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type answer struct {
			content []byte
			err     error
		}
		answers := make(chan chan answer, fetches-1) // in the order of blobs; one more is waited for
		go func() {
			defer close(answers)
			for _, b := range blobs {
				one := make(chan answer, 1)
				select {
				case answers <- one:
				case <-ctx.Done():
					return
				}
				go func() {
					content, err := fetchWhole(ctx, fetch, b)
					one <- answer{content, err}
				}()
			}
		}()
		i := 0
		for one := range answers {
			a := <-one
			if errors.Is(a.err, ErrListing) {
				blobs[i].fail(a.err)
			} else if a.err != nil {
				return fmt.Errorf("fetching %q: %w", blobs[i].id, a.err)
			}
			if err := put(i, a.content); err != nil {
				return err
			}
			i++
		}
		return ctx.Err()
	}
}

// fetchWhole reads a blob into memory.
func fetchWhole(ctx context.Context, fetch Fetch, b *blob) ([]byte, error) {
	body, err := fetchListed(ctx, fetch, b.id, b.size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content := make([]byte, b.size)
	if _, err := io.ReadFull(body, content); err != nil {
		return nil, err
	}
	return content, nil
}
