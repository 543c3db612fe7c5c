package check

import (
	"bytes"
	"errors"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// errRemembered is what opening a file for reading ends in where it need not be
// read: the memory knows that it has the digest that was signed.
var errRemembered = errors.New("is remembered")

// remembering has the memory, if there is one, take part in the reading of items.
func (c *comparison) remembering(items []digest.Item, progress func(digest.Progress)) []remembering {
	memories := make([]remembering, len(items))
	if c.options.Memory == nil || c.tree.Apart() {
		return memories
	}
	for i, p := range c.pending {
		memories[i] = remembering{memory: c.options.Memory, algorithm: algorithm(c.manifest.Serialization), progress: progress}
		if !c.options.RequireRead {
			memories[i].expected = p.resource.Digest
		}
		memories[i].wrap(&items[i])
	}
	return memories
}

// remembering is the part that a memory has in reading one item. The zero value
// has none.
type remembering struct {
	memory    Memory
	algorithm digest.Algorithm
	// expected is the digest that need not be read, nil where all must be.
	expected []byte
	progress func(digest.Progress)
	keep     func(a digest.Algorithm, offset, length int64, sum []byte)
}

// wrap asks the memory when the item is opened. A memory never accuses: where it
// knows another digest than the expected one, the file is read.
func (r *remembering) wrap(it *digest.Item) {
	open, offset, length := it.Open, it.Offset, it.Length
	it.Open = func() (digest.File, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		if r.expected != nil && bytes.Equal(r.memory.Recall(f, r.algorithm, offset, length), r.expected) {
			f.Close()
			r.skip(it.Size, length)
			return nil, errRemembered
		}
		f, r.keep = r.memory.Watch(f)
		return f, nil
	}
}

// skip takes what is not read out of what progress expects.
func (r *remembering) skip(size, length int64) {
	if length < 0 {
		length = size
	}
	if r.progress != nil {
		r.progress(digest.Progress{ExpectedBytes: -length})
	}
}

// learn has the memory keep what was read.
func (r *remembering) learn(it digest.Item, res digest.Result) {
	if r.keep != nil && res.Err == nil {
		r.keep(r.algorithm, it.Offset, it.Length, res.Digest)
	}
}
