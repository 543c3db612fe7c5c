package tree

import (
	"context"
	"testing"
)

// TestLoadShort has a source that ends early and says nothing of it: files that were
// not read must not pass for files that were.
func TestLoadShort(t *testing.T) {
	files := []File{{Path: "a", blob: &blob{id: "a", size: 1}}, {Path: "b", blob: &blob{id: "b", size: 1}}}
	for contents := range 3 {
		tree := &Tree{contents: func(_ context.Context, _ []*blob, put func(int, []byte) error) error {
			for i := range contents {
				if err := put(i, []byte("x")); err != nil {
					return err
				}
			}
			return nil
		}}
		err := tree.Load(t.Context(), files, func(int, int) error { return nil })
		if whole := contents == len(files); (err == nil) != whole {
			t.Errorf("%d of %d contents: %v", contents, len(files), err)
		}
	}
}
