package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Store is the objects of a repository, open for reading blobs. What a plain
// repository has as loose objects, or as a whole in its packs, is read in this
// process and on all cores: that is quicker than having git write it into a pipe.
// The rest, which may be all, is asked of git. It may be used from several
// goroutines.
type Store struct {
	repo    *Repository
	packs   []*pack
	readers sync.Pool // of *packReader
}

// Blob is a blob as far as it was read.
type Blob struct {
	OID     string
	Size    int64  // in bytes
	Content []byte // nil if it is longer than was asked for; may be kept

	packed place
}

// Packed says whether [Store.OpenPacked] can read the content.
func (b Blob) Packed() bool { return b.packed.pack != nil }

// OpenStore opens the objects of the repository as they are now. The caller closes
// the store. What comes later is found too, by git.
func (r *Repository) OpenStore() *Store { return &Store{repo: r, packs: r.openPacks()} }

// Close closes the packs.
func (s *Store) Close() { closePacks(s.packs) }

// Blobs is [Repository.Blobs].
func (s *Store) Blobs(ctx context.Context, oids []string, max int64, fn func(Blob) error) error {
	for _, oid := range oids {
		if !s.repo.isOID(oid) {
			return fmt.Errorf("%w: %q is no object id", ErrObject, oid)
		}
	}
	err := s.blobs(ctx, oids, max, fn)
	var own stop
	if errors.As(err, &own) {
		return own.error
	}
	return err
}

// blobs reads here what can be, and asks for the rest.
func (s *Store) blobs(ctx context.Context, oids []string, max int64, fn func(Blob) error) error {
	local := s.local(ctx, oids, max)
	var rest []string
	for i, oid := range oids {
		if !local[i].known {
			rest = append(rest, oid)
		}
	}
	next := 0
	giveLocal := func() error {
		for ; next < len(oids) && local[next].known; next++ {
			b := local[next]
			if err := fn(Blob{oids[next], b.size, b.content, b.packed}); err != nil {
				return stop{err}
			}
		}
		return nil
	}
	err := s.askFor(ctx, rest, max, func(oid string, content []byte, size int64) error {
		if err := giveLocal(); err != nil {
			return err
		}
		next++
		return fn(Blob{OID: oid, Size: size, Content: content})
	})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return giveLocal()
}

// askFor reads a few blobs with go-git, which knows deltas, and others with git.
func (s *Store) askFor(ctx context.Context, oids []string, max int64, fn BlobFunc) error {
	if s.repo.plain() && len(oids) <= maxPlainBlobs {
		done := 0
		err := plainReader{s.repo}.blobs(ctx, oids, max, func(oid string, content []byte, size int64) error {
			done++
			return fn(oid, content, size)
		})
		if errors.As(err, new(stop)) || err == nil {
			return err
		}
		oids = oids[done:]
	}
	return gitReader{s.repo}.blobs(ctx, oids, max, fn)
}

// localBlob is a blob that was read in this process.
type localBlob struct {
	content []byte // nil if it is longer than was asked for
	size    int64
	known   bool
	packed  place
}

// onePage is how much is read of a blob before its size is known, in bytes.
const onePage = 4 << 10

// maxLocal bounds the contents that are held at once, in bytes.
const maxLocal = 32 << 20

// local reads those of the blobs that are packed as a whole or loose. What is not
// found or not understood is not known.
func (s *Store) local(ctx context.Context, oids []string, max int64) []localBlob {
	read := make([]localBlob, len(oids))
	if !s.repo.plain() {
		return read
	}
	const share = 64 // of the blobs, taken at once
	var next, held atomic.Int64
	work := func() {
		var l looseReader
		p := s.reader()
		defer s.readers.Put(p)
		for from := 0; ctx.Err() == nil && held.Load() < maxLocal; {
			if from = int(next.Add(share)) - share; from >= len(oids) {
				return
			}
			for i := from; i < min(from+share, len(oids)); i++ {
				b, err := s.packed(p, oids[i], min(max, onePage), max)
				if errors.Is(err, errNoPack) {
					b, err = l.read(s.repo, oids[i], max)
				}
				if err == nil {
					b.known = true
					read[i] = b
					held.Add(int64(len(b.content)))
				}
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(oids)+share-1)/share) {
		wg.Go(work)
	}
	wg.Wait()
	return read
}

func (s *Store) reader() *packReader {
	if p, ok := s.readers.Get().(*packReader); ok {
		return p
	}
	return &packReader{}
}

// packed reads a blob of at most max bytes out of a pack, and of a longer one its
// size. What is read is held against its id.
func (s *Store) packed(p *packReader, oid string, expected, max int64) (localBlob, error) {
	id, ok := rawID(oid)
	if !ok {
		return localBlob{}, errPack
	}
	for _, pack := range s.packs {
		at, found := pack.find(&id)
		if !found {
			continue
		}
		size, content, err := p.blob(at, expected, max, nil)
		if err == nil && content != nil && s.repo.objectID(content) != oid {
			err = errPack
		}
		return localBlob{content: content, size: size, packed: at}, err
	}
	return localBlob{}, errNoPack
}

// OpenPacked reads the content of a blob that is packed. It stays until release is
// called. What is read is not held against its id, only against the checksum that the
// pack's index has for it: the caller compares it with a digest that it has from
// elsewhere. A failure is no verdict: git may still have the object.
func (s *Store) OpenPacked(b Blob) (content []byte, release func(), err error) {
	p := s.reader()
	size, content, err := p.blob(b.packed, b.Size, b.Size, p.content)
	if err == nil && size != b.Size {
		err = errPack
	}
	if err != nil {
		s.readers.Put(p)
		return nil, nil, fmt.Errorf("reading packed object %s: %w", b.OID, err)
	}
	p.content = content
	return content, func() { s.readers.Put(p) }, nil
}
