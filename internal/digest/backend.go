package digest

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// EnvBackend is the environment variable that names a backend where
// [Hasher.Backend] does not.
const EnvBackend = "MODELSIGN_HASH_BACKEND"

// Auto is the name that stands for the fastest backend of the machine.
const Auto = "auto"

// ErrBackend says that there is no SHA-256 backend of that name on this machine.
var ErrBackend = errors.New("no such hash backend on this machine")

// Backend is a way to compute SHA-256 on this machine.
type Backend struct {
	Name  string
	Lanes int // messages that one core works on at a time
	// BytesPerSecond is what one core does with every lane in use, reading apart.
	BytesPerSecond float64
}

// Choice is the backends of this machine and which of them is used.
type Choice struct {
	CPU      string    // its name as it tells it
	Backends []Backend // from the plain to the wide
	Used     string    // name of the one that a Hasher uses
	Reason   string    // why that one, as a clause
}

// Choose tells which backend a Hasher with this Backend field uses. It measures
// if that has not been done on this machine, or if again is set, which takes no
// longer than 20 ms. It fails with ErrBackend.
func Choose(name string, again bool) (Choice, error) {
	c := Choice{CPU: cpuName()}
	costs, how := calibrate(again)
	for _, b := range available() {
		b.tune(costs)
		widest := b.kernels[len(b.kernels)-1]
		speed := float64(widest.blocks(b.lanes())*blockSize) / costs.of(widest)
		c.Backends = append(c.Backends, Backend{Name: b.name, Lanes: b.lanes(), BytesPerSecond: speed})
	}
	name, by := wanted(name)
	if name != Auto {
		b, err := find(name)
		if err != nil {
			return Choice{}, err
		}
		c.Used, c.Reason = b.name, "asked for by "+by
		return c, nil
	}
	c.Used, c.Reason = fastest(costs).name, "the fastest of "+how
	if len(c.Backends) == 1 {
		c.Reason = "this CPU has no instructions for SHA-256 that we know"
	}
	return c, nil
}

// backend is a set of kernels: the widest, that it is named for, and narrower
// ones for when there are fewer messages.
type backend struct {
	name    string
	kernels []*kernel
	// plan is the kernel for so many messages, from 1 to lanes(), and even the one
	// without slow lanes.
	plan, even []*kernel
	// rates are bytes a second on one core with so many messages; single and best
	// are those with one and with as many as it likes.
	rates        []float64
	single, best float64
}

// lanes is the number of messages that the widest kernel works on.
func (b *backend) lanes() int {
	k := b.kernels[len(b.kernels)-1]
	return k.fast + k.slow
}

// kernelFor is the kernel to use while there are c messages.
func (b *backend) kernelFor(c int) *kernel { return b.plan[min(c, len(b.plan)-1)] }

// rate is what a core does with c messages, in bytes a second.
func (b *backend) rate(c int) float64 { return b.rates[min(c, len(b.rates)-1)] }

// evenKernelFor is the kernel without slow lanes to use for c messages.
func (b *backend) evenKernelFor(c int) *kernel { return b.even[min(c, len(b.even)-1)] }

// ladder makes a backend of each kernel and the narrower ones before it.
func ladder(kernels []*kernel) []*backend {
	var all []*backend
	for i, k := range kernels {
		all = append(all, &backend{name: k.name, kernels: kernels[:i+1]})
	}
	return all
}

// available lists the backends of this machine, from the plain to the wide.
func available() []*backend {
	return append(ladder([]*kernel{&portable}), hardware()...)
}

// wanted says which backend is asked for and by whom.
func wanted(name string) (backend, by string) {
	if name != "" {
		return name, "option"
	}
	if name = os.Getenv(EnvBackend); name != "" {
		return name, EnvBackend
	}
	return Auto, ""
}

// choose gives the backend for a Hasher's Backend field and so many bytes of
// work. One that is asked for by name uses the widest kernel that there are
// messages for, whatever that gains; the automatic one uses what is fastest.
func choose(name string, work int64) (*backend, error) {
	name, _ = wanted(name)
	if name == Auto {
		return fastest(calibrateFor(work)), nil
	}
	b, err := find(name)
	if err != nil {
		return nil, err
	}
	b.tune(nil)
	return b, nil
}

// CheckBackend says whether a Hasher could have this Backend field: nil, or an
// ErrBackend that says who asked for it and lists what there is. It measures nothing.
func CheckBackend(name string) error {
	if name, _ := wanted(name); name != Auto {
		_, err := find(name)
		return err
	}
	return nil
}

func find(name string) (*backend, error) {
	var names []string
	for _, b := range available() {
		if b.name == name {
			return b, nil
		}
		names = append(names, b.name)
	}
	return nil, fmt.Errorf("%w: %q is none of %s, %s", ErrBackend, name, Auto, strings.Join(names, ", "))
}

// fastest is the backend with the best throughput. A wider one has to be worth
// its lanes: 3 % faster.
func fastest(costs costs) *backend {
	var chosen *backend
	for _, b := range available() {
		b.tune(costs)
		if chosen == nil || b.best > 1.03*chosen.best {
			chosen = b
		}
	}
	return chosen
}

// tune fills in the plan from what each kernel was measured to cost. Without
// measurements it takes the widest kernel for a number of messages.
func (b *backend) tune(costs costs) {
	b.plan, b.rates = make([]*kernel, b.lanes()+1), make([]float64, b.lanes()+1)
	b.even = make([]*kernel, b.lanes()+1)
	for c := range b.plan {
		var rate, evenRate float64
		for _, k := range b.kernels {
			r := float64(k.blocks(c)*blockSize) / costs.of(k)
			if r > 0 && (r >= rate || costs == nil) {
				rate, b.plan[c] = r, k
			}
			if r > 0 && k.slow == 0 && (r >= evenRate || costs == nil) {
				evenRate, b.even[c] = r, k
			}
		}
		b.rates[c] = rate
		b.best = max(b.best, rate)
		if c == 1 {
			b.single = rate
		}
	}
}
