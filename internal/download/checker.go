package download

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

const (
	sha1Size   = sha1.Size
	sha256Size = sha256.Size
)

// checker hashes the content of a file from its first byte to its last and says
// whether it is what was expected.
type checker struct {
	file *File
	done int64 // bytes
	// part hashes the range with the number at.
	part hash.Hash
	at   int
	blob hash.Hash // nil where Want says as much
}

// newChecker makes a checker for a file that checkContent has seen.
func newChecker(f *File) (*checker, error) {
	c := &checker{file: f}
	if len(f.Want) > 0 {
		var err error
		if c.part, err = f.Algorithm.New(); err != nil {
			return nil, err
		}
	}
	switch {
	case len(f.Blob) == 2*sha256Size && f.wholeSHA256() == "":
		c.blob = sha256.New()
	case len(f.Blob) == 2*sha1Size:
		c.blob = sha1.New()
		fmt.Fprintf(c.blob, "blob %d\x00", f.Size)
	}
	return c, nil
}

// write takes the next bytes. The error is an ErrWrong as soon as a range is
// complete that has another digest, or there are too many bytes.
func (c *checker) write(b []byte) error {
	if c.blob != nil {
		c.blob.Write(b)
	}
	for c.at < len(c.file.Want) && len(b) > 0 {
		n := min(int64(len(b)), c.file.Want[c.at].End-c.done)
		c.part.Write(b[:n])
		b, c.done = b[n:], c.done+n
		if err := c.endRange(); err != nil {
			return err
		}
	}
	if c.done += int64(len(b)); c.done > c.file.Size {
		return fmt.Errorf("%w: expected %d bytes, found more", ErrWrong, c.file.Size)
	}
	return nil
}

// endRange judges the range that is hashed, if it is complete.
func (c *checker) endRange() error {
	r := c.file.Want[c.at]
	if c.done < r.End {
		return nil
	}
	if found := c.part.Sum(nil); !bytes.Equal(found, r.Digest) {
		where := ""
		if len(c.file.Want) > 1 {
			where = fmt.Sprintf(" in bytes %d to %d", r.Start, r.End)
		}
		return fmt.Errorf("%w%s: expected %s %x, found %x", ErrWrong, where, c.file.Algorithm, r.Digest, found)
	}
	c.part.Reset()
	c.at++
	return nil
}

// finish judges the whole content.
func (c *checker) finish() error {
	if c.done != c.file.Size {
		return fmt.Errorf("%w: expected %d bytes, found %d", ErrWrong, c.file.Size, c.done)
	}
	if c.at < len(c.file.Want) { // an empty file's range, which nothing was written to
		if err := c.endRange(); err != nil {
			return err
		}
	}
	if c.blob == nil {
		return nil
	}
	if found := hex.EncodeToString(c.blob.Sum(nil)); found != c.file.Blob {
		algorithm := "sha256"
		if len(c.file.Blob) == 2*sha1Size {
			algorithm = "git blob"
		}
		return fmt.Errorf("%w: expected %s %s, found %s", ErrWrong, algorithm, c.file.Blob, found)
	}
	return nil
}
