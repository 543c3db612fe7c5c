package check

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
)

// Take hashes every file of t and returns the manifest that describes it. It
// fails on the first file, in the order of their paths, that cannot be read or
// is not downloaded. What is signed is read for it: no memory has a part in that,
// and a pointer's word is taken only for a file that the tree says is promised.
func Take(ctx context.Context, t *tree.Tree, s oms.Serialization, h digest.Hasher) (*oms.Manifest, error) {
	if n := resources(t, s); n > oms.MaxResources {
		return nil, fmt.Errorf("%w: %d, at most %d are allowed", ErrTooMany, n, oms.MaxResources)
	}
	all := layOut(t, s)
	signed := make([]oms.Resource, len(all))
	read := make([]pending, 0, len(all))
	places := make([]int, 0, len(all)) // of what is read, in signed
	for i, r := range all {
		signed[i] = r.resource
		if r.file.Kind != tree.Pointer {
			read, places = append(read, r), append(places, i)
			continue
		}
		var err error
		if signed[i].Digest, err = promisedDigest(r.file, s); err != nil {
			return nil, fmt.Errorf("%s: %w", r.file.Path, err)
		}
	}
	results, err := sum(ctx, t, s, h, read, itemsOf(s, read))
	if err != nil {
		return nil, err
	}
	var failed []error
	for i, res := range results {
		if res.Err != nil {
			failed = append(failed, res.Err)
			continue
		}
		signed[places[i]].Digest = res.Digest
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return oms.NewManifest(t.Name, s, signed)
}

// ErrTooMany says that no signature could list a model.
var ErrTooMany = errors.New("too many files or shards for a signature")

// resources counts what layOut lists.
func resources(t *tree.Tree, s oms.Serialization) int64 {
	if s.Method != oms.Shards {
		return int64(len(t.Files))
	}
	var n int64
	for _, f := range t.Files {
		n += f.Size / s.ShardSize
		if f.Size%s.ShardSize > 0 {
			n++
		}
	}
	return n
}

// promisedDigest is the digest that the pointer of a promised file names.
func promisedDigest(f *tree.File, s oms.Serialization) ([]byte, error) {
	if !f.Promised || f.Pointer.Extensions {
		return nil, tree.ErrNotDownloaded
	}
	if s.Method != oms.Files || s.HashType != oms.SHA256 {
		return nil, fmt.Errorf("%w: an LFS pointer does not name %s", tree.ErrNotDownloaded, describe(s))
	}
	return hex.DecodeString(f.Pointer.OID)
}

// layOut lists the resources that a serialization makes of a tree, without
// their digests: one a file, or one a shard.
func layOut(t *tree.Tree, s oms.Serialization) []pending {
	out := make([]pending, 0, len(t.Files))
	for i := range t.Files {
		f := &t.Files[i]
		name := f.Path
		if t.Single {
			name = oms.SingleFile
		}
		if s.Method != oms.Shards {
			out = append(out, pending{oms.Resource{Path: name}, f})
			continue
		}
		for start := int64(0); start < f.Size; start += s.ShardSize {
			out = append(out, pending{oms.Resource{Path: name, Start: start, End: min(start+s.ShardSize, f.Size)}, f})
		}
	}
	return out
}
