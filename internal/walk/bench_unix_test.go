//go:build unix

package walk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// cpu is the processor time that this process and the gits that it has waited for have taken.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return total
}

// measure runs an operation, and reports its processor time and how many gits it has started.
func measure(b *testing.B, run func()) {
	b.Helper()
	trace := filepath.Join(b.TempDir(), "trace")
	if err := os.Mkdir(trace, 0o777); err != nil {
		b.Fatal(err)
	}
	b.Setenv("GIT_TRACE2_EVENT", trace)
	run()
	os.Unsetenv("GIT_TRACE2_EVENT")
	started, err := os.ReadDir(trace)
	if err != nil {
		b.Fatal(err)
	}
	before := cpu(b)
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
	b.ReportMetric(float64(len(started)), "gits/op")
}

// sizes are the numbers of files of the models that are measured.
var sizes = []int{10, 1000, 10_000}

func BenchmarkStatus(b *testing.B) {
	for _, n := range sizes {
		for kind, build := range map[string]func(testing.TB, int) *signed{"pointers": pointers, "plain": plainFiles} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				m := build(b, n)
				measure(b, func() {
					s, err := walk.Status(b.Context(), m.open(b, m.dir), walk.StatusOptions{Verify: func(context.Context) (walk.VerifyOptions, error) {
						return walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Terminal: m.terminal}, nil
					}})
					if err != nil || s.Signatures[0].Verdict.Outcome() != ui.OutcomeGood {
						b.Fatalf("%+v, %v", s, err)
					}
				})
			})
		}
	}
}

// plainFiles makes a repository with n files of 4 KiB that do not compress, and
// signs it.
func plainFiles(tb testing.TB, n int) *signed {
	tb.Helper()
	source := rand.NewChaCha8([32]byte{})
	content := make([]byte, 4096)
	files := map[string]string{".gitattributes": "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}
	for i := range n {
		source.Read(content)
		files[fmt.Sprintf("d%02d/f%05d.bin", i%50, i)] = string(content)
	}
	m := newSigned(tb, files, ".")
	m.Git(m.dir, "repack", "-a", "-d", "-q")
	return m
}
