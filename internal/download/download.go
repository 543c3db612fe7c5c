// Package download fetches files and lets one appear under its final name only
// once its content has proved to be what was expected.
//
// [Run] takes files with the digests that a signature or a listing has for them,
// gets them from a [Source], several at a time, and hashes the bytes as they
// come. What has come lies in a partial file in a folder of the destination that
// nobody takes for part of the model; after a break, of the connection or of the
// program, it is hashed again and the source is asked for the rest. The
// destination is a [Folder], or a repository in the cache of Hugging Face's
// clients, a [Cache].
//
// What is found at the destination is the user's, or was prepared by somebody
// who means them ill. So it is hashed before it is kept, nothing of it is ever
// written over or deleted, no link is followed, and no name leads outside. Only
// this package's own partial files are thrown away, once they have proved wrong,
// and the notes that Hugging Face's clients keep are replaced, as they do.
//
// The package knows no server, no token and no signature, and prints nothing:
// whoever calls it has decided which digests to believe.
package download

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// Errors that a caller may want to tell apart, by errors.Is.
var (
	// ErrWrong says that the content is not what was expected: another digest or
	// another size, from the source or between what the caller says of the file.
	// What has been proved wrong is thrown away. The other files are fetched all
	// the same.
	ErrWrong = errors.New("wrong content")
	// ErrExists says that something else stands where the file belongs, which is
	// left as it is. The user may move it away, or choose another destination.
	ErrExists = errors.New("something else is there already")
	// ErrLink says that a folder on the way to a file is a symbolic link.
	ErrLink = errors.New("symbolic link")
	// ErrName says that the destination cannot or must not have a file of this name.
	ErrName = errors.New("cannot be a file's name here")
	// ErrTwin says that the destination would take two of the files for one.
	ErrTwin = errors.New("cannot stand beside each other")
	// ErrChanged says that somebody changed a file while it was looked at.
	ErrChanged = digest.ErrChanged
	// ErrDiskFull says that there was no more room. What had come is kept.
	ErrDiskFull = errors.New("no room left on the disk")
	// ErrStopped says that the file was given up because of another file's error.
	ErrStopped = errors.New("not downloaded")
)

// File is a file to fetch and what it must be. All that is said of the content
// must hold; unless the file is empty, Want or Blob has to be there.
type File struct {
	// Path is where the file goes: relative, with slashes, no part empty, "." or "..".
	Path string
	// Size is the size of the content in bytes.
	Size int64
	// Want is what byte ranges must hash to with Algorithm: one that is the whole
	// file, or shards that follow each other from the first byte to the last.
	// Empty for a file that only Blob says something of.
	Want      []Range
	Algorithm digest.Algorithm
	// Blob is what the Hub's listing says of the content, and the name that
	// Hugging Face's clients give it: the SHA-256 of the content in 64 hex digits,
	// or the id that git has for it as a blob, in 40. A Cache needs it.
	Blob string
	// Content is the content if the caller has it already. It is checked like any other.
	Content []byte
}

// Range is a part of a file, from Start up to but not including End, and its digest.
type Range struct {
	Start, End int64
	Digest     []byte
}

// Source is where files come from.
type Source interface {
	// Open begins to read a file at an offset, which is less than its size or 0.
	// It returns the size that the whole file is said to have, -1 if nothing is
	// said, and where in the file the body begins: at the offset, or before it (0)
	// if the server would not skip. Open itself tries again what is worth trying
	// again; its error is final. Reading must end when ctx does.
	Open(ctx context.Context, path string, offset int64) (body io.ReadCloser, size, begins int64, err error)
}

// Options say how files are fetched. The zero value is the usual way.
type Options struct {
	// Parallel is how many files are fetched at a time; 0 means 8. Each has a
	// buffer of 1 MiB.
	Parallel int
	// Retries is how often in a row a broken transfer is taken up again without
	// bringing anything new; 0 means 5. What brings something new begins the count
	// again.
	Retries int
	// Progress, where set, is told what there is to do and then what has been
	// done, as a hasher tells it. Bytes of a file that has to be begun again are
	// taken back. It is called from several goroutines and must not block.
	Progress func(digest.Progress)
	// Now and Sleep are the clock. They are those of package time if not set.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error

	// newChecker judges what is received. It is [newChecker] but in a benchmark,
	// which cannot say what hashing takes without leaving it out.
	newChecker func(*File) (*checker, error)
}

// Result is what became of a File.
type Result struct {
	Path string
	// Kept says that the right content was there already.
	Kept bool
	// Received is how many bytes came from the source, and Resumed how many of an
	// earlier run were used. Where files of a Cache have their content in common,
	// the first of them has both numbers.
	Received, Resumed int64
	// Err says why the file is not there; nil if it is.
	Err error

	placed bool // by this run
}

const (
	defaultParallel = 8
	defaultRetries  = 5
	// grace is how long Run waits, once its context has ended, for what may be
	// stuck in a read or a flush.
	grace = 50 * time.Millisecond
)

// Run fetches files, in this order as far as it goes, and returns one Result for
// each. First it looks at everything that is there: if anything is in the way,
// nothing is fetched at all.
//
// A file with the wrong content is told in its Result, an ErrWrong, and the rest
// goes on. Any other error would strike again: it ends the run and is returned, and
// the results of the files that were not done have such an error or an ErrStopped.
// What had come of them is kept for the next run.
//
// If ctx ends, Run returns its cause and no results within a tenth of a second;
// a system call that takes longer stays behind until it is done.
//
// Two runs at once into one destination take turns: the second fails with
// [durable.ErrLocked] if the first takes longer than ten seconds.
func Run(ctx context.Context, source Source, files []File, to Destination, o Options) ([]Result, error) {
	if len(files) == 0 {
		return nil, ctx.Err()
	}
	o = o.withDefaults()
	var results []Result
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		results, err = run(ctx, source, files, to, o)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(grace):
			return nil, context.Cause(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, err
}

func (o Options) withDefaults() Options {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Retries <= 0 {
		o.Retries = defaultRetries
	}
	if o.Progress == nil {
		o.Progress = func(digest.Progress) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.newChecker == nil {
		o.newChecker = newChecker
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
