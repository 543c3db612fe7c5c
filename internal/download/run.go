package download

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// session is one Run.
type session struct {
	source  Source
	store   *store
	options Options
	results []Result // of the files

	stop context.CancelCauseFunc // ends the run with an error
}

// run does what Run promises, without hurry.
func run(ctx context.Context, source Source, files []File, to Destination, o Options) (results []Result, err error) {
	results = make([]Result, len(files))
	for i, f := range files {
		results[i].Path = f.Path
	}
	if err := checkNames(files); err != nil {
		return stopped(results), err
	}
	s, err := to.open(ctx)
	if err != nil {
		return stopped(results), err
	}
	defer s.close()
	plan, err := makePlan(files, s.links, results)
	if err != nil {
		return stopped(results), err
	}
	if err := s.refuseTwins(plan.twins); err != nil {
		return stopped(results), err
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &session{source: source, store: s, options: o, results: results, stop: stop}
	r.announce(plan, len(files))
	missing := r.look(inner, plan.jobs)
	if inner.Err() == nil {
		r.fetch(inner, missing)
	}
	if err := context.Cause(inner); err != nil {
		return stopped(results), err
	}
	if err := s.flush(); err != nil {
		return results, err
	}
	return results, nil
}

// stopped gives the files that nothing is known of an error.
func stopped(results []Result) []Result {
	for i := range results {
		if results[i].Err == nil && !results[i].Kept && !results[i].placed {
			results[i].Err = fmt.Errorf("%q: %w", results[i].Path, ErrStopped)
		}
	}
	return results
}

// announce tells what there is to do, and that the files which can be nothing
// but wrong are done.
func (r *session) announce(p *plan, files int) {
	progress := digest.Progress{ExpectedItems: files}
	for _, j := range p.jobs {
		progress.ExpectedBytes += j.Size
	}
	for i := range r.results {
		if r.results[i].Err != nil {
			progress.Items++
		}
	}
	r.options.Progress(progress)
}

// look finds what is there already and returns the jobs that are left.
func (r *session) look(ctx context.Context, jobs []*job) (missing []*job) {
	there := make([]bool, len(jobs))
	r.each(ctx, len(jobs), func(buffers *pipe, i int) error {
		v := verifier{store: r.store, pipe: buffers, progress: r.options.Progress}
		var err error
		there[i], err = r.store.look(ctx, jobs[i], &v)
		if err != nil {
			r.failed(jobs[i], err)
			return err
		}
		if !there[i] {
			r.options.Progress(digest.Progress{Bytes: -v.read})
			return nil
		}
		for _, m := range jobs[i].members {
			r.results[m.index].Kept = true
		}
		r.store.note(jobs[i], r.options.Now())
		r.options.Progress(digest.Progress{Bytes: jobs[i].Size - v.read, Items: len(jobs[i].members)})
		return nil
	})
	for i, j := range jobs {
		if !there[i] {
			missing = append(missing, j)
		}
	}
	return missing
}

// fetch gets what is missing.
func (r *session) fetch(ctx context.Context, jobs []*job) {
	r.each(ctx, len(jobs), func(buffers *pipe, i int) error {
		t := transfer{session: r, job: jobs[i], pipe: buffers}
		err := t.run(ctx)
		for _, m := range jobs[i].members {
			r.results[m.index].placed = err == nil
		}
		first := &r.results[jobs[i].members[0].index]
		first.Received, first.Resumed = t.received, t.resumed
		if err != nil {
			r.failed(jobs[i], err)
		} else {
			r.store.note(jobs[i], r.options.Now())
		}
		r.options.Progress(digest.Progress{Items: len(jobs[i].members)})
		if errors.Is(err, ErrWrong) {
			return nil // the others may be right
		}
		return err
	})
}

// failed leaves an error in the results of a job, unless it only says that
// the run has ended.
func (r *session) failed(j *job, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	for _, m := range j.members {
		r.results[m.index].Err = err
	}
}

// each calls fn for numbers below n, in order and several at a time, until one
// returns an error, which ends the run.
func (r *session) each(ctx context.Context, n int, fn func(buffers *pipe, i int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(r.options.Parallel, n) {
		all.Go(func() {
			buffers := new(pipe)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(buffers, i); err != nil {
					r.stop(err) // the first one counts
				}
			}
		})
	}
	all.Wait()
}
