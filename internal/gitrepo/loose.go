package gitrepo

import (
	"bufio"
	"compress/zlib"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func (r *Repository) loosePath(oid string) string {
	return filepath.Join(r.CommonDir, "objects", oid[:2], oid[2:])
}

// looseReader reads one object after the other.
type looseReader struct {
	inflate io.ReadCloser
	in      *bufio.Reader
	out     *bufio.Reader
}

// maxLooseHeader bounds the length of `blob <size> NUL`, in bytes.
const maxLooseHeader = 32

var errLoose = errors.New("no loose blob")

// read reads a blob of at most max bytes, and of a longer one its size. What is
// read is held against its id.
func (l *looseReader) read(r *Repository, oid string, max int64) (b localBlob, err error) {
	f, err := os.Open(r.loosePath(oid))
	if err != nil {
		return b, err
	}
	defer f.Close()
	if err := l.reset(f); err != nil {
		return b, err
	}
	header, err := l.out.ReadSlice(0)
	if err != nil {
		return b, err
	}
	digits, isBlob := strings.CutPrefix(string(header[:len(header)-1]), "blob ")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !isBlob || size < 0 || len(header) > maxLooseHeader {
		return b, errLoose
	}
	if size > max {
		return localBlob{size: size}, nil
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(l.out, content); err != nil {
		return b, err
	}
	if _, err := l.out.ReadByte(); !errors.Is(err, io.EOF) || r.objectID(content) != oid {
		return b, errLoose
	}
	return localBlob{content: content, size: size}, nil
}

// reset begins with another file.
func (l *looseReader) reset(f io.Reader) error {
	if l.inflate == nil {
		l.in = bufio.NewReader(f)
		var err error
		l.inflate, err = zlib.NewReader(l.in)
		if err == nil {
			l.out = bufio.NewReader(l.inflate)
		}
		return err
	}
	l.in.Reset(f)
	if err := l.inflate.(zlib.Resetter).Reset(l.in, nil); err != nil {
		return err
	}
	l.out.Reset(l.inflate)
	return nil
}
