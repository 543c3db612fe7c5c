package memory

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// entry is one digest that is remembered.
type entry struct {
	key
	value
}

// key is what a digest is of: a byte range of an inode. A length of -1 is the
// whole file.
type key struct {
	dev, ino       uint64
	algorithm      digest.Algorithm
	offset, length int64
}

// value is a digest, and the state in which the file had it.
type value struct {
	state
	digest string // bytes, not hexadecimal
}

// state is what changes with a file's bytes. Times are in nanoseconds since 1970.
type state struct {
	size         int64
	mtime, ctime int64
}

// The form of the file: the magic line, the number of entries, the entries, and
// an HMAC-SHA256 over all that. Numbers are big-endian. An entry has the
// algorithm in one byte, the numbers of its key and state in eight bytes each,
// in the order of their declaration, and the digest.
const (
	magic = "git-model-sign digests 1\n"

	entryHead = 1 + 7*8
	// maxSize bounds the file, in bytes, and maxEntries what it holds.
	maxSize    = 64 << 20
	maxEntries = (maxSize - len(magic) - 4 - sha256.Size) / (entryHead + 64)
)

// codes are the algorithms as they are written.
var codes = [...]digest.Algorithm{1: digest.SHA256, 2: digest.BLAKE2b, 3: digest.BLAKE3}

// sizes are the algorithms' digests in bytes.
var sizes = map[digest.Algorithm]int{digest.SHA256: 32, digest.BLAKE2b: 64, digest.BLAKE3: 32}

// errForm says that a file is damaged, or not ours.
var errForm = errors.New("not a memory of digests")

// encode writes entries down under a key.
func encode(entries []entry, secret []byte) []byte {
	b := make([]byte, 0, len(magic)+4+len(entries)*(entryHead+32)+sha256.Size)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	for _, e := range entries {
		for code, a := range codes {
			if code > 0 && a == e.algorithm {
				b = append(b, byte(code))
			}
		}
		for _, n := range [...]uint64{e.dev, e.ino, uint64(e.offset), uint64(e.length), uint64(e.size), uint64(e.mtime), uint64(e.ctime)} {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		b = append(b, e.digest...)
	}
	return append(b, authenticate(b, secret)...)
}

func authenticate(b, secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(b)
	return mac.Sum(nil)
}

// decode is the reverse of encode. Nothing is read of a file that does not have
// the right authentication.
func decode(b, secret []byte) ([]entry, error) {
	if len(b) > maxSize || len(b) < len(magic)+4+sha256.Size || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errForm
	}
	body, mac := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(mac, authenticate(body, secret)) {
		return nil, fmt.Errorf("%w of this user, machine and path", errForm)
	}
	return decodeEntries(body[len(magic):])
}

// decodeEntries reads the number of entries and the entries.
func decodeEntries(b []byte) ([]entry, error) {
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)/entryHead) {
		return nil, fmt.Errorf("%w: expected %d entries in %d bytes", errForm, n, len(b))
	}
	entries := make([]entry, 0, n)
	seen := make(map[key]bool, n)
	for range n {
		e, rest, ok := decodeEntry(b)
		if !ok || seen[e.key] {
			return nil, fmt.Errorf("%w: entry %d", errForm, len(entries))
		}
		seen[e.key] = true
		entries, b = append(entries, e), rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errForm, len(b))
	}
	return entries, nil
}

func decodeEntry(b []byte) (e entry, rest []byte, ok bool) {
	if len(b) < entryHead || b[0] == 0 || int(b[0]) >= len(codes) {
		return e, nil, false
	}
	e.algorithm = codes[b[0]]
	var n [7]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(b[1+8*i:])
	}
	e.dev, e.ino = n[0], n[1]
	e.offset, e.length, e.size = int64(n[2]), int64(n[3]), int64(n[4])
	e.mtime, e.ctime = int64(n[5]), int64(n[6])
	b = b[entryHead:]
	if !e.plausible() || len(b) < sizes[e.algorithm] {
		return e, nil, false
	}
	e.digest = string(b[:sizes[e.algorithm]])
	return e, b[sizes[e.algorithm]:], true
}

// plausible says whether the byte range lies in the file.
func (e entry) plausible() bool {
	switch {
	case e.size < 0 || e.offset < 0 || e.offset > e.size:
		return false
	case e.length == -1:
		return true
	}
	return e.length >= 0 && e.length <= e.size-e.offset
}
