package ui

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// updateInterval keeps progress at ten lines a second at the most.
const updateInterval = 100 * time.Millisecond

// Progress draws a line like git's on a terminal while bytes are worked on, and
// nothing anywhere else.
type Progress struct {
	terminal *Terminal
	title    string
	total    int64
	done     atomic.Int64
	start    time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// StartProgress begins a progress line for total bytes. Stop must be called.
func (t *Terminal) StartProgress(title string, total int64) *Progress {
	p := &Progress{terminal: t, title: title, total: total, start: time.Now(), stop: make(chan struct{})}
	if !t.Live || t.Quiet || total == 0 {
		return p
	}
	p.stopped.Go(p.draw)
	return p
}

// Add says that n more bytes are done. It may be called from any goroutine.
func (p *Progress) Add(n int64) { p.done.Add(n) }

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
		case <-tick.C:
			fmt.Fprintf(p.terminal.Err, "\r%s\x1b[K", p.line())
			drawn = true
		case <-p.stop:
			if drawn {
				fmt.Fprintf(p.terminal.Err, "\r%s, done.\x1b[K\n", p.line())
			}
			return
		}
	}
}

// line is "Hashing model: 45% (1.40 GiB/3.10 GiB), 2.90 GiB/s".
func (p *Progress) line() string {
	done := p.done.Load()
	elapsed := time.Since(p.start).Seconds()
	rate := int64(0)
	if elapsed > 0 {
		rate = int64(float64(done) / elapsed)
	}
	percent := min(100, done*100/p.total)
	return fmt.Sprintf("%s: %3d%% (%s/%s), %s/s", p.title, percent, Size(done), Size(p.total), Size(rate))
}
