package check

import (
	"context"
	"errors"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
)

// Take hashes every file of t and returns the manifest that describes it. It
// fails on the first file, in the order of their paths, that cannot be read or
// is not downloaded. What is signed is read for it: no memory has a part in that.
func Take(ctx context.Context, t *tree.Tree, s oms.Serialization, h digest.Hasher) (*oms.Manifest, error) {
	resources := layOut(t, s)
	for _, r := range resources {
		if r.file.Kind == tree.Pointer {
			return nil, fmt.Errorf("%s: %w", r.file.Path, tree.ErrNotDownloaded)
		}
	}
	results, err := sum(ctx, t, s, h, resources, itemsOf(s, resources))
	if err != nil {
		return nil, err
	}
	signed := make([]oms.Resource, len(resources))
	var failed []error
	for i, res := range results {
		if res.Err != nil {
			failed = append(failed, res.Err)
			continue
		}
		signed[i] = resources[i].resource
		signed[i].Digest = res.Digest
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return oms.NewManifest(t.Name, s, signed)
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
