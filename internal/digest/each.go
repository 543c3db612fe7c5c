package digest

import (
	"context"
	"sync"
	"sync/atomic"
)

// sumEach hashes with code that knows one message at a time, several items side
// by side. There are twice as many goroutines as may hash at once: the others
// read meanwhile.
func (h Hasher) sumEach(ctx context.Context, items []Item, results []Result) {
	order := largestFirst(items)
	cores := make(chan struct{}, h.Threads)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(2*h.Threads, len(items), maxReaders) {
		wg.Go(func() {
			buf := make([]byte, pieceSize)
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(order) {
					return
				}
				i := order[n]
				results[i] = h.sumOne(ctx, items[i], buf, cores)
				h.report(Progress{Items: 1})
			}
		})
	}
	wg.Wait()
}

func (h Hasher) sumOne(ctx context.Context, it Item, buf []byte, cores chan struct{}) Result {
	src, err := openSource(&it)
	if err != nil {
		return Result{Err: err}
	}
	defer src.close()
	hash, err := h.Algorithm.New()
	if err != nil {
		return Result{Err: err}
	}
	var done int64
	for src.left() > 0 {
		n, err := src.next(buf)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Result{Bytes: done, Err: err}
		}
		cores <- struct{}{}
		hash.Write(buf[:n]) // a hash never fails
		<-cores
		done += int64(n)
		h.report(Progress{Bytes: int64(n)})
	}
	if err := src.unchanged(); err != nil {
		return Result{Bytes: done, Err: err}
	}
	return Result{Digest: hash.Sum(nil), Bytes: done}
}
