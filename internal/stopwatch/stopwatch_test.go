package stopwatch_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/stopwatch"
)

// childVariable makes this test binary a process to measure: what it names is what becomes of it.
const childVariable = "STOPWATCH_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case "works":
		for start := time.Now(); time.Since(start) < 50*time.Millisecond; {
		}
		os.Exit(0)
	default:
		println("gives up")
		os.Exit(1)
	}
}

func child(t *testing.T, fate string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+fate)
	return cmd
}

func TestRun(t *testing.T) {
	u, err := stopwatch.Run(child(t, "works"))
	if err != nil {
		t.Fatal(err)
	}
	if u.Wall < 50*time.Millisecond || u.CPU <= 0 || runtime.GOOS == "linux" && u.Peak < 1<<20 {
		t.Errorf("a process that works for 50 ms took %+v", u)
	}
	if _, err := stopwatch.Run(child(t, "fails")); err == nil || !strings.Contains(err.Error(), "gives up") {
		t.Errorf("of a process that failed: %v", err)
	}
}

func TestMedian(t *testing.T) {
	runs := []stopwatch.Usage{{Wall: 3, CPU: 1}, {Wall: 1, CPU: 9}, {Wall: 8, CPU: 2}}
	if wall, cpu := stopwatch.Median(runs, stopwatch.Wall), stopwatch.Median(runs, stopwatch.CPU); wall != 3 || cpu != 2 {
		t.Errorf("medians are %d and %d, want 3 and 2", wall, cpu)
	}
	if shortest, longest := stopwatch.Range(runs); shortest != 1 || longest != 8 {
		t.Errorf("from %d to %d, want from 1 to 8", shortest, longest)
	}
	if got := stopwatch.Median(runs[:2], stopwatch.Wall); got != 3 {
		t.Errorf("median of two is %d, want 3", got)
	}
}
