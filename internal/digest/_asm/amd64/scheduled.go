package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scheduled writes a function for two messages whose schedules are computed
// beside the SHA unit.
//
// SHA256MSG1 and SHA256MSG2 go through the port that SHA256RNDS2 needs, and the
// rounds wait for them: on Intel that costs two messages a tenth of their speed.
// Here the vector ports compute the schedules, four words at a time, those of the
// second message in the upper halves of the same registers, and leave the rounds
// word pairs to load.
//
// Registers 16 to 31 are all that the schedule may write; see mixed.
func scheduled(name string, k, flip Mem) {
	TEXT(name, 0, "func(states *[2][8]uint32, data *[2]*byte, blocks int)")
	Doc(name+" compresses blocks blocks of 64 bytes of 2 messages.",
		"It needs SHA, AVX2, AVX512F, AVX512BW and AVX512VL.")
	Pragma("noescape")
	s := &scheduler{flip: flip, words: AllocLocal(16 * 32)}
	s.setUp(k)
	states := Load(Param("states"), GP64())
	data := Load(Param("data"), GP64())
	blocks := Load(Param("blocks"), GP64())
	for i := range s.ptr {
		s.ptr[i] = GP64()
		MOVQ(Mem{Base: data, Disp: 8 * i}, s.ptr[i])
		loadState(Mem{Base: states, Disp: 32 * i}, fastRegs[i].abef, fastRegs[i].cdgh)
	}
	TESTQ(blocks, blocks)
	JZ(LabelRef("done"))

	Label("loop")
	for quad := range 4 {
		s.load(quad)
	}
	for _, f := range fastRegs {
		VMOVDQA(f.abef, f.savedABEF)
		VMOVDQA(f.cdgh, f.savedCDGH)
	}
	for quad := range 16 {
		var next []instruction
		if quad < 12 {
			next = s.nextWords(quad)
		}
		emit(interleave(s.rounds(quad), next))
	}
	for i, f := range fastRegs {
		VPADDD(f.savedABEF, f.abef, f.abef)
		VPADDD(f.savedCDGH, f.cdgh, f.cdgh)
		ADDQ(Imm(64), s.ptr[i])
	}
	DECQ(blocks)
	JNZ(LabelRef("loop"))

	Label("done")
	for i, f := range fastRegs {
		storeState(f.abef, f.cdgh, Mem{Base: states, Disp: 32 * i})
	}
	RET()
}

// scheduler writes the parts of the function.
type scheduler struct {
	flip  Mem
	words Mem // 16 rows of four words of each message, their constants added
	ptr   [2]Register
	kp    Register
	// low and high are masks of a row's first two words and its last two.
	low, high OpmaskPhysical
}

// The last 16 words of each message, and room to work.
var (
	wordRows = [4]VecPhysical{Y16, Y17, Y18, Y19}
	wordTemp = [6]VecPhysical{Y20, Y21, Y22, Y23, Y24, Y25}
)

func (s *scheduler) setUp(k Mem) {
	s.kp, s.low, s.high = GP64(), K1, K2
	LEAQ(k, s.kp)
	mask := GP32()
	MOVL(U32(0x33), mask)
	KMOVW(mask, s.low)
	MOVL(U32(0xcc), mask)
	KMOVW(mask, s.high)
	VZEROUPPER()
}

func (s *scheduler) row(quad int) Mem { return s.words.Offset(32 * quad) }

// load reads words 4·quad to 4·quad+3 of the block.
func (s *scheduler) load(quad int) {
	r := wordRows[quad]
	VMOVDQU32(Mem{Base: s.ptr[0], Disp: 16 * quad}, r.AsX())
	VINSERTI32X4(Imm(1), Mem{Base: s.ptr[1], Disp: 16 * quad}, r, r)
	VPSHUFB(s.flip, r, r)
	emit(s.leave(quad, r))
}

// leave adds the constants to a row and puts it where the rounds look for it.
func (s *scheduler) leave(quad int, r VecPhysical) []instruction {
	t := wordTemp[0]
	return []instruction{
		func() { VBROADCASTI32X4(Mem{Base: s.kp, Disp: 16 * quad}, t) },
		func() { VPADDD(t, r, t) },
		func() { VMOVDQU32(t, s.row(quad)) },
	}
}

// nextWords computes the words of row quad+4 from the four rows before it and
// puts them in the place of the first.
func (s *scheduler) nextWords(quad int) []instruction {
	row := func(back int) VecPhysical { return wordRows[(quad+4-back)&3] }
	w, t := row(4), wordTemp
	sigma1 := func(order uint8, mask OpmaskPhysical, from VecPhysical) []instruction {
		return []instruction{
			func() { VPSHUFD(Imm(uint64(order)), from, t[1]) },
			func() { VPRORD(Imm(17), t[1], t[2]) },
			func() { VPRORD(Imm(19), t[1], t[3]) },
			func() { VPSRLD(Imm(10), t[1], t[4]) },
			func() { VPTERNLOGD(Imm(xor3), t[2], t[3], t[4]) },
			func() { VPADDD(t[4], w, mask, w) },
		}
	}
	ops := []instruction{
		func() { VPALIGNR(Imm(4), w, row(3), t[1]) }, // the words 15 back
		func() { VPALIGNR(Imm(4), row(2), row(1), t[5]) },
		func() { VPRORD(Imm(7), t[1], t[2]) },
		func() { VPRORD(Imm(18), t[1], t[3]) },
		func() { VPSRLD(Imm(3), t[1], t[4]) },
		func() { VPTERNLOGD(Imm(xor3), t[2], t[3], t[4]) },
		func() { VPADDD(t[5], w, w) },
		func() { VPADDD(t[4], w, w) },
	}
	ops = append(ops, sigma1(0x0e, s.low, row(1))...)
	ops = append(ops, sigma1(0x40, s.high, w)...)
	return append(ops, s.leave(quad+4, w)...)
}

// rounds does rounds 4·quad to 4·quad+3 of each message.
func (s *scheduler) rounds(quad int) []instruction {
	var ops []instruction
	for half := range 2 {
		for i, f := range fastRegs {
			from, to := f.abef, f.cdgh
			if half == 1 {
				from, to = to, from
			}
			ops = append(ops,
				func() { VMOVQ(s.row(quad).Offset(16*i+8*half), X0) },
				func() { SHA256RNDS2(X0, from, to) })
		}
	}
	return ops
}
