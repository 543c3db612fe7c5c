package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The index file of versions 2 to 4, as gitformat-index(5) has it.
const (
	indexSignature = "DIRC"
	indexStart     = 12
	entryMode      = 24 // where the mode of an entry stands
	entryID        = 40
	entryFlags     = entryID + idSize
	entryHead      = entryFlags + 2

	flagExtended = 0x4000
	flagStage    = 0x3000

	flagSkipWorktree = 0x4000 // in the flags that a version 3 adds
	flagIntentToAdd  = 0x2000

	// What the names of a version 4 have in common takes up nothing in the file, so
	// that a small one could name more than fits into memory. In all it may be this
	// many bytes, and so many more for each byte of the file.
	minPrefixes = 1 << 20
	prefixRatio = 16
)

// errIndex says that an index file is not in a form that is read here.
var errIndex = errors.New("index file is not understood")

// parseIndex decodes an index file. One that is split, sparse, of an unknown
// version, out of order, holds folders, has an extension that must be understood, or has no valid
// checksum is an error.
func parseIndex(b []byte) ([]Entry, error) {
	if len(b) < indexStart+idSize || string(b[:4]) != indexSignature {
		return nil, errIndex
	}
	sum := sha1.Sum(b[:len(b)-idSize])
	if !bytes.Equal(sum[:], b[len(b)-idSize:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errIndex)
	}
	version, claimed := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	b = b[indexStart : len(b)-idSize]
	if version < 2 || version > 4 || int64(claimed) > int64(len(b)/entryHead) {
		return nil, fmt.Errorf("%w: version %d, %d entries", errIndex, version, claimed)
	}
	count := int(claimed)
	p := indexParser{rest: string(b), version: version, ids: make([]byte, 0, count*2*idSize), spare: minPrefixes + prefixRatio*len(b)}
	entries := make([]Entry, 0, count)
	for range count {
		e, ok := p.entry()
		if ok && len(entries) > 0 {
			last := &entries[len(entries)-1]
			order := strings.Compare(last.Path, e.Path)
			ok = order < 0 || order == 0 && last.Stage < e.Stage
		}
		if !ok {
			return nil, fmt.Errorf("%w: entry %d", errIndex, len(entries))
		}
		entries = append(entries, e)
	}
	ids := string(p.ids)
	for i := range entries {
		entries[i].OID = ids[i*2*idSize : (i+1)*2*idSize]
	}
	return entries, p.extensions()
}

// indexParser is what is left of an index file.
type indexParser struct {
	rest    string
	version uint32
	path    string // of the last entry
	ids     []byte // in hex, of the entries so far
	spare   int    // how many bytes names may still have in common with the last ones
}

// entry decodes an entry but for its object id, which it adds to ids.
func (p *indexParser) entry() (e Entry, ok bool) {
	s := p.rest
	if len(s) < entryHead+2 {
		return e, false
	}
	p.ids = hex.AppendEncode(p.ids, []byte(s[entryID:entryFlags]))
	flags := uint16(s[entryFlags])<<8 | uint16(s[entryFlags+1])
	e.Mode = uint32(s[entryMode])<<24 | uint32(s[entryMode+1])<<16 | uint32(s[entryMode+2])<<8 | uint32(s[entryMode+3])
	e.Stage = int(flags&flagStage) >> 12
	head := entryHead
	if flags&flagExtended != 0 {
		more := uint16(s[head])<<8 | uint16(s[head+1])
		if p.version < 3 || more&^(flagSkipWorktree|flagIntentToAdd) != 0 {
			return e, false
		}
		e.SkipWorktree, e.IntentToAdd = more&flagSkipWorktree != 0, more&flagIntentToAdd != 0
		head += 2
	}
	prefix, used, ok := p.prefix(s[head:])
	head += used
	name, _, ended := strings.Cut(s[head:], "\x00")
	if !ok || !ended {
		return e, false
	}
	length := head + len(name) + 1
	if p.version < 4 {
		length = (head + len(name) + 8) &^ 7 // one to eight NUL
	}
	if length > len(s) || strings.Trim(s[head+len(name):length], "\x00") != "" {
		return e, false
	}
	if p.spare -= len(prefix); p.spare < 0 {
		return e, false
	}
	if prefix != "" {
		name = prefix + name
	}
	e.Path, p.path, p.rest = name, name, s[length:]
	return e, name != "" && isFileMode(e.Mode)
}

// isFileMode says whether a mode is that of a file, a symbolic link or a submodule, and
// not of a folder, which stands for all that it holds.
func isFileMode(mode uint32) bool {
	switch mode &^ 0o7777 {
	case ModeFile &^ 0o7777, ModeSymlink, ModeSubmodule:
		return true
	}
	return false
}

// prefix is what the name of an entry has in common with the last one, from version
// 4 on, and how many bytes say so.
func (p *indexParser) prefix(s string) (prefix string, used int, ok bool) {
	if p.version < 4 {
		return "", 0, true
	}
	drop, used, ok := offsetVarint(s)
	if !ok || drop > uint64(len(p.path)) {
		return "", 0, false
	}
	return p.path[:len(p.path)-int(drop)], used, true
}

// offsetVarint reads a number in the form that packs have for offsets.
func offsetVarint(s string) (n uint64, used int, ok bool) {
	for used < len(s) && used < 8 {
		c := s[used]
		if used++; used > 1 {
			n = (n + 1) << 7
		}
		n |= uint64(c & 0x7f)
		if c&0x80 == 0 {
			return n, used, true
		}
	}
	return 0, 0, false
}

// extensions sees that what follows the entries may be passed over.
func (p *indexParser) extensions() error {
	for s := p.rest; s != ""; {
		if len(s) < 8 || s[0] < 'A' || s[0] > 'Z' {
			return fmt.Errorf("%w: extension %.4q", errIndex, s)
		}
		size := uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
		if size > uint64(len(s)-8) {
			return fmt.Errorf("%w: extension %.4q ends early", errIndex, s)
		}
		s = s[8+size:]
	}
	return nil
}
