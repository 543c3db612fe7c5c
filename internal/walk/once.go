package walk

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// readOnce remembers, for as long as one walk takes, the digests of the files that it
// has read, as the snapshots of a cache share theirs. Nothing of it outlives the walk:
// whoever changes a file behind its back can do so as well once the walk has ended.
type readOnce struct {
	mu   sync.Mutex
	read map[onceKey][]onceDigest
}

// onceKey is what the file must still have in common with the one that was read.
type onceKey struct {
	size           int64
	modified       time.Time
	algorithm      digest.Algorithm
	offset, length int64
}

type onceDigest struct {
	info fs.FileInfo
	sum  []byte
}

func keyOf(info fs.FileInfo, a digest.Algorithm, offset, length int64) onceKey {
	return onceKey{info.Size(), info.ModTime().UTC(), a, offset, length}
}

// Recall implements check.Memory.
func (r *readOnce) Recall(f digest.File, a digest.Algorithm, offset, length int64) []byte {
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.read[keyOf(info, a, offset, length)] {
		if os.SameFile(known.info, info) {
			return known.sum
		}
	}
	return nil
}

// Watch implements check.Memory.
func (r *readOnce) Watch(f digest.File) (digest.File, func(a digest.Algorithm, offset, length int64, sum []byte)) {
	info, err := f.Stat()
	if err != nil {
		return f, nil
	}
	return f, func(a digest.Algorithm, offset, length int64, sum []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.read == nil {
			r.read = map[onceKey][]onceDigest{}
		}
		k := keyOf(info, a, offset, length)
		r.read[k] = append(r.read[k], onceDigest{info, sum})
	}
}
