package digest

import "github.com/klauspost/cpuid/v2"

// hardware lists the backends that this CPU and its operating system can run.
// The kernels hold AVX instructions, which need the system to save the wider
// registers: cpuid tells of a feature only where that is so.
func hardware() []*backend {
	if !cpuid.CPU.Supports(cpuid.SHA, cpuid.SSSE3, cpuid.SSE4, cpuid.AVX) {
		return nil
	}
	kernels := []*kernel{
		{name: "sha-ni-x1", fast: 1, ratio: 1, compress: func(l *lanes, n int) {
			blocksNI1((*[1]state)(l.fast[:]), (*[1]*byte)(l.data[:]), n)
		}},
		{name: "sha-ni-x2", fast: 2, ratio: 1, compress: func(l *lanes, n int) {
			blocksNI2((*[2]state)(l.fast[:]), (*[2]*byte)(l.data[:]), n)
		}},
		{name: "sha-ni-x3", fast: 3, ratio: 1, compress: func(l *lanes, n int) {
			blocksNI3((*[3]state)(l.fast[:]), (*[3]*byte)(l.data[:]), n)
		}},
		{name: "sha-ni-x4", fast: 4, ratio: 1, compress: func(l *lanes, n int) {
			blocksNI4(&l.fast, (*[4]*byte)(l.data[:]), n)
		}},
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL) {
		kernels = append(kernels,
			&kernel{name: "sha-ni-avx512-x2", fast: 2, ratio: 1, compress: func(l *lanes, n int) {
				blocksScheduled((*[2]state)(l.fast[:]), (*[2]*byte)(l.data[:]), n)
			}},
			&kernel{name: "sha-ni-avx512-x10", fast: 2, slow: 8, ratio: 8, compress: func(l *lanes, n int) {
				blocksMixed((*[2]state)(l.fast[:]), &l.slow, (*[10]*byte)(l.data[:]), n)
			}})
	}
	return ladder(kernels)
}
