package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// content is the name under which the content of a job lies.
func (s *store) content(j *job) string {
	if s.links {
		return blobName(j)
	}
	return s.prefix + j.Path
}

// blobName is the name of the content of a job in a cache.
func blobName(j *job) string { return "blobs/" + j.Blob }

// look says whether all files of a job are there. Anything else in their place is
// an error. Links that are missing are made, if the content is there.
func (s *store) look(ctx context.Context, j *job, v *verifier) (bool, error) {
	absent, linked := 0, 0
	for _, m := range j.members {
		if err := s.refuseReserved(m.path); err != nil {
			return false, err
		}
		here, err := s.lookAtFile(ctx, m, j, v)
		if err != nil {
			return false, err
		}
		switch here {
		case nothing:
			absent++
		case linkToBlob:
			linked++
		}
	}
	if absent == 0 && linked == 0 {
		return true, nil
	}
	if linked == 0 && !s.links {
		return false, nil
	}
	there, err := v.verify(ctx, blobName(j), &j.File)
	switch {
	case err != nil:
		return false, err
	case there && s.links:
		return true, s.link(ctx, j, v)
	case !there && !s.links:
		return false, fmt.Errorf("%q: %w: a link to %q, which is missing", s.prefix+j.Path, ErrExists, blobName(j))
	}
	return there, nil
}

// found is what stands in the place of a file.
type found int

const (
	nothing found = iota
	rightFile
	linkToBlob // by what the link says; what it leads to has not been looked at
)

// lookAtFile looks at what stands in the place of a file. In a cache, a file is as
// good as a link, if the content is right. A link is taken by what it says: only
// one to the blob of the same repository will do, and it is not followed.
func (s *store) lookAtFile(ctx context.Context, m member, j *job, v *verifier) (found, error) {
	name := s.prefix + m.path
	info, err := s.lookAt(name)
	if err != nil || info == nil {
		return nothing, err
	}
	if info.Mode()&fs.ModeSymlink == 0 || !s.cache {
		_, err := v.verify(ctx, name, &j.File)
		return rightFile, err
	}
	target, err := s.root.Readlink(name)
	if err != nil {
		return nothing, err
	}
	if filepath.IsAbs(target) || path.Join(parent(name), filepath.ToSlash(target)) != blobName(j) {
		return nothing, fmt.Errorf("%q: %w: a link to %q, expected one to %q", name, ErrExists, target, blobName(j))
	}
	return linkToBlob, nil
}

// link makes the links of a job that are missing.
func (s *store) link(ctx context.Context, j *job, v *verifier) error {
	for _, m := range j.members {
		name := s.prefix + m.path
		if err := s.makeFolder(parent(name)); err != nil {
			return err
		}
		up := strings.Repeat("../", strings.Count(name, "/"))
		err := s.root.Symlink(filepath.FromSlash(up+blobName(j)), name)
		if errors.Is(err, fs.ErrExist) {
			_, err = s.lookAtFile(ctx, m, j, v)
		}
		if err != nil {
			return diskError(err)
		}
		s.touch(parent(name))
	}
	return nil
}

// verifier hashes files that are there.
type verifier struct {
	store    *store
	pipe     *pipe
	progress func(digest.Progress)
	read     int64 // bytes
}

// verify says whether a file is there. If it is not what is expected, or no file,
// that is an ErrExists.
func (v *verifier) verify(ctx context.Context, name string, f *File) (there bool, err error) {
	info, err := v.store.lookAt(name)
	switch {
	case err != nil || info == nil:
		return false, err
	case info.Mode()&fs.ModeSymlink != 0 && v.store.shared != nil:
		return v.verifyShared(ctx, name, f)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%q: %w: expected a file, found %s", name, ErrExists, kind(info.Mode()))
	case info.Size() != f.Size:
		return false, fmt.Errorf("%q: %w: expected %d bytes, found %d", name, ErrExists, f.Size, info.Size())
	}
	file, err := v.store.openListed(name, info, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer file.Close()
	c, err := newChecker(f)
	if err != nil {
		return false, err
	}
	v.pipe.start(c)
	defer v.pipe.end()
	if err := v.hash(ctx, file, info.Size()); err != nil {
		return false, fmt.Errorf("reading %q: %w", name, err)
	}
	wrong := v.pipe.finish()
	after, err := file.Stat()
	switch {
	case err != nil:
		return false, err
	case after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()):
		return false, fmt.Errorf("%q: %w", name, ErrChanged)
	case wrong != nil:
		// Not an ErrWrong: nothing wrong has been downloaded.
		return false, fmt.Errorf("%q: %w: %v", name, ErrExists, wrong)
	}
	return true, nil
}

// sharedLink is where a blob's link leads that the clients make: to what the
// repositories of a cache share.
var sharedLink = regexp.MustCompile(`^\.\./\.\./blobs/([0-9a-f]{2}/[0-9a-f]{64})$`)

// verifyShared is verify for a blob that is a link.
func (v *verifier) verifyShared(ctx context.Context, name string, f *File) (there bool, err error) {
	target, err := v.store.root.Readlink(name)
	if err != nil {
		return false, err
	}
	m := sharedLink.FindStringSubmatch(filepath.ToSlash(target))
	if m == nil || path.Dir(name) != "blobs" {
		return false, fmt.Errorf("%q: %w: a link to %q, expected a file", name, ErrExists, target)
	}
	w := verifier{store: v.store.shared, pipe: v.pipe, progress: v.progress}
	there, err = w.verify(ctx, m[1], f)
	v.read += w.read
	if err == nil && !there {
		err = fmt.Errorf("%q: %w: a link to %q, which is missing", name, ErrExists, target)
	}
	return there, err
}

// hash reads so many bytes into the pipe, fewer if they prove wrong before.
func (v *verifier) hash(ctx context.Context, from io.Reader, size int64) error {
	for left := size; left > 0 && !v.pipe.failed(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := v.pipe.buffer()
		n, err := io.ReadFull(from, b[:min(int64(len(b)), left)])
		v.pipe.hash(b[:n])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: it has become shorter", ErrChanged)
		}
		if err != nil {
			return err
		}
		left -= int64(n)
		v.read += int64(n)
		v.progress(digest.Progress{Bytes: int64(n)})
	}
	return nil
}

// kind says what stands in the place of a file.
func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a folder"
	}
	return "something else"
}
