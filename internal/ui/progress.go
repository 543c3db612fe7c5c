package ui

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

const (
	// updateInterval keeps progress at ten lines a second at the most.
	updateInterval = 100 * time.Millisecond
	// rateWindow is how far back the rate looks: what was faster or slower
	// before, such as files that were in memory, says nothing of what is left.
	rateWindow = 3 * time.Second
	// rateSettles is how long there must have been something to see before it is
	// taken to say how long the rest will take.
	rateSettles = time.Second
	// longestLeft is the longest time that is foretold.
	longestLeft = 100 * time.Hour
)

// Progress draws a line like git's on a terminal while files are hashed, and
// nothing anywhere else.
type Progress struct {
	terminal    *Terminal
	title, noun string
	start       time.Time
	stop        chan struct{}
	stopped     sync.WaitGroup

	expectedBytes, expectedItems atomic.Int64
	bytes, items                 atomic.Int64

	recent []sample // of the rate's window, the oldest first; the drawing goroutine's
}

// sample is how many bytes were done at a time.
type sample struct {
	at    time.Time
	bytes int64
}

// StartProgress begins a progress line; noun is what there are several of.
// Nothing is drawn before it has been told of work. Stop must be called.
func (t *Terminal) StartProgress(title, noun string) *Progress {
	p := &Progress{terminal: t, title: title, noun: noun, start: time.Now(), stop: make(chan struct{})}
	if t.Live && !t.Quiet {
		p.stopped.Go(p.draw)
	}
	return p
}

// Add takes a hasher's report. It may be called from any goroutine.
func (p *Progress) Add(r digest.Progress) {
	p.expectedBytes.Add(r.ExpectedBytes)
	p.expectedItems.Add(int64(r.ExpectedItems))
	p.bytes.Add(r.Bytes)
	p.items.Add(int64(r.Items))
}

// Stop ends the line; the last state stays on the terminal.
func (p *Progress) Stop() {
	close(p.stop)
	p.stopped.Wait()
}

func (p *Progress) draw() {
	tick := time.NewTicker(updateInterval)
	defer tick.Stop()
	drawn := false
	for {
		select {
		case now := <-tick.C:
			if p.expectedItems.Load() > 0 {
				p.write(p.parts(now), "\x1b[K")
				drawn = true
			}
		case <-p.stop:
			if drawn {
				p.write(p.last(time.Now()), "\x1b[K\n")
			}
			return
		}
	}
}

// write puts as many parts of a line on the terminal as its width takes: a line
// that goes on in the next row could not be written over.
func (p *Progress) write(parts []string, end string) {
	line := parts[0]
	width := p.terminal.width()
	for _, part := range parts[1:] {
		if width > 0 && len(line)+len(", ")+len(part) >= width {
			break
		}
		line += ", " + part
	}
	fmt.Fprintf(p.terminal.Err, "\r%s%s", line, end)
}

// width is the number of columns of the terminal that Err is, 0 if it is unknown.
func (t *Terminal) width() int {
	f, ok := t.Err.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// parts are "Hashing model:  45% (1.40 GiB/3.10 GiB)", "12/27 files",
// "2.90 GiB/s" and "0:12 left", the last two as far as they can be told.
func (p *Progress) parts(now time.Time) []string {
	done, all := p.bytes.Load(), p.expectedBytes.Load()
	p.recent = append(p.recent, sample{now, done})
	for len(p.recent) > 2 && now.Sub(p.recent[0].at) > rateWindow {
		p.recent = p.recent[1:]
	}
	parts := p.counts(done, all)
	seen := now.Sub(p.recent[0].at)
	if seen <= 0 {
		return parts
	}
	rate := float64(done-p.recent[0].bytes) / seen.Seconds()
	parts = append(parts, Size(int64(rate))+"/s")
	if left := float64(all-done) / rate; seen >= rateSettles && left > 0 && left < longestLeft.Seconds() {
		parts = append(parts, clock(left)+" left")
	}
	return parts
}

// last is the line that stays: with the rate over all the time, and "done" only
// if that is so.
func (p *Progress) last(now time.Time) []string {
	done := p.bytes.Load()
	parts := p.counts(done, p.expectedBytes.Load())
	if elapsed := now.Sub(p.start).Seconds(); elapsed > 0 {
		parts = append(parts, Size(int64(float64(done)/elapsed))+"/s")
	}
	if p.items.Load() >= p.expectedItems.Load() {
		parts = append(parts, "done.")
	}
	return parts
}

// counts is how much of all is done, in bytes and in files. One hundred per cent
// is all, and nothing less.
func (p *Progress) counts(done, all int64) []string {
	items, allItems := p.items.Load(), p.expectedItems.Load()
	percent := items * 100 / allItems
	if all > 0 {
		percent = min(100, int64(float64(done)/float64(all)*100))
	}
	if percent == 100 && items < allItems {
		percent = 99
	}
	return []string{
		fmt.Sprintf("%s: %3d%% (%s/%s)", p.title, percent, Size(done), Size(all)),
		fmt.Sprintf("%d/%s", items, Plural(int(allItems), p.noun)),
	}
}

// clock writes seconds as 0:07, 12:34 or 1:02:03.
func clock(seconds float64) string {
	s := int64(seconds + 0.5)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
