package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
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
	s := r.OpenStore()
	defer s.Close()
	return s.Blobs(ctx, oids, max, func(b Blob) error { return fn(b.OID, b.Content, b.Size) })
}

// stop marks an error as the callback's own.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// isOID reports whether s is a whole object id of this repository.
func (r *Repository) isOID(s string) bool {
	n := 2 * len(plumbing.ZeroHash)
	if r.ObjectFormat == SHA256 {
		n = 2 * sha256.Size
	}
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// maxPlainBlobs is the number of blobs from which on starting git is quicker
// than reading them here.
const maxPlainBlobs = 16

// blobs asks `git cat-file`: for the sizes first, as it would write out a whole
// blob that is too long. What refs/replace puts in place of an object does not
// count, as another clone has none of it.
func (g gitReader) blobs(ctx context.Context, oids []string, max int64, fn BlobFunc) error {
	if len(oids) == 0 {
		return nil
	}
	git := g.r.git
	git.env = with(git.env, "GIT_NO_REPLACE_OBJECTS", "1")
	sizes := make([]int64, 0, len(oids))
	var small []string
	err := git.stream(ctx, lines(oids), func(out *bufio.Reader) error {
		for _, oid := range oids {
			size, err := readHeader(out, oid)
			if err != nil {
				return err
			}
			if sizes = append(sizes, size); size <= max {
				small = append(small, oid)
			}
		}
		return nil
	}, "cat-file", "--buffer", "--batch-check")
	if err != nil {
		return err
	}
	return git.stream(ctx, lines(small), func(out *bufio.Reader) error {
		for i, oid := range oids {
			var content []byte
			if sizes[i] <= max {
				var err error
				if content, err = g.readBlob(out, oid, max); err != nil {
					return err
				}
			}
			if err := fn(oid, content, sizes[i]); err != nil {
				return stop{err}
			}
		}
		return nil
	}, "cat-file", "--buffer", "--batch")
}

func lines(oids []string) io.Reader {
	if len(oids) == 0 {
		return strings.NewReader("")
	}
	return strings.NewReader(strings.Join(oids, "\n") + "\n")
}

// readHeader reads `<oid> blob <size>`.
func readHeader(out *bufio.Reader, oid string) (int64, error) {
	line, err := out.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrObject, oid, io.ErrUnexpectedEOF)
	}
	line = line[:len(line)-1]
	if digits, ok := bytes.CutPrefix(line, []byte(oid+" blob ")); ok {
		if size, err := strconv.ParseInt(string(digits), 10, 64); err == nil && size >= 0 {
			return size, nil
		}
	}
	if bytes.HasSuffix(line, []byte(" missing")) {
		return 0, fmt.Errorf("%w: %s is missing", ErrObject, oid)
	}
	return 0, fmt.Errorf("%w: expected blob %s, found %q", ErrObject, oid, line)
}

// readBlob reads a header, the content and the line end after it.
func (g gitReader) readBlob(out *bufio.Reader, oid string, max int64) ([]byte, error) {
	size, err := readHeader(out, oid)
	if err != nil {
		return nil, err
	}
	if size > max {
		return nil, fmt.Errorf("%w: %s has become longer than %d bytes", ErrObject, oid, max)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(out, content); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrObject, oid, io.ErrUnexpectedEOF)
	}
	if _, err := out.Discard(1); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrObject, oid, io.ErrUnexpectedEOF)
	}
	if g.r.objectID(content) != oid {
		return nil, fmt.Errorf("%w: %s does not have the content that its id says", ErrObject, oid)
	}
	return content, nil
}

// MissingBlobs returns those object ids, in order, whose objects are not in this
// clone, as happens in a partial one. Nothing is fetched.
func (r *Repository) MissingBlobs(ctx context.Context, oids []string) ([]string, error) {
	for _, oid := range oids {
		if !r.isOID(oid) {
			return nil, fmt.Errorf("%w: %q is no object id", ErrObject, oid)
		}
	}
	local, err := r.localObjects(ctx, oids)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, oid := range oids {
		if !local[oid] {
			missing = append(missing, oid)
		}
	}
	return missing, nil
}

// lazyFetchVersion is the git, 2.45, from which on GIT_NO_LAZY_FETCH is known.
const lazyFetchVersion = 45

// localObjects returns which objects are here. An older git fetches whatever it
// is asked about, so that one has to list all that it has.
func (r *Repository) localObjects(ctx context.Context, oids []string) (map[string]bool, error) {
	major, minor, err := Version(ctx)
	if err != nil {
		return nil, err
	}
	g := r.git
	g.env = with(with(g.env, "GIT_NO_REPLACE_OBJECTS", "1"), "GIT_NO_LAZY_FETCH", "1")
	args := []string{"cat-file", "--batch-check"}
	stdin := lines(oids)
	if major == 2 && minor < lazyFetchVersion {
		args = []string{"cat-file", "--batch-all-objects", "--unordered", "--batch-check"}
		stdin = nil
	}
	local := make(map[string]bool, len(oids))
	return local, g.stream(ctx, stdin, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString('\n')
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if oid, what, _ := strings.Cut(line, " "); what != "missing\n" {
				local[oid] = true
			}
		}
	}, args...)
}

// objectID is the object id of a content that git has stored, and looked at for
// forged SHA-1 collisions as it did: the plain function is enough, and quicker.
func (r *Repository) objectID(content []byte) string {
	h := sha1.New()
	if r.ObjectFormat == SHA256 {
		h = sha256.New()
	}
	h.Write(strconv.AppendInt([]byte("blob "), int64(len(content)), 10))
	h.Write([]byte{0})
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
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

// CleanBlobIDs returns the object ids that files of the worktree would have if
// they were added now: after the filters and line-end conversions that git runs
// on the way in. That may start filter programs of the user's configuration,
// as `git add` and `git status` do. Nothing is written.
func (r *Repository) CleanBlobIDs(ctx context.Context, paths []string) (map[string]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	var stdin strings.Builder
	for _, path := range paths {
		stdin.WriteString(quotePath(path) + "\n")
	}
	out, err := r.git.output(ctx, strings.NewReader(stdin.String()), "hash-object", "--stdin-paths")
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out))
	if len(ids) != len(paths) {
		return nil, fmt.Errorf("git hash-object: %w: %d ids for %d files", errRecord, len(ids), len(paths))
	}
	found := make(map[string]string, len(paths))
	for i, id := range ids {
		found[paths[i]] = id
	}
	return found, nil
}

// quotePath writes a path as git reads one from a line: between double quotes,
// with the bytes escaped that would end the line or the quotes.
func quotePath(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(path) + `"`
}
