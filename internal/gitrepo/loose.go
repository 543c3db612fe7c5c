package gitrepo

import (
	"bufio"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxLoose bounds the contents that are held at once, in bytes.
	maxLoose = 32 << 20
	// looseSample is how many objects are looked for before it is believed that
	// they are packed.
	looseSample = 32
)

// looseBlob is a blob that is a file of its own.
type looseBlob struct {
	content []byte // nil if it is longer than was asked for
	size    int64
}

// looseBlobs reads those of the blobs that are loose, on all cores: starting git
// and having it open each file twice takes longer. What is not found or not
// understood is left out, for git to be asked. There is nothing unless the
// repository is plain.
func (r *Repository) looseBlobs(ctx context.Context, oids []string, max int64) map[string]looseBlob {
	if !r.plain() || !r.anyLoose(oids[:min(len(oids), looseSample)]) {
		return nil
	}
	read := make([]looseBlob, len(oids))
	var next, held atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var l looseReader
			for ctx.Err() == nil && held.Load() < maxLoose {
				i := int(next.Add(1)) - 1
				if i >= len(oids) {
					return
				}
				read[i].size = -1
				if b, err := l.read(r, oids[i], max); err == nil {
					read[i] = b
					held.Add(int64(len(b.content)))
				}
			}
		})
	}
	wg.Wait()
	found := make(map[string]looseBlob, len(oids))
	for i := range min(int(next.Load()), len(oids)) {
		if read[i].size >= 0 {
			found[oids[i]] = read[i]
		}
	}
	return found
}

func (r *Repository) loosePath(oid string) string {
	return filepath.Join(r.CommonDir, "objects", oid[:2], oid[2:])
}

func (r *Repository) anyLoose(oids []string) bool {
	for _, oid := range oids {
		if _, err := os.Lstat(r.loosePath(oid)); err == nil {
			return true
		}
	}
	return false
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
func (l *looseReader) read(r *Repository, oid string, max int64) (b looseBlob, err error) {
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
		return looseBlob{size: size}, nil
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(l.out, content); err != nil {
		return b, err
	}
	if _, err := l.out.ReadByte(); !errors.Is(err, io.EOF) || r.objectID(content) != oid {
		return b, errLoose
	}
	return looseBlob{content, size}, nil
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
