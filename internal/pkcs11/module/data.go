//go:build (darwin || linux || windows) && (amd64 || arm64)

package module

import (
	"encoding/binary"
	"math/bits"
	"runtime"
	"strings"
)

// attribute is CK_ATTRIBUTE.
type attribute struct {
	kind  ulong
	value []byte
}

// The attributes of objects that are asked for.
const (
	ckaClass              = 0x000
	ckaLabel              = 0x003
	ckaValue              = 0x011
	ckaKeyType            = 0x100
	ckaID                 = 0x102
	ckaSign               = 0x108
	ckaECParams           = 0x180
	ckaECPoint            = 0x181
	ckaAlwaysAuthenticate = 0x202
)

// unavailable is CK_UNAVAILABLE_INFORMATION, the length of an attribute that an object does not have.
const unavailable = ^ulong(0)

// maxAttribute is the largest value of an attribute that is read, in bytes: certificates are the largest.
const maxAttribute = 64 << 10

// number reads an unsigned number in the machine's byte order.
func number(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

func appendNumber(b []byte, n uint64, size int) []byte {
	if size == 4 {
		return binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	return binary.NativeEndian.AppendUint64(b, n)
}

func appendUlong(b []byte, n ulong) []byte { return appendNumber(b, uint64(n), ulongSize) }

// encoded is a CK_ULONG as an attribute's value, or to be written to.
func encoded(n ulong) []byte { return appendUlong(nil, n) }

// structure is a C structure that is read member by member.
type structure struct {
	b  []byte
	at int
}

func newStructure(size int) *structure { return &structure{b: make([]byte, size)} }

// text reads a text that is padded with blanks.
func (s *structure) text(size int) string {
	b := s.bytes(size)
	return strings.TrimRight(string(b), " \x00")
}

func (s *structure) bytes(size int) []byte {
	b := s.b[s.at : s.at+size]
	s.at += size
	return b
}

func (s *structure) ulong() ulong {
	s.at = (s.at + align - 1) / align * align
	return ulong(number(s.bytes(ulongSize)))
}

// attributes reads attributes of an object, in the order of kinds; one that it does not have is nil.
func (l *library) attributes(session, object ulong, kinds ...ulong) ([][]byte, error) {
	values := make([][]byte, len(kinds))
	for i, kind := range kinds { // one by one: modules differ in what they do where one of several is missing
		size, err := l.attribute(session, object, attribute{kind: kind})
		if err != nil || size == unavailable || size == 0 || size > maxAttribute {
			continue
		}
		value := make([]byte, size)
		written, err := l.attribute(session, object, attribute{kind, value})
		if err != nil {
			return nil, err
		}
		if written <= size {
			values[i] = value[:written]
		}
	}
	return values, nil
}

// attribute calls C_GetAttributeValue, and returns the size that it gives.
func (l *library) attribute(session, object ulong, a attribute) (ulong, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	t := template(&pinner, []attribute{a})
	err := l.call(cGetAttributeValue, session, object, t, ulong(1))
	return ulong(number(t[ulongSize+bits.UintSize/8:][:ulongSize])), err
}

// maxObjects is how many objects of a kind are looked at.
const maxObjects = 1000

// objects finds the objects that have the attributes.
func (l *library) objects(session ulong, having ...attribute) ([]ulong, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	if err := l.call(cFindObjectsInit, session, template(&pinner, having), ulong(len(having))); err != nil {
		return nil, err
	}
	var found []ulong
	var err error
	for len(found) < maxObjects {
		batch, count := make([]byte, 64*ulongSize), encoded(0)
		if err = l.call(cFindObjects, session, batch, ulong(64), count); err != nil {
			break
		}
		n := min(number(count), 64)
		if n == 0 {
			break
		}
		for i := range int(n) {
			found = append(found, ulong(number(batch[i*ulongSize:][:ulongSize])))
		}
	}
	l.call(cFindObjectsFinal, session)
	return found, err
}
