package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// shaNI writes a function that compresses the same number of blocks of n
// independent messages, their instructions interleaved.
//
// One message cannot go faster than the latency of SHA256RNDS2, 4 cycles for two
// rounds, and most of those cycles the unit is idle: other messages fill them.
// SHA256RNDS2 takes the words that it adds from X0 and has no VEX form; all
// else is in VEX form, which needs no copies and leaves the upper halves clean.
func shaNI(name string, n int, k, flip Mem) {
	TEXT(name, 0, fmt.Sprintf("func(states *[%d][8]uint32, data *[%d]*byte, blocks int)", n, n))
	Doc(fmt.Sprintf("%s compresses blocks blocks of 64 bytes of %d messages. It needs SHA and AVX.", name, n))
	Pragma("noescape")
	states := Load(Param("states"), GP64())
	data := Load(Param("data"), GP64())
	blocks := Load(Param("blocks"), GP64())
	kp := GP64()
	LEAQ(k, kp)
	VZEROUPPER() // a dirty upper half makes every SHA instruction a slow one

	m := layout(n, data)
	for _, l := range m {
		l.loadState(states)
	}
	TESTQ(blocks, blocks)
	JZ(LabelRef("done"))

	Label("loop")
	for _, l := range m {
		VMOVDQU(l.abef, l.saved(0))
		VMOVDQU(l.cdgh, l.saved(1))
	}
	for quad := range 16 { // four rounds at a time
		for _, l := range m {
			l.quadRound(quad, kp, flip)
		}
	}
	for _, l := range m {
		VPADDD(l.saved(0), l.abef, l.abef)
		VPADDD(l.saved(1), l.cdgh, l.cdgh)
		ADDQ(Imm(64), l.ptr)
	}
	DECQ(blocks)
	JNZ(LabelRef("loop"))

	Label("done")
	for _, l := range m {
		l.storeState(states)
	}
	RET()
}

// lane is one message in the registers.
type lane struct {
	index      int
	ptr        Register
	abef, cdgh VecPhysical
	// w are the registers that hold message words: three where there is room.
	// With one, the other words live in memory and tmp is shared by the lanes.
	w     []VecPhysical
	tmp   VecPhysical
	frame Mem
}

// layout deals the sixteen registers out to n lanes. X0 is SHA256RNDS2's own.
func layout(n int, data Register) []*lane {
	frame := AllocLocal(n * 96) // 32 bytes of state and 64 of message words a lane
	next := 1
	take := func() VecPhysical { r := vec[next]; next++; return r }
	lanes := make([]*lane, n)
	for i := range lanes {
		l := &lane{index: i, ptr: GP64(), frame: frame.Offset(96 * i), abef: take(), cdgh: take()}
		MOVQ(Mem{Base: data, Disp: 8 * i}, l.ptr)
		lanes[i] = l
	}
	words := 1
	if 16-next >= 3*n {
		words = 3
	}
	for _, l := range lanes {
		for range words {
			l.w = append(l.w, take())
		}
	}
	if words == 1 {
		tmp := take()
		for _, l := range lanes {
			l.tmp = tmp
		}
	}
	return lanes
}

var vec = []VecPhysical{X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15}

func (l *lane) saved(i int) Mem { return l.frame.Offset(16 * i) }
func (l *lane) slot(i int) Mem  { return l.frame.Offset(32 + 16*(i&3)) }

// loadState brings a state from the order a..h to that of SHA256RNDS2: the
// words a, b, e, f in one register, c, d, g, h in the other.
func (l *lane) loadState(states Register) {
	loadState(Mem{Base: states, Disp: 32 * l.index}, l.abef, l.cdgh)
}

func (l *lane) storeState(states Register) {
	storeState(l.abef, l.cdgh, Mem{Base: states, Disp: 32 * l.index})
}

func loadState(from Mem, abef, cdgh VecPhysical) {
	VMOVDQU(from, abef)
	VMOVDQU(from.Offset(16), cdgh)
	VPSHUFD(Imm(0xb1), abef, abef)
	VPSHUFD(Imm(0x1b), cdgh, cdgh)
	VMOVDQA(abef, X0)
	VPALIGNR(Imm(8), cdgh, abef, abef)
	VPBLENDW(Imm(0xf0), X0, cdgh, cdgh)
}

func storeState(abef, cdgh VecPhysical, to Mem) {
	VPSHUFD(Imm(0x1b), abef, abef)
	VPSHUFD(Imm(0xb1), cdgh, cdgh)
	VPBLENDW(Imm(0xf0), cdgh, abef, X0)
	VPALIGNR(Imm(8), abef, cdgh, cdgh)
	VMOVDQU(X0, to)
	VMOVDQU(cdgh, to.Offset(16))
}

// quadRound does rounds 4·q to 4·q+3 and its part of the message schedule:
// words of quad q+1 are finished, those of quad q+3 begun.
func (l *lane) quadRound(q int, kp Register, flip Mem) {
	cur := l.w[q%len(l.w)]
	if q < 4 {
		VMOVDQU(Mem{Base: l.ptr, Disp: 16 * q}, cur)
		VPSHUFB(flip, cur, cur)
	}
	VPADDD(Mem{Base: kp, Disp: 16 * q}, cur, X0)
	SHA256RNDS2(X0, l.abef, l.cdgh)
	VPSHUFD(Imm(0x0e), X0, X0)
	SHA256RNDS2(X0, l.cdgh, l.abef)
	if len(l.w) == 3 {
		l.scheduleInRegisters(q, cur)
	} else {
		l.scheduleInMemory(q, cur)
	}
}

func (l *lane) scheduleInRegisters(q int, cur VecPhysical) {
	prev, next := l.w[(q+2)%3], l.w[(q+1)%3]
	if q >= 3 && q < 15 {
		VPALIGNR(Imm(4), prev, cur, X0)
		VPADDD(l.slot(q+1), X0, next)
		SHA256MSG2(cur, next)
	}
	if q >= 1 && q < 13 {
		SHA256MSG1(cur, prev)
		VMOVDQU(prev, l.slot(q-1))
	}
}

func (l *lane) scheduleInMemory(q int, cur VecPhysical) {
	if q >= 1 && q < 15 {
		VMOVDQU(l.slot(q-1), l.tmp)
	}
	if q >= 3 && q < 15 {
		VPALIGNR(Imm(4), l.tmp, cur, X0)
	}
	if q >= 1 && q < 13 {
		SHA256MSG1(cur, l.tmp)
		VMOVDQU(l.tmp, l.slot(q-1))
	}
	if q < 14 {
		VMOVDQU(cur, l.slot(q))
	}
	if q >= 3 && q < 15 {
		VPADDD(l.slot(q+1), X0, X0)
		SHA256MSG2(cur, X0)
		VMOVDQA(X0, cur)
	}
}
