package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
)

// drive hashes messages with one kernel, in lanes that are dealt anew at every
// step, and returns the digests.
func drive(k *kernel, contents [][]byte, r *rand.Rand) [][]byte {
	type job struct {
		m     message
		index int
	}
	var jobs []job
	sums := make([][]byte, len(contents))
	for i, b := range contents {
		s := initial
		// A copy that begins at an odd address, with no room behind its padding.
		buf := make([]byte, 0, len(b)+2*blockSize+64)
		off := r.IntN(64)
		data := append(buf[off:off], b...)
		jobs = append(jobs, job{message{&s, pad(data, int64(len(b)))}, i})
	}
	var l lanes
	one := narrow(k)
	for len(jobs) > 0 {
		r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		use, c := k, min(len(jobs), k.fast+k.slow)
		if k.blocks(c) == 0 {
			use, c = one, 1
		}
		step := func() int {
			n := 1 << 20
			for i, j := range jobs[:c] {
				blocks := len(j.m.data) / blockSize
				if i < use.fast {
					blocks /= use.ratio
				}
				n = min(n, blocks)
			}
			return n
		}
		n := step()
		if n == 0 {
			use, c = one, 1
			n = step()
		}
		n = 1 + r.IntN(n)
		var messages []message
		for _, j := range jobs[:c] {
			messages = append(messages, j.m)
		}
		use.run(&l, messages, n)
		for i := c - 1; i >= 0; i-- {
			if jobs[i].m.data = messages[i].data; len(messages[i].data) == 0 {
				sums[jobs[i].index] = appendSum(nil, jobs[i].m.state)
				jobs = append(jobs[:i], jobs[i+1:]...)
			}
		}
	}
	return sums
}

// narrow is the kernel for the messages that are left over: one of hardware,
// where there is one, so that both kinds work on one state.
func narrow(k *kernel) *kernel {
	if k == &portable {
		return k
	}
	for _, b := range hardware() {
		if k := b.kernels[0]; k.fast == 1 {
			return k
		}
	}
	return &portable
}

func agree(t *testing.T, k *kernel, contents [][]byte, r *rand.Rand) {
	t.Helper()
	for i, got := range drive(k, contents, r) {
		if want := sha256.Sum256(contents[i]); string(got) != string(want[:]) {
			t.Fatalf("%s: %d bytes: got %x, want %x", k.name, len(contents[i]), got, want)
		}
	}
}

// Every kernel gives what crypto/sha256 gives, for every length that a short
// message can have.
func TestKernelsOnEveryLength(t *testing.T) {
	for _, k := range allKernels() {
		t.Run(k.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			source := content(r, 4096)
			for n := 0; n <= 4096; {
				var contents [][]byte
				for range 2 * (k.fast + k.slow) {
					contents = append(contents, source[:min(n, 4096)])
					n++
				}
				agree(t, k, contents, r)
			}
		})
	}
}

// The same for random lengths, numbers of messages, addresses and steps.
func TestKernelsOnRandomMessages(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 500
	}
	for _, k := range allKernels() {
		t.Run(k.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, 2))
			source := content(r, 64<<10)
			for range rounds {
				longest := 1 << (6 + r.IntN(10)) // up to 32 KiB
				var contents [][]byte
				for range 1 + r.IntN(k.fast+k.slow+3) {
					n := r.IntN(longest)
					off := r.IntN(len(source) - n)
					contents = append(contents, source[off:off+n])
				}
				agree(t, k, contents, r)
			}
		})
	}
}

// The first three are of FIPS 180-2, appendix B; the million of «a» was there too.
func TestKnownAnswers(t *testing.T) {
	million := make([]byte, 1_000_000)
	for i := range million {
		million[i] = 'a'
	}
	for _, k := range allKernels() {
		r := rand.New(rand.NewPCG(3, 3))
		contents := [][]byte{[]byte("abc"), []byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), million, nil}
		want := []string{
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
			"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		}
		for i, got := range drive(k, contents, r) {
			if hex.EncodeToString(got) != want[i] {
				t.Errorf("%s: message %d: got %x, want %s", k.name, i, got, want[i])
			}
		}
	}
}

func content(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// No kernel reads beyond a message or touches its bytes; lanes without a message
// leave no trace.
func TestKernelsKeepToTheirLanes(t *testing.T) {
	for _, k := range allKernels() {
		r := rand.New(rand.NewPCG(4, 4))
		for c := 1; c <= k.fast+k.slow; c++ {
			if k.blocks(c) == 0 {
				continue
			}
			states := make([]state, c)
			var messages []message
			var copies [][]byte
			for i := range states {
				for w := range states[i] {
					states[i][w] = r.Uint32()
				}
				b := content(r, 5*k.ratio*blockSize)
				copies = append(copies, append([]byte(nil), b...))
				messages = append(messages, message{&states[i], b})
			}
			want := make([]state, c)
			for i := range want {
				n := 3
				if i < k.fast {
					n *= k.ratio
				}
				var l lanes
				want[i] = states[i]
				portable.run(&l, []message{{&want[i], copies[i]}}, n)
			}
			whole := make([][]byte, c)
			for i, m := range messages {
				whole[i] = m.data
			}
			var l lanes
			k.run(&l, messages, 3)
			for i := range states {
				if states[i] != want[i] {
					t.Errorf("%s with %d messages: state %d is wrong", k.name, c, i)
				}
				if string(whole[i]) != string(copies[i]) {
					t.Errorf("%s with %d messages: the bytes of message %d were written to", k.name, c, i)
				}
			}
		}
	}
}

// FuzzKernels cuts its input into messages at the places that it names.
func FuzzKernels(f *testing.F) {
	f.Add([]byte("abc"), uint64(1))
	f.Add(make([]byte, 3000), uint64(7))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 5))
		for _, k := range allKernels() {
			var contents [][]byte
			for range 1 + r.IntN(12) {
				from := r.IntN(len(b) + 1)
				contents = append(contents, b[from:from+r.IntN(len(b)-from+1)])
			}
			agree(t, k, contents, r)
		}
	})
}

func BenchmarkKernels(b *testing.B) {
	for _, k := range allKernels() {
		b.Run(fmt.Sprint(k.name), func(b *testing.B) {
			var l lanes
			for i := range l.data {
				l.data[i] = &make([]byte, maxCall)[0]
			}
			n := maxCall / blockSize / k.ratio
			b.SetBytes(int64(n * k.blocks(k.fast+k.slow) * blockSize))
			for b.Loop() {
				k.compress(&l, n)
			}
		})
	}
}
