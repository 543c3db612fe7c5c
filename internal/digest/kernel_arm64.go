package digest

import "github.com/klauspost/cpuid/v2"

// hardware lists the backends that this CPU can run.
func hardware() []*backend {
	if !cpuid.CPU.Supports(cpuid.SHA2) {
		return nil
	}
	return ladder([]*kernel{
		{name: "arm64-x1", fast: 1, ratio: 1, compress: func(l *lanes, n int) {
			blocksCE1((*[1]state)(l.fast[:]), (*[1]*byte)(l.data[:]), n)
		}},
		{name: "arm64-x2", fast: 2, ratio: 1, compress: func(l *lanes, n int) {
			blocksCE2((*[2]state)(l.fast[:]), (*[2]*byte)(l.data[:]), n)
		}},
		{name: "arm64-x3", fast: 3, ratio: 1, compress: func(l *lanes, n int) {
			blocksCE3((*[3]state)(l.fast[:]), (*[3]*byte)(l.data[:]), n)
		}},
	})
}
