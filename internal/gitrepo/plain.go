package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	boundedfile "github.com/git-model-sign/git-model-sign/internal/bounded"
)

// maxIndex is how long an index file that is read here may be, in bytes.
const maxIndex = 1 << 30

// index decodes the index file, if it is in one of the common forms.
func (p plainReader) index(ctx context.Context, under string) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := boundedfile.ReadRegular(filepath.Join(p.r.GitDir, "index"), maxIndex)
	if err != nil {
		return nil, err
	}
	entries, err := parseIndex(b)
	if err != nil || under == "" {
		return entries, err
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return !IsUnder(e.Path, under) }), nil
}

// blobs reads loose and packed objects. It fails at the first object that it
// does not find or that is longer than max, and fn has been called for all those before it.
func (p plainReader) blobs(ctx context.Context, oids []string, max int64, fn BlobFunc) error {
	storage := filesystem.NewStorage(osfs.New(p.r.CommonDir), cache.NewObjectLRU(cache.MiByte))
	defer storage.Close()
	for _, oid := range oids {
		if err := ctx.Err(); err != nil {
			return err
		}
		size, content, err := plainBlob(storage, oid, max)
		if err != nil {
			return fmt.Errorf("reading object %s: %w", oid, err)
		}
		if err := fn(oid, content, size); err != nil {
			return stop{err}
		}
	}
	return nil
}

func plainBlob(storage *filesystem.Storage, oid string, max int64) (int64, []byte, error) {
	hash := plumbing.NewHash(oid)
	size, err := storage.EncodedObjectSize(hash)
	if err != nil {
		return 0, nil, err
	}
	if size > max {
		// Seeing that it is a blob would mean to read it.
		return 0, nil, errors.New("is too long to be read in-process")
	}
	object, err := storage.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return 0, nil, err
	}
	r, err := object.Reader()
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	content := make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return 0, nil, err
	}
	if plumbing.ComputeHash(plumbing.BlobObject, content) != hash {
		return 0, nil, ErrObject
	}
	return size, content, nil
}
