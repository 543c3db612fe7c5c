package gitrepo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
)

// ReadBlobs calls fn with the content of each blob, in the order of the object
// ids, by one git. The sizes must be known, as every content is held in memory
// while fn has it; it may be kept. What is read is not held against its id: the
// caller compares it with a digest that it has from elsewhere. An error that fn
// returns ends the reading and is returned.
func (r *Repository) ReadBlobs(ctx context.Context, oids []string, sizes []int64, fn func(i int, content []byte) error) error {
	if len(oids) == 0 {
		return nil
	}
	g := r.git
	g.env = with(g.env, "GIT_NO_REPLACE_OBJECTS", "1")
	return g.stream(ctx, lines(oids), func(out *bufio.Reader) error {
		for i, oid := range oids {
			size, err := readHeader(out, oid)
			if err != nil {
				return err
			}
			if size != sizes[i] {
				return fmt.Errorf("%w: %s has %d bytes, expected %d", ErrObject, oid, size, sizes[i])
			}
			content := make([]byte, size)
			if _, err := io.ReadFull(out, content); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrObject, oid, io.ErrUnexpectedEOF)
			}
			if _, err := out.Discard(1); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrObject, oid, io.ErrUnexpectedEOF)
			}
			if err := fn(i, content); err != nil {
				return err
			}
		}
		return nil
	}, "cat-file", "--buffer", "--batch")
}

// streamThreshold is the size from which on git streams a blob that is no delta
// instead of holding it in memory.
const streamThreshold = "core.bigFileThreshold=8m"

// OpenBlob opens one blob for reading from its beginning to its end, whatever
// its size, by a git of its own. Closing it early ends that git. Its content is
// not held against its id.
func (r *Repository) OpenBlob(ctx context.Context, oid string) (io.ReadCloser, error) {
	if !r.isOID(oid) {
		return nil, fmt.Errorf("%w: %q is no object id", ErrObject, oid)
	}
	ctx, cancel := context.WithCancel(ctx)
	g := r.git
	g.env = with(g.env, "GIT_NO_REPLACE_OBJECTS", "1")
	b := &blobReader{ctx: ctx, cancel: cancel, said: &bounded{max: maxStderr}}
	var err error
	if b.cmd, err = g.reading(ctx, "-c", streamThreshold, "cat-file", "blob", oid); err != nil {
		cancel()
		return nil, err
	}
	b.cmd.Stderr = b.said
	if b.out, err = b.cmd.StdoutPipe(); err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, commandError(ctx, b.cmd, err, b.said)
	}
	return b, nil
}

// blobReader is the output of a git that is running.
type blobReader struct {
	ctx    context.Context
	cancel context.CancelFunc
	cmd    *exec.Cmd
	out    io.Reader
	said   *bounded
	ended  bool
	err    error // once ended
}

// Read reads on. At the end of the output it waits for git and says how that
// ended.
func (b *blobReader) Read(p []byte) (int, error) {
	if b.ended {
		return 0, b.err
	}
	n, err := b.out.Read(p)
	if err == nil {
		return n, nil
	}
	b.ended = true
	if b.err = commandError(b.ctx, b.cmd, b.cmd.Wait(), b.said); b.err == nil {
		b.err = err
	}
	b.cancel()
	return n, b.err
}

// Close ends git if it is running.
func (b *blobReader) Close() error {
	b.cancel()
	if !b.ended {
		b.ended, b.err = true, io.ErrClosedPipe
		_ = b.cmd.Wait() // it was ended on purpose
	}
	return nil
}
