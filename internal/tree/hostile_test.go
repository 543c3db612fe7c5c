package tree

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// TestHostileIndex has an index that no git writes, with a path that leaves the
// worktree. git itself may refuse it as a whole; what must not happen is that a
// file outside becomes part of the model.
func TestHostileIndex(t *testing.T) {
	for _, name := range []string{"../out", "sub/../../out", "/etc/passwd", "a//b", "./a", ".git/config", "sub/.git/x"} {
		m := newModel(t, map[string]string{"a": "a"})
		m.WriteFiles(m.dir, map[string]string{"../out": "secret", "sub/x": "x"})
		f, err := os.Create(filepath.Join(m.dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		hash := plumbing.ComputeHash(plumbing.BlobObject, []byte("a"))
		idx := &index.Index{Version: 2, Entries: []*index.Entry{
			{Name: name, Mode: filemode.Regular, Hash: hash},
			{Name: "a", Mode: filemode.Regular, Hash: hash},
		}}
		if err := index.NewEncoder(f).Encode(idx); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		tr, err := OpenWorktree(t.Context(), m.repo, m.dir, Options{})
		if err != nil {
			continue
		}
		if got := paths(tr); len(tr.Problems) == 0 && !slices.Equal(got, []string{"a"}) || slices.Contains(got, name) {
			t.Errorf("%s: files %q, problems %v", name, got, tr.Problems)
		}
		tr.Close()
	}
}
