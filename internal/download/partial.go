package download

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
)

// partialSuffix ends the names of partial files, by which nobody takes one for
// part of a model.
const partialSuffix = ".model-sign-partial"

// partialName names the partial file of a job: by what the content is to be and
// where it goes, so that it is never continued as another.
func (s *store) partialName(j *job) string {
	h := sha256.New()
	add := func(b []byte) {
		binary.Write(h, binary.BigEndian, int64(len(b)))
		h.Write(b)
	}
	add([]byte(s.content(j)))
	add([]byte(j.Blob))
	add([]byte(j.Algorithm))
	binary.Write(h, binary.BigEndian, j.Size)
	for _, r := range j.Want {
		binary.Write(h, binary.BigEndian, r.End)
		add(r.Digest)
	}
	return fmt.Sprintf("%s/%x%s", s.staging, h.Sum(nil)[:16], partialSuffix)
}

// openPartial opens the partial file of a job for more to be written at its end,
// or makes it. What is not a file of our own making is thrown away: a link, or a
// file that has another name too.
func (s *store) openPartial(j *job) (f *os.File, size int64, err error) {
	name := s.partialName(j)
	info, err := s.lookAt(name)
	if err != nil {
		return nil, 0, err
	}
	if info != nil && (!info.Mode().IsRegular() || manyNames(info)) {
		if err := s.root.Remove(name); err != nil {
			return nil, 0, err
		}
		info = nil
	}
	if info == nil {
		f, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		return f, 0, diskError(err)
	}
	f, err = s.openListed(name, info, os.O_RDWR)
	return f, info.Size(), err
}

// discardEmpty throws the partial file of a job away if there is nothing in it.
func (s *store) discardEmpty(j *job) {
	if info, err := s.lookAt(s.partialName(j)); err == nil && info != nil && info.Size() == 0 {
		s.discard(j)
	}
}

// discard throws the partial file of a job away.
func (s *store) discard(j *job) error { return s.root.Remove(s.partialName(j)) }
