package digest

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"unsafe"
)

//go:generate sh _asm/generate.sh .

const (
	blockSize = 64 // bytes of a SHA-256 block
	// maxCall is the most bytes of one message that are compressed at once:
	// assembly cannot be preempted, and everybody else waits for it.
	maxCall = 64 << 10
	// Lanes that a kernel can have at most.
	maxFast, maxSlow = 4, 8
)

// state is the chaining value of SHA-256, words a to h.
type state = [8]uint32

// initial is FIPS 180-4, section 5.3.3.
var initial = state{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// kernel is code that compresses blocks of several messages on one core.
//
// It has fast lanes, and it may have slow ones: each time that a fast lane does
// ratio blocks, a slow one does a single block.
type kernel struct {
	name       string
	fast, slow int
	ratio      int
	compress   func(l *lanes, n int) // n·ratio blocks in fast lanes, n in slow ones
}

// blocks is what n=1 gets done with c messages, 0 if they are too few.
func (k *kernel) blocks(c int) int {
	if c < k.fast || k.slow > 0 && c == k.fast {
		return 0
	}
	return k.fast*k.ratio + min(k.slow, c-k.fast)
}

// lanes is what a kernel works on, in the layout that assembly wants.
type lanes struct {
	fast [maxFast]state
	slow [8][maxSlow]uint32 // by word, then by lane
	data [maxFast + maxSlow]*byte
}

// message is a lane's content: whole blocks and the state before them.
type message struct {
	state *state
	data  []byte
}

// run compresses n·ratio blocks of the first messages and n blocks of the
// others, at most as many as there are lanes, and takes them off their data.
func (k *kernel) run(l *lanes, messages []message, n int) {
	fast, slow := messages[:k.fast], messages[k.fast:]
	for i, m := range fast {
		l.fast[i] = *m.state
		l.data[i] = unsafe.SliceData(m.data)
	}
	for i := range k.slow {
		// A lane without a message works on another's data; nobody looks.
		from := 0
		if i < len(slow) {
			from = i
			for w, v := range slow[i].state {
				l.slow[w][i] = v
			}
		}
		l.data[k.fast+i] = unsafe.SliceData(slow[from].data)
	}
	k.compress(l, n)
	for i, m := range fast {
		*m.state = l.fast[i]
		fast[i].data = m.data[n*k.ratio*blockSize:]
	}
	for i, m := range slow {
		for w := range m.state {
			m.state[w] = l.slow[w][i]
		}
		slow[i].data = m.data[n*blockSize:]
	}
	l.data = [maxFast + maxSlow]*byte{} // hold on to no buffer
}

// pad appends the end of a message of total bytes (FIPS 180-4, section 5.1.1)
// to its last bytes. There must be room for 72 bytes more.
func pad(last []byte, total int64) []byte {
	n := len(last)
	end := (n + 1 + 8 + blockSize - 1) / blockSize * blockSize
	last = last[:end]
	last[n] = 0x80
	clear(last[n+1 : end-8])
	binary.BigEndian.PutUint64(last[end-8:], uint64(total)*8)
	return last
}

// appendSum appends the digest that a final state stands for.
func appendSum(d []byte, s *state) []byte {
	for _, w := range s {
		d = binary.BigEndian.AppendUint32(d, w)
	}
	return d
}

// portable is crypto/sha256 as a kernel: the twin that every other is held
// against, and what there is where the CPU is unknown.
var portable = kernel{name: "generic", fast: 1, ratio: 1, compress: compressPortable}

// compressPortable goes through the saved form of crypto/sha256's state, which
// is its only way in and out in the middle of a message: a magic number, the
// words, a block not yet complete (none, for us) and a length, where any whole
// number of blocks will do.
func compressPortable(l *lanes, n int) {
	const magic, words = "sha\x03", 4
	var buf [words + 8*4 + blockSize + 8]byte
	copy(buf[:], magic)
	for i, w := range l.fast[0] {
		binary.BigEndian.PutUint32(buf[words+4*i:], w)
	}
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(buf[:]); err != nil {
		panic("digest: crypto/sha256 refuses its own state: " + err.Error())
	}
	h.Write(unsafe.Slice(l.data[0], n*blockSize))
	saved, err := h.(encoding.BinaryAppender).AppendBinary(buf[:0])
	if err != nil {
		panic("digest: crypto/sha256 cannot save its state: " + err.Error())
	}
	for i := range l.fast[0] {
		l.fast[0][i] = binary.BigEndian.Uint32(saved[words+4*i:])
	}
}
