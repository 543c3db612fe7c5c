package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// BlobFunc is given a blob: its content, or nil if that is longer than asked
// for, and its size in bytes. The content may be kept.
type BlobFunc func(oid string, content []byte, size int64) error

// Blobs calls fn for each blob, in the order of the object ids. The content of
// a blob of more than max bytes is not read. What is read is held against its
// id. In a partial clone, git fetches the blobs that are asked for and missing,
// and no others. An error that fn returns ends the reading and is returned.
func (r *Repository) Blobs(ctx context.Context, oids []string, max int64, fn BlobFunc) error {
	for _, oid := range oids {
		if !r.isOID(oid) {
			return fmt.Errorf("%w: %q is no object id", ErrObject, oid)
		}
	}
	if r.plain() {
		done := 0
		err := plainReader{r}.blobs(ctx, oids, max, func(oid string, content []byte, size int64) error {
			done++
			return fn(oid, content, size)
		})
		var s stop
		if errors.As(err, &s) {
			return s.error
		}
		if err == nil {
			return nil
		}
		oids = oids[done:]
	}
	err := gitReader{r}.blobs(ctx, oids, max, fn)
	var s stop
	if errors.As(err, &s) {
		return s.error
	}
	return err
}

// stop marks an error as the callback's own.
type stop struct{ error }

// isOID reports whether s is a whole object id of this repository.
func (r *Repository) isOID(s string) bool {
	n := 2 * len(plumbing.ZeroHash)
	if r.ObjectFormat == SHA256 {
		n = 2 * sha256.Size
	}
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// blobs asks `git cat-file`.
func (g gitReader) blobs(ctx context.Context, oids []string, max int64, fn BlobFunc) error {
	return errors.New("not built yet")
}

// blobHash starts the object id of a blob of the given size.
func (r *Repository) blobHash(size int64) hash.Hash {
	if r.ObjectFormat == SHA256 {
		h := sha256.New()
		h.Write([]byte("blob " + strconv.FormatInt(size, 10) + "\x00"))
		return h
	}
	return plumbing.NewHasher(plumbing.BlobObject, size).Hash
}

// BlobID returns the object id that size bytes from rd have as a blob, with no
// filter or line-end conversion. Fewer or more bytes are an error.
func (r *Repository) BlobID(rd io.Reader, size int64) (string, error) {
	h := r.blobHash(size)
	n, err := io.Copy(h, io.LimitReader(rd, size))
	if err != nil {
		return "", err
	}
	if n != size {
		return "", fmt.Errorf("%w: got %d bytes of %d", io.ErrUnexpectedEOF, n, size)
	}
	if n, _ := io.ReadFull(rd, make([]byte, 1)); n != 0 {
		return "", fmt.Errorf("more than the expected %d bytes", size)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
