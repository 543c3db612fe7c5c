package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// mixed writes a function that works on ten messages: two in the SHA unit, eight
// blocks of each while eight others, one 32-bit lane of a 256-bit register each,
// do one block.
//
// Where SHA256RNDS2 starts only every third cycle (Intel), a second message
// hides no more than a quarter of the first one's time, but the three vector
// ports stand nearly idle beside it. The eight lanes use them, and so does the
// message schedule of the two: SHA256MSG1 is microcode there, so the schedules
// of eight blocks of each are computed in lanes as well, an iteration ahead, and
// leave SHA256RNDS2 a list of word pairs to load.
//
// Registers 16 to 31 are all that the vector part may write: SHA256RNDS2 has
// only a legacy encoding, and that costs a hundred cycles while the upper half
// of any of the registers 0 to 15 is in use.
func mixed(name string, k, flip Mem) {
	TEXT(name, 0, "func(fast *[2][8]uint32, slow *[8][8]uint32, data *[10]*byte, n int)")
	Doc(name+" compresses 8·n blocks of the two messages of fast, whose data comes first, and n",
		"blocks of the eight of slow, where word i of message j is slow[i][j].",
		"It needs SHA, AVX2, AVX512F, AVX512BW and AVX512VL.")
	Pragma("noescape")
	g := &mixer{flip: flip, frame: AllocLocal(frameSize + 64)}
	g.setUp(k)
	for i, r := range state {
		VMOVDQU32(Mem{Base: RSI, Disp: 32 * i}, r)
		VMOVDQU32(r, g.at(slowState+32*i))
	}
	for i, f := range fastRegs {
		loadState(Mem{Base: RDI, Disp: 32 * i}, f.abef, f.cdgh)
	}
	g.loadPointers()
	CMPQ(g.at(iterations), Imm(0))
	JEQ(LabelRef("done"))
	g.prologue()

	// Each quarter is sixteen rounds of the eight, the schedule of sixteen rounds
	// of the blocks that come next, and two blocks of each of the two. The last
	// quarter has no schedule left to compute and reads new words instead.
	Label("iteration")
	XCHGQ(rd, wr)
	MOVQ(U32(3), g.at(quarters))
	Label("quarter")
	emit(interleave(interleave(g.slowQuarter(), g.fastQuarter()), g.fastBlocks()))
	g.nextQuarter()
	ADDQ(Imm(16), rd)
	DECQ(g.at(quarters))
	JNZ(LabelRef("quarter"))
	g.advance("slow", 1, 64, slowPtr[:])
	g.advance("fast", 2, 512, fastPtr[:])
	emit(interleave(g.lastQuarter(), g.fastBlocks()))
	g.firstQuarter()
	SUBQ(Imm(3*16), rd)
	DECQ(g.at(iterations))
	JNZ(LabelRef("iteration"))

	Label("done")
	Load(Param("fast"), RDI)
	Load(Param("slow"), RSI)
	for i, f := range fastRegs {
		storeState(f.abef, f.cdgh, Mem{Base: RDI, Disp: 32 * i})
	}
	for i, r := range state {
		VMOVDQU32(r, Mem{Base: RSI, Disp: 32 * i})
	}
	RET()
}

// What the frame holds, in bytes from its aligned base. A load that has the low
// 12 bits of its address in common with a store just before it has to wait, so
// the lists of pairs, where the many stores go, have their low bits to themselves
// and lie 4 KiB apart. The words stand in the first gap.
const (
	listSize  = 32 * 8 * 8 // 32 word pairs of 8 blocks of one message
	listApart = 4096       // from one message's list to the other's
	lists     = 0          // one for each of the two; the others are written meanwhile
	moreLists = lists + 2*listApart

	slowWords  = lists + listSize    // the last 16 words of the schedule of 8 messages
	fastWords  = slowWords + 16*32   // the same of 8 blocks of each of the two
	slowState  = fastWords + 2*16*32 // the eight states before this block
	iterations = slowState + 8*32    // left to do
	quarters   = iterations + 8      // left to do before the last of an iteration

	frameSize = moreLists + listApart + listSize
)

// Who has which register.
var (
	base, kp  = RBX, R15
	rd, wr    = RCX, RDX // the lists of word pairs to read and to write
	fastPtr   = [2]GPPhysical{RAX, R14}
	slowPtr   = [8]GPPhysical{RSI, RDI, R8, R9, R10, R11, R12, R13}
	state     = [8]VecPhysical{Y16, Y17, Y18, Y19, Y20, Y21, Y22, Y23}
	slowTemps = [4]VecPhysical{Y24, Y25, Y26, Y27}
	fastTemps = [4]VecPhysical{Y28, Y29, Y30, Y31}
	fastRegs  = [2]fastLane{{X1, X2, X3, X4}, {X5, X6, X7, X8}}
)

type fastLane struct{ abef, cdgh, savedABEF, savedCDGH VecPhysical }

// mixer writes the parts of the function as lists of instructions, so that they
// can be interleaved.
type mixer struct{ flip, frame Mem }

type instruction func()

func (g *mixer) at(offset int) Mem { return Mem{Base: base, Disp: offset} }

// setUp aligns the frame to a cache line, so that no load or store spans two.
func (g *mixer) setUp(k Mem) {
	LEAQ(g.frame.Offset(63), base)
	ANDQ(I8(-64), base)
	LEAQ(k, kp)
	LEAQ(g.at(lists), rd)
	LEAQ(g.at(moreLists), wr)
	Load(Param("fast"), RDI)
	Load(Param("slow"), RSI)
	Load(Param("n"), RAX)
	MOVQ(RAX, g.at(iterations))
	VZEROUPPER()
}

func (g *mixer) loadPointers() {
	Load(Param("data"), RAX)
	for i, r := range slowPtr {
		MOVQ(Mem{Base: RAX, Disp: 16 + 8*i}, r)
	}
	MOVQ(Mem{Base: RAX, Disp: 8}, fastPtr[1])
	MOVQ(Mem{Base: RAX}, fastPtr[0])
}

// prologue computes the schedule of the first eight blocks of each of the two.
func (g *mixer) prologue() {
	for quarter := range 4 {
		emit(g.transpose(g.slowMessage, slowWords, quarter))
		emit(g.fastTranspose(quarter))
	}
	MOVQ(U32(3), g.at(quarters))
	Label("prologue")
	emit(g.fastQuarter())
	g.nextQuarter()
	DECQ(g.at(quarters))
	JNZ(LabelRef("prologue"))
	g.advance("first", 1, 512, fastPtr[:])
	for quarter := range 4 {
		emit(g.fastPairs(quarter))
		emit(g.fastTranspose(quarter))
	}
	g.firstQuarter()
}

// advance moves to the next blocks unless no more than left iterations are left:
// then there are none, the same ones are read again, and nobody looks at them.
func (g *mixer) advance(label string, left, bytes uint64, pointers []GPPhysical) {
	CMPQ(g.at(iterations), Imm(left))
	JBE(LabelRef(label))
	for _, p := range pointers {
		ADDQ(I32(int32(bytes)), p)
	}
	Label(label)
}

// nextQuarter and firstQuarter move along the constants and the list of pairs.
func (g *mixer) nextQuarter() {
	ADDQ(Imm(64), kp)
	ADDQ(I32(listSize/4), wr)
}

func (g *mixer) firstQuarter() {
	SUBQ(I32(3*64), kp)
	SUBQ(I32(3*listSize/4), wr)
}

func (g *mixer) slowMessage(lane int) Mem { return Mem{Base: slowPtr[lane]} }

// fastMessage says which block of a message goes to which lane, such that
// unpacking words to pairs leaves the blocks in their order.
func (g *mixer) fastMessage(message int) func(lane int) Mem {
	block := [8]int{0, 1, 4, 5, 2, 3, 6, 7}
	return func(lane int) Mem { return Mem{Base: fastPtr[message], Disp: 64 * block[lane]} }
}

func (g *mixer) fastTranspose(quarter int) []instruction {
	first := g.transpose(g.fastMessage(0), fastWords, quarter)
	return append(first, g.transpose(g.fastMessage(1), fastWords+16*32, quarter)...)
}

// transpose turns a quarter of a block of eight messages, 16 bytes, into four
// rows of one word of each, byte order corrected.
func (g *mixer) transpose(message func(lane int) Mem, rows, quarter int) []instruction {
	in := [4]VecPhysical{Y24, Y25, Y26, Y27}
	out := [4]VecPhysical{Y28, Y29, Y30, Y31}
	row := func(i int) Mem { return g.at(rows + 32*(4*quarter+i)) }
	var ops []instruction
	for i, r := range in {
		low, high := message(i).Offset(16*quarter), message(i+4).Offset(16*quarter)
		ops = append(ops,
			func() { VMOVDQU32(low, r.AsX()) },
			func() { VINSERTI32X4(Imm(1), high, r, r) },
			func() { VPSHUFB(g.flip, r, r) })
	}
	return append(ops,
		func() { VPUNPCKLDQ(in[1], in[0], out[0]) },
		func() { VPUNPCKHDQ(in[1], in[0], out[1]) },
		func() { VPUNPCKLDQ(in[3], in[2], out[2]) },
		func() { VPUNPCKHDQ(in[3], in[2], out[3]) },
		func() { VPUNPCKLQDQ(out[2], out[0], in[0]) },
		func() { VMOVDQU32(in[0], row(0)) },
		func() { VPUNPCKHQDQ(out[2], out[0], in[1]) },
		func() { VMOVDQU32(in[1], row(1)) },
		func() { VPUNPCKLQDQ(out[3], out[1], in[2]) },
		func() { VMOVDQU32(in[2], row(2)) },
		func() { VPUNPCKHQDQ(out[3], out[1], in[3]) },
		func() { VMOVDQU32(in[3], row(3)) })
}

// nextWord computes the word sixteen after word i of the message schedule and
// puts it in its place.
func (g *mixer) nextWord(i, rows int, tmp [4]VecPhysical) []instruction {
	row := func(back int) Mem { return g.at(rows + 32*((i-back)&15)) }
	return []instruction{
		func() { VPRORD(Imm(7), row(15), tmp[0]) },
		func() { VPRORD(Imm(18), row(15), tmp[1]) },
		func() { VPSRLD(Imm(3), row(15), tmp[2]) },
		func() { VPTERNLOGD(Imm(xor3), tmp[1], tmp[2], tmp[0]) },
		func() { VPADDD(row(16), tmp[0], tmp[0]) },
		func() { VPADDD(row(7), tmp[0], tmp[0]) },
		func() { VPRORD(Imm(17), row(2), tmp[1]) },
		func() { VPRORD(Imm(19), row(2), tmp[2]) },
		func() { VPSRLD(Imm(10), row(2), tmp[3]) },
		func() { VPTERNLOGD(Imm(xor3), tmp[2], tmp[3], tmp[1]) },
		func() { VPADDD(tmp[1], tmp[0], tmp[0]) },
		func() { VMOVDQU32(tmp[0], row(16)) },
	}
}

// The truth tables of VPTERNLOGD for the functions of FIPS 180-4, section 4.1.2.
const (
	xor3     = 0x96
	choose   = 0xca // first operand chooses between the second and the third
	majority = 0xe8
)

// pairs writes words i and i+1 of this quarter, their constants added, as pairs:
// what SHA256RNDS2 wants in the low half of X0 for two rounds.
func (g *mixer) pairs(message, i int) []instruction {
	t0, t1, t2, t3 := fastTemps[0], fastTemps[1], fastTemps[2], fastTemps[3]
	words := fastWords + 16*32*message + 32*i
	pair := Mem{Base: wr, Disp: listApart*message + 32*i}
	return []instruction{
		func() { VMOVDQU32(g.at(words), t0) },
		func() { VMOVDQU32(g.at(words+32), t1) },
		func() { VPADDD_BCST(Mem{Base: kp, Disp: 4 * i}, t0, t0) },
		func() { VPADDD_BCST(Mem{Base: kp, Disp: 4*i + 4}, t1, t1) },
		func() { VPUNPCKLDQ(t1, t0, t2) },
		func() { VPUNPCKHDQ(t1, t0, t3) },
		func() { VMOVDQU32(t2, pair) },
		func() { VMOVDQU32(t3, pair.Offset(32)) },
	}
}

// fastQuarter writes the pairs of sixteen rounds and computes the next words.
func (g *mixer) fastQuarter() []instruction {
	var ops []instruction
	for i := 0; i < 16; i += 2 {
		for message := range 2 {
			words := fastWords + 16*32*message
			ops = append(ops, g.pairs(message, i)...)
			ops = append(ops, g.nextWord(i, words, fastTemps)...)
			ops = append(ops, g.nextWord(i+1, words, fastTemps)...)
		}
	}
	return ops
}

// fastPairs writes the pairs of a quarter of a quarter.
func (g *mixer) fastPairs(quarter int) []instruction {
	var ops []instruction
	for message := range 2 {
		ops = append(ops, g.pairs(message, 4*quarter)...)
		ops = append(ops, g.pairs(message, 4*quarter+2)...)
	}
	return ops
}

// fastBlocks does two blocks of each of the two messages.
func (g *mixer) fastBlocks() []instruction {
	var ops []instruction
	for block := range 2 {
		for _, f := range fastRegs {
			ops = append(ops,
				func() { VMOVDQA(f.abef, f.savedABEF) },
				func() { VMOVDQA(f.cdgh, f.savedCDGH) })
		}
		for pair := range 32 {
			for i, f := range fastRegs {
				from, to := f.abef, f.cdgh
				if pair%2 == 1 {
					from, to = to, from
				}
				ops = append(ops,
					func() { VMOVQ(Mem{Base: rd, Disp: listApart*i + 64*pair + 8*block}, X0) },
					func() { SHA256RNDS2(X0, from, to) })
			}
		}
		for _, f := range fastRegs {
			ops = append(ops,
				func() { VPADDD(f.savedABEF, f.abef, f.abef) },
				func() { VPADDD(f.savedCDGH, f.cdgh, f.cdgh) })
		}
	}
	return ops
}

// round does round i of this quarter of eight messages.
func (g *mixer) round(i int) []instruction {
	reg := func(j int) VecPhysical { return state[(j-i)&7] }
	a, b, c, d, e, f, gg, h := reg(0), reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7)
	t0, t1, t2 := slowTemps[0], slowTemps[1], slowTemps[2]
	return []instruction{
		func() { VPADDD(g.at(slowWords+32*i), h, h) },
		func() { VPADDD_BCST(Mem{Base: kp, Disp: 4 * i}, h, h) },
		func() { VMOVDQA32(e, t0) },
		func() { VPTERNLOGD(Imm(choose), gg, f, t0) },
		func() { VPADDD(t0, h, h) },
		func() { VPRORD(Imm(6), e, t0) },
		func() { VPRORD(Imm(11), e, t1) },
		func() { VPRORD(Imm(25), e, t2) },
		func() { VPTERNLOGD(Imm(xor3), t1, t2, t0) },
		func() { VPADDD(t0, h, h) },
		func() { VPADDD(h, d, d) },
		func() { VMOVDQA32(a, t0) },
		func() { VPTERNLOGD(Imm(majority), c, b, t0) },
		func() { VPADDD(t0, h, h) },
		func() { VPRORD(Imm(2), a, t0) },
		func() { VPRORD(Imm(13), a, t1) },
		func() { VPRORD(Imm(22), a, t2) },
		func() { VPTERNLOGD(Imm(xor3), t1, t2, t0) },
		func() { VPADDD(t0, h, h) },
	}
}

// slowQuarter does sixteen rounds of eight messages and computes the next words.
func (g *mixer) slowQuarter() []instruction {
	var ops []instruction
	for i := range 16 {
		ops = append(ops, g.round(i)...)
		ops = append(ops, g.nextWord(i, slowWords, slowTemps)...)
	}
	return ops
}

// lastQuarter does the last sixteen rounds and pairs, and reads new words over
// those that are done with.
func (g *mixer) lastQuarter() []instruction {
	var ops []instruction
	for quarter := range 4 {
		var rounds []instruction
		for i := range 4 {
			rounds = append(rounds, g.round(4*quarter+i)...)
		}
		ops = append(ops, interleave(rounds, g.fastPairs(quarter))...)
		ops = append(ops, g.transpose(g.slowMessage, slowWords, quarter)...)
		ops = append(ops, g.fastTranspose(quarter)...)
	}
	return append(ops, g.feedForward()...)
}

// feedForward adds the states before the block.
func (g *mixer) feedForward() []instruction {
	var ops []instruction
	for i, r := range state {
		ops = append(ops,
			func() { VPADDD(g.at(slowState+32*i), r, r) },
			func() { VMOVDQU32(r, g.at(slowState+32*i)) })
	}
	return ops
}

// interleave merges two lists evenly, each in its own order.
func interleave(a, b []instruction) []instruction {
	merged := make([]instruction, 0, len(a)+len(b))
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if j == len(b) || i < len(a) && i*len(b) <= j*len(a) {
			merged = append(merged, a[i])
			i++
		} else {
			merged = append(merged, b[j])
			j++
		}
	}
	return merged
}

func emit(ops []instruction) {
	for _, op := range ops {
		op()
	}
}
