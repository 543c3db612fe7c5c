package memory

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

var secret = []byte("a secret of a user")

func entryOf(ino uint64) entry {
	return entry{key{dev: 1, ino: ino, algorithm: digest.SHA256, length: -1},
		value{state: state{size: 5, mtime: -1, ctime: 1}, digest: strings.Repeat("d", 32)}}
}

func TestFormGoesBothWays(t *testing.T) {
	shard := entry{key{dev: 1 << 63, ino: 1<<64 - 1, algorithm: digest.BLAKE2b, offset: 2, length: 3},
		value{state{5, 1, 2}, strings.Repeat("b", 64)}}
	blake3 := entryOf(3)
	blake3.algorithm = digest.BLAKE3
	for _, want := range [][]entry{{}, {entryOf(1)}, {entryOf(2), shard, blake3}} {
		got, err := decode(encode(want, secret), secret)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

// seal puts the authentication under entries that encode would not write.
func seal(entries []byte) []byte {
	b := append([]byte(magic), entries...)
	return append(b, authenticate(b, secret)...)
}

func TestFormIsStrict(t *testing.T) {
	good := encode([]entry{entryOf(1)}, secret)
	body := good[len(magic) : len(good)-32]
	at := func(offset int, b byte) []byte {
		changed := bytes.Clone(body)
		changed[4+offset] = b
		return seal(changed)
	}
	if _, err := decode(seal(body), secret); err != nil {
		t.Fatal(err)
	}
	twice := binary.BigEndian.AppendUint32(nil, 2)
	twice = append(append(twice, body[4:]...), body[4:]...)
	for name, b := range map[string][]byte{
		"nothing":                  nil,
		"another version":          append([]byte(strings.Replace(magic, "1", "2", 1)), good[len(magic):]...),
		"another key":              encode([]entry{entryOf(1)}, []byte("another")),
		"no algorithm":             at(0, 0),
		"an unknown algorithm":     at(0, 4),
		"a digest that is cut":     at(0, 2),
		"a negative size":          at(1+4*8, 0xff),
		"an offset behind the end": at(1+2*8+7, 6),
		"a length below -1":        at(1+3*8+7, 0xfe),
		"fewer than it says":       seal(binary.BigEndian.AppendUint32(nil, 1)),
		"more than it says":        seal(append(slices.Clone(body), 0)),
		"far more than there are":  seal(binary.BigEndian.AppendUint32(nil, 1<<32-1)),
		"the same twice":           seal(twice),
	} {
		if entries, err := decode(b, secret); err == nil {
			t.Errorf("%s: taken for %v", name, entries)
		}
	}
}

func TestMergeKeepsTheLatest(t *testing.T) {
	used := entryOf(1)
	stale, foreign := used, entryOf(2)
	stale.digest = strings.Repeat("x", 32)
	got := merge([]entry{stale, foreign}, map[key]value{used.key: used.value, entryOf(9).key: entryOf(9).value}, []key{used.key})
	if want := []entry{used, foreign}; !slices.Equal(got, want) {
		t.Errorf("got %v, want what this run used, and then what another wrote: %v", got, want)
	}
}

func TestMergeIsBounded(t *testing.T) {
	old := make([]entry, keptUnused+10)
	for i := range old {
		old[i] = entryOf(uint64(i))
	}
	got := merge(old, nil, nil)
	if len(got) != keptUnused || got[0] != old[0] {
		t.Errorf("%d are kept, want the first %d", len(got), keptUnused)
	}
	if testing.Short() {
		return // the rest takes seconds
	}
	entries, recent := map[key]value{}, []key{}
	for i := range maxEntries + 10 {
		e := entryOf(uint64(i))
		entries[e.key], recent = e.value, append(recent, e.key)
	}
	got = merge(nil, entries, recent)
	if len(got) != maxEntries || got[0].ino != uint64(maxEntries+9) {
		t.Errorf("%d are kept, want the last %d", len(got), maxEntries)
	}
	if n := len(encode(got, secret)); n > maxSize {
		t.Errorf("that takes %d bytes, more than are read", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode([]entry{entryOf(1), entryOf(2)}, secret)[len(magic):])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decode(append([]byte(magic), b...), []byte("not the key of any input")); err == nil {
			t.Error("believed without its key")
		}
		if len(b) < 4 {
			return
		}
		entries, err := decodeEntries(b)
		if err != nil {
			return
		}
		written := encode(entries, secret)
		if !bytes.Equal(written[len(magic):len(written)-32], b) {
			t.Errorf("%x is written as %x", b, written)
		}
	})
}
