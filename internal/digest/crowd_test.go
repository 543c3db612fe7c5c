package digest

import (
	"context"
	"testing"
)

// Once a reader has found that the context has ended, a timer of its that fires late begins no other: who waits for the readers may
// have seen the last of them go.
func TestNoReaderBeginsAfterTheLast(t *testing.T) {
	backend, err := choose("", 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	items := make([]Item, 3)
	for i := range items {
		items[i] = Item{Name: "file", Length: 1, Open: func() (File, error) { panic("opened") }}
	}
	b := newBoard(ctx, Hasher{Threads: 1}, backend, items, make([]Result, len(items)))
	c := &b.crowd
	cancel()
	(&reader{crowd: c, worker: b.workers[0]}).run()
	if c.begin(b.workers[0]); c.readers != 0 {
		t.Errorf("%d readers began", c.readers)
	}
	c.running.Wait()
}
