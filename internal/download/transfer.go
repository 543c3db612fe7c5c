package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// transfer is the way of one job from the source to its place.
type transfer struct {
	*session
	job  *job
	pipe *pipe

	file *os.File // the partial file
	have int64    // bytes in it, all of them given to the pipe
	// patched says that not all of them are from one connection of this run.
	patched bool

	received, resumed int64 // as in Result
}

// run gets the content and puts it in its place. Content that was put together
// from pieces and is wrong gets a second chance from the start, as one of them may
// have been a bad one.
func (t *transfer) run(ctx context.Context) error {
	err := t.attempt(ctx)
	if errors.Is(err, errDiscard) && t.patched {
		err = t.attempt(ctx)
	}
	if err == nil {
		return nil
	}
	t.store.discardEmpty(t.job)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%q: %w", t.job.Path, err)
}

// errDiscard goes with an ErrWrong about bytes that have come, which are no use.
var errDiscard = errors.New("")

// discard throws away what has come, because of err.
func (t *transfer) discard(err error) error {
	t.options.Progress(digest.Progress{Bytes: -t.have})
	t.resumed = 0
	t.file.Close() // before it is removed: Windows insists
	if removed := t.store.discard(t.job); removed != nil {
		return fmt.Errorf("throwing away what is wrong (%w): %w", err, removed)
	}
	return &wrongContent{err}
}

// wrongContent is an ErrWrong that is an errDiscard too.
type wrongContent struct{ error }

func (w *wrongContent) Unwrap() []error { return []error{w.error, errDiscard} }

// attempt continues what there is of the content until it is complete.
func (t *transfer) attempt(ctx context.Context) error {
	file, size, err := t.store.openPartial(t.job)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := t.options.newChecker(&t.job.File)
	if err != nil {
		return err
	}
	t.file, t.have, t.patched = file, 0, false
	t.pipe.start(c)
	defer t.pipe.end()
	if err := t.resume(ctx, size); err != nil {
		return err
	}
	if err := t.receive(ctx); err != nil {
		return err
	}
	if err := t.pipe.finish(); err != nil {
		return t.discard(err)
	}
	if err := file.Sync(); err != nil {
		return diskError(err)
	}
	if err := file.Close(); err != nil {
		return diskError(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.settle(ctx)
}

// resume hashes what an earlier run has left.
func (t *transfer) resume(ctx context.Context, size int64) error {
	if size == 0 {
		return nil
	}
	t.patched = true
	v := verifier{store: t.store, pipe: t.pipe, progress: t.options.Progress}
	err := v.hash(ctx, t.file, size)
	t.have = v.read
	t.resumed = v.read
	if err == nil && t.pipe.failed() {
		err = t.discard(t.pipe.end())
	}
	return err
}

// settle gives the content its name. If somebody else was faster, theirs is
// looked at like anything that was there before.
func (t *transfer) settle(ctx context.Context) error {
	v := verifier{store: t.store, pipe: t.pipe, progress: func(digest.Progress) {}}
	err := t.store.place(t.store.partialName(t.job), t.store.content(t.job))
	if errors.Is(err, fs.ErrExist) {
		if _, err = v.verify(ctx, t.store.content(t.job), &t.job.File); err == nil {
			err = t.store.discard(t.job)
		}
	}
	if err != nil || !t.store.links {
		return err
	}
	return t.store.link(ctx, t.job, &v)
}

// receive gets the rest of the content, over as many connections as it takes.
func (t *transfer) receive(ctx context.Context) error {
	failures := 0
	for t.have < t.job.Size {
		before := t.have
		t.patched = t.patched || before > 0
		broken, err := t.connect(ctx)
		if err != nil {
			return err
		}
		if t.have > before {
			failures = 0
		} else {
			failures++
		}
		if t.have == t.job.Size {
			break
		}
		if failures > t.options.Retries {
			return fmt.Errorf("the transfer broke off after %d of %d bytes: %w", t.have, t.job.Size, broken)
		}
		if err := t.options.Sleep(ctx, backoff(failures)); err != nil {
			return err
		}
	}
	return nil
}

// backoff is how long to wait after so many failures in a row: from an eighth of
// a second to sixteen seconds, give or take a quarter.
func backoff(failures int) time.Duration {
	d := time.Second / 8 << min(failures, 7)
	return d*3/4 + rand.N(d/2)
}

// connect gets as much as one connection gives. How that broke is no error yet.
func (t *transfer) connect(ctx context.Context) (broken, err error) {
	body, begins, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	defer context.AfterFunc(ctx, func() { body.Close() })()
	skip := t.have - begins
	for {
		b := t.pipe.buffer()
		n, broken := body.Read(b)
		if t.job.Content == nil {
			t.received += int64(n)
		}
		skipped := int(min(int64(n), skip))
		skip -= int64(skipped)
		n = copy(b, b[skipped:n])
		switch {
		case t.have+int64(n) > t.job.Size:
			t.pipe.hash(b[:0])
			return nil, t.discard(fmt.Errorf("%w: expected %d bytes, received more", ErrWrong, t.job.Size))
		case n > 0:
			if err := t.keep(b[:n]); err != nil {
				return nil, err
			}
		default:
			t.pipe.hash(b[:0])
		}
		switch {
		case t.pipe.failed():
			return nil, t.discard(t.pipe.end())
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(broken, io.EOF):
			return io.ErrUnexpectedEOF, nil // unless that was all
		case broken != nil:
			return broken, nil
		}
	}
}

// open begins to read from the source, at what is missing or before.
func (t *transfer) open(ctx context.Context) (body io.ReadCloser, begins int64, err error) {
	if t.job.Content != nil {
		return io.NopCloser(bytes.NewReader(t.job.Content)), 0, nil
	}
	body, size, begins, err := t.source.Open(ctx, t.job.Path, t.have)
	if err != nil {
		return nil, 0, err
	}
	// What has come may be right all the same, so that it is kept.
	if size >= 0 && size != t.job.Size {
		body.Close()
		return nil, 0, fmt.Errorf("%w: expected %d bytes, the source has %d", ErrWrong, t.job.Size, size)
	}
	if begins < 0 || begins > t.have {
		body.Close()
		return nil, 0, fmt.Errorf("asked for what follows byte %d, the source begins at %d", t.have, begins)
	}
	return body, begins, nil
}

// keep writes bytes to the partial file and has them hashed.
func (t *transfer) keep(b []byte) error {
	n, err := t.file.Write(b)
	t.have += int64(n)
	t.options.Progress(digest.Progress{Bytes: int64(n)})
	t.pipe.hash(b)
	return diskError(err)
}
