package ui_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// drawn runs work on a live terminal under a clock that moves only when all
// wait, and returns the lines as they replaced each other.
func drawn(t *testing.T, work func(p *ui.Progress)) []string {
	t.Helper()
	var lines []string
	synctest.Test(t, func(t *testing.T) {
		term, _, stderr := terminal()
		term.Live = true
		p := term.StartProgress("Hashing model", "file")
		work(p)
		p.Stop()
		for line := range strings.SplitSeq(stderr.String(), "\r") {
			if line != "" {
				lines = append(lines, strings.ReplaceAll(line, "\x1b[K", ""))
			}
		}
	})
	return lines
}

// steadily reports a number of equal steps, one a time.
func steadily(p *ui.Progress, steps int, every time.Duration, bytes int64, items int) {
	for range steps {
		time.Sleep(every)
		p.Add(digest.Progress{Bytes: bytes, Items: items})
	}
}

func TestProgressTellsBytesFilesRateAndTimeLeft(t *testing.T) {
	lines := drawn(t, func(p *ui.Progress) {
		p.Add(digest.Progress{ExpectedBytes: 100 << 20, ExpectedItems: 50})
		time.Sleep(time.Millisecond) // steps fall between updates
		steadily(p, 100, 100*time.Millisecond, 1<<20, 0)
		p.Add(digest.Progress{Items: 50})
	})
	// The rate is there with the second update, the time left after a second.
	for i, want := range map[int]string{
		0:              "Hashing model:   0% (0 bytes/100.00 MiB), 0/50 files",
		1:              "Hashing model:   1% (1.00 MiB/100.00 MiB), 0/50 files, 10.00 MiB/s",
		10:             "Hashing model:  10% (10.00 MiB/100.00 MiB), 0/50 files, 10.00 MiB/s, 0:09 left",
		50:             "Hashing model:  50% (50.00 MiB/100.00 MiB), 0/50 files, 10.00 MiB/s, 0:05 left",
		len(lines) - 1: "Hashing model: 100% (100.00 MiB/100.00 MiB), 50/50 files, 10.00 MiB/s, done.\n",
	} {
		if lines[i] != want {
			t.Errorf("update %d is %q, want %q", i, lines[i], want)
		}
	}
}

// The rate and the time left are those of the last seconds.
func TestProgressForgetsHowItBegan(t *testing.T) {
	lines := drawn(t, func(p *ui.Progress) {
		p.Add(digest.Progress{ExpectedBytes: 1 << 30, ExpectedItems: 2})
		time.Sleep(time.Millisecond)
		steadily(p, 20, 100*time.Millisecond, 40<<20, 0) // 400 MiB a second, from memory
		steadily(p, 50, 100*time.Millisecond, 1<<20, 0)  // 10 MiB a second, from a disk
	})
	if line := lines[len(lines)-2]; !strings.HasSuffix(line, ", 10.00 MiB/s, 0:18 left") {
		t.Errorf("after five slow seconds it says %q", line)
	}
}

// No time is foretold where there is nothing to tell it by.
func TestProgressForetellsNothingWithoutReason(t *testing.T) {
	for name, work := range map[string]func(p *ui.Progress){
		"in the first second": func(p *ui.Progress) { steadily(p, 9, 100*time.Millisecond, 1<<20, 0) },
		"when nothing moves":  func(p *ui.Progress) { time.Sleep(20 * time.Second) },
		"when it is years":    func(p *ui.Progress) { steadily(p, 30, 100*time.Millisecond, 1, 0) },
		"when all is read":    func(p *ui.Progress) { p.Add(digest.Progress{Bytes: 1 << 40}); time.Sleep(2 * time.Second) },
	} {
		for _, line := range drawn(t, func(p *ui.Progress) {
			p.Add(digest.Progress{ExpectedBytes: 1 << 40, ExpectedItems: 2})
			work(p)
		}) {
			if strings.Contains(line, "left") || strings.Contains(line, "NaN") || strings.Contains(line, "Inf") {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}

// What is not done is not called done: an interrupted or failed run leaves its state.
func TestProgressIsDoneOnlyWhenItIs(t *testing.T) {
	lines := drawn(t, func(p *ui.Progress) {
		p.Add(digest.Progress{ExpectedBytes: 1000, ExpectedItems: 2})
		p.Add(digest.Progress{Bytes: 1000, Items: 1})
		time.Sleep(time.Second)
	})
	if last := lines[len(lines)-1]; strings.Contains(last, "done") || strings.Contains(last, "100%") || !strings.Contains(last, "1/2 files") {
		t.Errorf("one of two files: %q", last)
	}
}

func TestProgressOfManyThings(t *testing.T) {
	for _, test := range []struct {
		expected, done digest.Progress
		after          time.Duration
		want           string
	}{
		{digest.Progress{ExpectedItems: 4}, digest.Progress{Items: 1}, time.Second, `^Hashing model:  25% \(0 bytes/0 bytes\), 1/4 files, 0 bytes/s$`},
		{digest.Progress{ExpectedBytes: 1 << 62, ExpectedItems: 1}, digest.Progress{Bytes: 1 << 61}, time.Second, `^Hashing model:  50% \(.*\), 0/1 file, `},
		{digest.Progress{ExpectedBytes: 10, ExpectedItems: 1}, digest.Progress{Bytes: 20}, time.Second, `^Hashing model:  99% `},
	} {
		lines := drawn(t, func(p *ui.Progress) {
			p.Add(test.expected)
			p.Add(test.done)
			time.Sleep(test.after)
		})
		if line := lines[len(lines)-2]; !regexp.MustCompile(test.want).MatchString(line) {
			t.Errorf("%+v of %+v: %q, want %s", test.done, test.expected, line, test.want)
		}
	}
	lines := drawn(t, func(p *ui.Progress) {
		p.Add(digest.Progress{ExpectedBytes: 3 * 3723 << 20, ExpectedItems: 1})
		time.Sleep(time.Millisecond)
		steadily(p, 3723, time.Second, 1<<20, 0)
	})
	if line := lines[len(lines)-2]; !strings.HasSuffix(line, "1.00 MiB/s, 2:04:07 left") {
		t.Errorf("after an hour of three it says %q", line)
	}
}

// However often it is told, it draws at most ten times a second, and nothing
// before it has been told of work.
func TestProgressIsDrawnTenTimesASecond(t *testing.T) {
	for name, work := range map[string]struct {
		of   func(p *ui.Progress)
		most int
	}{
		"reports by the microsecond": {func(p *ui.Progress) {
			p.Add(digest.Progress{ExpectedBytes: 1 << 20, ExpectedItems: 1})
			steadily(p, 1_000_000, time.Microsecond, 1, 0)
		}, 11},
		"no work": {func(p *ui.Progress) { time.Sleep(time.Second) }, 0},
		"work that is done at once": {func(p *ui.Progress) {
			p.Add(digest.Progress{ExpectedBytes: 1, ExpectedItems: 1})
			p.Add(digest.Progress{Bytes: 1, Items: 1})
		}, 0},
	} {
		if lines := drawn(t, work.of); len(lines) > work.most || work.most > 0 && len(lines) < work.most/2 {
			t.Errorf("%s: %d updates in a second, want %d: %q", name, len(lines), work.most, lines)
		}
	}
}

func TestProgressOnlyWhereItIsSeen(t *testing.T) {
	for _, test := range []struct{ live, quiet, want bool }{{true, false, true}, {false, false, false}, {true, true, false}} {
		t.Run(fmt.Sprintf("live %v, quiet %v", test.live, test.quiet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				term, stdout, stderr := terminal()
				term.Live, term.Quiet = test.live, test.quiet
				p := term.StartProgress("Hashing model", "file")
				p.Add(digest.Progress{ExpectedBytes: 100, ExpectedItems: 1})
				time.Sleep(time.Second)
				p.Stop()
				if seen := stderr.Len() > 0; seen != test.want || stdout.Len() > 0 {
					t.Errorf("%q on stderr, %q on stdout", stderr, stdout)
				}
			})
		})
	}
}
