package download

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/fold"
)

// job is content to fetch once, and the files that consist of it. Where a
// destination keeps content apart from names there may be several.
type job struct {
	File    // of the first member, with all that the members say of the content
	members []member
}

// member is a file of a job.
type member struct {
	path  string
	index int // among the files of the Run
}

// plan is what a Run is to do.
type plan struct {
	jobs []*job
	// twins are names of which some file systems take the one for the other.
	twins [][2]string
}

// errUnchecked says that the caller made a file of which nothing can be checked.
var errUnchecked = errors.New("nothing says what the content must be")

// checkNames says whether files may have their paths at any destination.
func checkNames(files []File) error {
	for _, f := range files {
		if err := checkName(f.Path); err != nil {
			return err
		}
	}
	return nil
}

// makePlan holds files to what File says of them. A file whose digests contradict
// each other is wrong, which it leaves in its result. With share, files of the
// same Blob are one job.
func makePlan(files []File, share bool, results []Result) (*plan, error) {
	p := new(plan)
	blobs := make(map[string]*job)
	for i, f := range files {
		if share && f.Blob == "" {
			return nil, fmt.Errorf("%q: the cache needs the name of its content: %w", f.Path, errUnchecked)
		}
		if err := checkContent(&f); err != nil {
			if !errors.Is(err, ErrWrong) {
				return nil, fmt.Errorf("%q: %w", f.Path, err)
			}
			results[i].Err = fmt.Errorf("%q: %w", f.Path, err)
			continue
		}
		m := member{f.Path, i}
		if j := blobs[f.Blob]; share && j != nil {
			if err := j.join(m, &f); err != nil {
				results[i].Err = err
			}
			continue
		}
		j := &job{File: f, members: []member{m}}
		p.jobs = append(p.jobs, j)
		if share {
			blobs[f.Blob] = j
		}
	}
	var err error
	p.twins, err = findTwins(files)
	return p, err
}

// join adds a file that the listing says has the same content.
func (j *job) join(m member, f *File) error {
	same := func(a, b Range) bool {
		return a.Start == b.Start && a.End == b.End && bytes.Equal(a.Digest, b.Digest)
	}
	contradicts := len(f.Want) > 0 && len(j.Want) > 0 &&
		(f.Algorithm != j.Algorithm || !slices.EqualFunc(f.Want, j.Want, same))
	if f.Size != j.Size || contradicts {
		return fmt.Errorf("%q: %w: listed with the same content as %q, of which another size or digest is expected",
			m.path, ErrWrong, j.Path)
	}
	if len(j.Want) == 0 {
		j.Want, j.Algorithm = f.Want, f.Algorithm
	}
	if j.Content == nil {
		j.Content = f.Content
	}
	j.members = append(j.members, m)
	return nil
}

// checkName says whether a file may have this path at a destination. Git's own
// folder is no place for what came from elsewhere: a hook there would be run.
func checkName(path string) error {
	// Localize takes relative paths without "..", as far as this system has them.
	if _, err := filepath.Localize(path); err != nil || path == "." {
		return fmt.Errorf("%q %w: expected a relative path, without %q, of names that this system allows", path, ErrName, "..")
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.EqualFold(part, ".git") || strings.EqualFold(part, "git~1") {
			return fmt.Errorf("%q %w: it belongs to git", path, ErrName)
		}
	}
	return nil
}

// checkContent sees that what a file says of its content can be checked, and
// does not contradict itself.
func checkContent(f *File) error {
	if f.Size < 0 {
		return fmt.Errorf("a size of %d bytes", f.Size)
	}
	if raw, err := hex.DecodeString(f.Blob); err != nil || f.Blob != strings.ToLower(f.Blob) ||
		!slices.Contains([]int{0, sha1Size, sha256Size}, len(raw)) {
		return fmt.Errorf("%w: %.100q is no digest in 40 or 64 hex digits", errUnchecked, f.Blob)
	}
	if f.Content != nil && int64(len(f.Content)) != f.Size {
		return fmt.Errorf("%w: expected %d bytes, found %d", ErrWrong, f.Size, len(f.Content))
	}
	if len(f.Want) == 0 {
		if f.Blob == "" && f.Size > 0 {
			return errUnchecked
		}
		return nil
	}
	h, err := f.Algorithm.New()
	if err != nil {
		return err
	}
	var end int64
	for _, r := range f.Want {
		if r.Start != end || r.End < r.Start || r.End == r.Start && len(f.Want) > 1 || len(r.Digest) != h.Size() {
			return fmt.Errorf("%w: its ranges do not follow each other, or have no digest of %s", errUnchecked, f.Algorithm)
		}
		end = r.End
	}
	if end != f.Size {
		return fmt.Errorf("%w: expected %d bytes, the source lists %d", ErrWrong, end, f.Size)
	}
	if whole := f.wholeSHA256(); whole != "" && len(f.Blob) == len(whole) && f.Blob != whole {
		return fmt.Errorf("%w: expected sha256 %s, the source lists %s", ErrWrong, whole, f.Blob)
	}
	return nil
}

// wholeSHA256 is the SHA-256 that the whole file must have by Want, "" if Want
// does not say that.
func (f *File) wholeSHA256() string {
	if len(f.Want) == 1 && f.Algorithm == digest.SHA256 {
		return hex.EncodeToString(f.Want[0].Digest)
	}
	return ""
}

// findTwins finds names that no file system has beside each other, which is an
// error, and those that some do not have.
func findTwins(files []File) (twins [][2]string, err error) {
	isFile := make(map[string]bool, len(files))
	for _, f := range files {
		if isFile[f.Path] {
			return nil, fmt.Errorf("%q %w: it is listed twice", f.Path, ErrName)
		}
		isFile[f.Path] = true
	}
	spelled := make(map[string]string, len(files)) // how a name was written first
	see := func(name string) {
		if first, seen := spelled[fold.Path(name)]; !seen {
			spelled[fold.Path(name)] = name
		} else if first != name {
			twins = append(twins, [2]string{first, name})
		}
	}
	seen := make(map[string]bool)
	for _, f := range files {
		see(f.Path)
		for dir := parent(f.Path); dir != "" && !seen[dir]; dir = parent(dir) {
			seen[dir] = true
			if isFile[dir] {
				return nil, fmt.Errorf("%q %w: %q is below it", dir, ErrName, f.Path)
			}
			see(dir)
		}
	}
	return twins, nil
}
