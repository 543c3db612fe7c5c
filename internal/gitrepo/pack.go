package gitrepo

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
)

// A pack and its index, version 2, as gitformat-pack(5) has them. Only blobs that
// stand in the pack as a whole are read here; deltas are git's to resolve.
const (
	packMagic   = "PACK"
	indexMagic  = "\xfftOc\x00\x00\x00\x02"
	packHead    = 12
	indexHead   = len(indexMagic) + 256*4
	idSize      = 20
	indexTail   = 2 * idSize // the pack's checksum, and the index's own
	packedBlob  = 3          // the type of an object
	maxHeader   = 10         // bytes of the type and size of an object
	largeOffset = 1 << 31    // says that an offset stands in the table of large ones
	// maxPacks is how many packs are opened at once.
	maxPacks = 64
	// maxBucket is how many ids with the same first byte are read, which is to hold for
	// packs of more than a hundred million objects. What says that it has more is git's.
	maxBucket = 1 << 20
)

var (
	// errPack says that something is in a pack in a form that is not read here.
	errPack = errors.New("no whole blob of a pack")
	// errNoPack says that an object is in no pack.
	errNoPack = errors.New("not packed")
)

// pack is one pack. It may be used from several goroutines.
type pack struct {
	index, data *os.File
	size        int64 // of data, without the checksum at its end
	fanout      [256]uint32
	buckets     [256]atomic.Pointer[bucket]
}

// bucket is what an index says of the objects whose ids have the same first byte.
type bucket struct {
	ids       []byte // sorted
	checksums []byte // CRC-32 of the objects as they are in the pack
	offsets   []byte
}

// openPacks opens the packs of a plain repository. Those that are not understood
// are left out, and all if there are too many.
func (r *Repository) openPacks() []*pack {
	if !r.plain() {
		return nil
	}
	dir := filepath.Join(r.CommonDir, "objects", "pack")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var packs []*pack
	for _, e := range entries {
		name, isIndex := strings.CutSuffix(e.Name(), ".idx")
		if !isIndex {
			continue
		}
		if len(packs) == maxPacks {
			closePacks(packs)
			return nil
		}
		if p, err := openPack(filepath.Join(dir, name)); err == nil {
			packs = append(packs, p)
		}
	}
	return packs
}

func closePacks(packs []*pack) {
	for _, p := range packs {
		p.close()
	}
}

func openPack(name string) (*pack, error) {
	p := &pack{}
	var err error
	if p.index, err = os.Open(name + ".idx"); err == nil {
		if p.data, err = os.Open(name + ".pack"); err == nil {
			err = p.check()
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pack) close() {
	for _, f := range []*os.File{p.index, p.data} {
		if f != nil {
			f.Close()
		}
	}
}

// check sees that both files are of a known form, whole, and belong together.
func (p *pack) check() error {
	indexSize, size := sizeOf(p.index), sizeOf(p.data)
	p.size = size - idSize
	var head [indexHead]byte
	var start [packHead]byte
	var indexEnd [indexTail]byte
	var end [idSize]byte
	for _, part := range []struct {
		f    *os.File
		b    []byte
		from int64
	}{{p.index, head[:], 0}, {p.index, indexEnd[:], indexSize - indexTail}, {p.data, start[:], 0}, {p.data, end[:], p.size}} {
		if part.from < 0 {
			return errPack
		}
		if _, err := part.f.ReadAt(part.b, part.from); err != nil {
			return err
		}
	}
	if !bytes.HasPrefix(head[:], []byte(indexMagic)) || !bytes.Equal(indexEnd[:idSize], end[:]) {
		return errPack
	}
	for i := range p.fanout {
		p.fanout[i] = binary.BigEndian.Uint32(head[len(indexMagic)+4*i:])
		if i > 0 && p.fanout[i] < p.fanout[i-1] {
			return errPack
		}
	}
	if string(start[:4]) != packMagic || binary.BigEndian.Uint32(start[4:]) != 2 || binary.BigEndian.Uint32(start[8:]) != p.count() ||
		indexSize < p.largeOffsets()+indexTail {
		return errPack
	}
	return nil
}

func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

func (p *pack) count() uint32 { return p.fanout[255] }

// checksums, offsets and largeOffsets are where the index has these tables, behind
// that of ids.
func (p *pack) checksums() int64 { return int64(indexHead) + int64(p.count())*idSize }

func (p *pack) offsets() int64 { return p.checksums() + int64(p.count())*4 }

func (p *pack) largeOffsets() int64 { return p.offsets() + int64(p.count())*4 }

// bucket reads what the index says of ids that begin with a byte.
func (p *pack) bucket(first byte) (*bucket, error) {
	if b := p.buckets[first].Load(); b != nil {
		return b, nil
	}
	from, to := int64(0), int64(p.fanout[first])
	if first > 0 {
		from = int64(p.fanout[first-1])
	}
	n := to - from
	if n > maxBucket {
		return nil, errPack
	}
	b := &bucket{ids: make([]byte, n*idSize), checksums: make([]byte, n*4), offsets: make([]byte, n*4)}
	_, err := p.index.ReadAt(b.ids, int64(indexHead)+from*idSize)
	if err == nil {
		_, err = p.index.ReadAt(b.checksums, p.checksums()+from*4)
	}
	if err == nil {
		_, err = p.index.ReadAt(b.offsets, p.offsets()+from*4)
	}
	if err != nil {
		return nil, err
	}
	p.buckets[first].Store(b)
	return b, nil
}

// place is where an object begins in a pack.
type place struct {
	pack     *pack // nil for nowhere
	offset   int64
	checksum uint32
}

// find returns where an object is.
func (p *pack) find(id *[idSize]byte) (at place, found bool) {
	b, err := p.bucket(id[0])
	if err != nil {
		return place{}, false
	}
	i, found := sort.Find(len(b.ids)/idSize, func(i int) int { return bytes.Compare(id[:], b.ids[i*idSize:(i+1)*idSize]) })
	if !found {
		return place{}, false
	}
	offset := int64(binary.BigEndian.Uint32(b.offsets[4*i:]))
	if offset&largeOffset != 0 {
		var large [8]byte
		if _, err := p.index.ReadAt(large[:], p.largeOffsets()+(offset&^largeOffset)*8); err != nil {
			return place{}, false
		}
		offset = int64(binary.BigEndian.Uint64(large[:]))
	}
	return place{p, offset, binary.BigEndian.Uint32(b.checksums[4*i:])}, offset >= packHead && offset < p.size
}

// packReader reads one object after the other.
type packReader struct {
	raw     []byte
	in      bytes.Reader
	inflate io.ReadCloser
	content []byte // of one that is read for a while only
}

// deflated is how many bytes a content takes at most when it is deflated, by any
// setting of zlib.
func deflated(size int64) int64 { return size + size>>5 + 64 }

// blob reads the object at a place, if it is a blob as a whole: its size, and if
// that is at most max its content, which is held against its checksum. Content that
// is expected to be of some size is read in one go; it stands in buf if that is large
// enough.
func (l *packReader) blob(at place, expected, max int64, buf []byte) (size int64, content []byte, err error) {
	raw, err := l.read(at, maxHeader+deflated(min(expected, max)))
	if err != nil {
		return 0, nil, err
	}
	size, n, ok := parsePackedHeader(raw)
	if !ok {
		return 0, nil, errPack
	}
	if size > max {
		return size, nil, nil
	}
	if need := int64(n) + deflated(size); int64(len(raw)) < need {
		if raw, err = l.read(at, need); err != nil {
			return 0, nil, err
		}
	}
	if content = buf; int64(cap(buf)) < size || buf == nil {
		content = make([]byte, size)
	}
	content = content[:size]
	read, err := l.inflateInto(content, raw[n:])
	if err == nil && crc32.ChecksumIEEE(raw[:n+read]) != at.checksum {
		err = errPack
	}
	return size, content, err
}

// read reads up to so many bytes from a place on; fewer only at the end of the pack.
func (l *packReader) read(at place, length int64) ([]byte, error) {
	length = min(length, at.pack.size-at.offset)
	if length <= 0 {
		return nil, errPack
	}
	if int64(cap(l.raw)) < length {
		l.raw = make([]byte, length)
	}
	l.raw = l.raw[:length]
	_, err := at.pack.data.ReadAt(l.raw, at.offset)
	return l.raw, err
}

// inflateInto fills content with what b begins with, a zlib stream (RFC 1950) which
// must end just there, and returns its length. The checksum at its end is not looked
// at, as that of the pack holds for it too, and is quicker.
func (l *packReader) inflateInto(content, b []byte) (read int, err error) {
	const head, sum = 2, 4
	if len(b) < head || b[0]&15 != 8 || b[0]>>4 > 7 || b[1]&0x20 != 0 || binary.BigEndian.Uint16(b)%31 != 0 {
		return 0, errPack
	}
	l.in.Reset(b[head:])
	if l.inflate == nil {
		l.inflate = flate.NewReader(&l.in)
	} else if err := l.inflate.(flate.Resetter).Reset(&l.in, nil); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(l.inflate, content); err != nil {
		return 0, err
	}
	var more [1]byte
	if n, err := l.inflate.Read(more[:]); n > 0 || !errors.Is(err, io.EOF) || l.in.Len() < sum {
		return 0, errPack
	}
	return len(b) - l.in.Len() + sum, nil
}

// parsePackedHeader reads the size of a blob, and how many bytes say so. It is not
// ok for any other type of object.
func parsePackedHeader(b []byte) (size int64, n int, ok bool) {
	if len(b) == 0 || b[0]>>4&7 != packedBlob {
		return 0, 0, false
	}
	size, n = int64(b[0]&15), 1
	for shift := 4; b[n-1]&0x80 != 0; shift += 7 {
		if n == len(b) || shift > 62-7 {
			return 0, 0, false
		}
		size |= int64(b[n]&0x7f) << shift
		n++
	}
	return size, n, true
}

// rawID is an object id in bytes.
func rawID(oid string) (id [idSize]byte, ok bool) {
	n, err := hex.Decode(id[:], []byte(oid))
	return id, err == nil && n == idSize && len(oid) == 2*idSize
}
