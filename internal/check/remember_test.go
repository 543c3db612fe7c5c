package check_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/tree"
)

// notebook is a Memory that knows one digest of every file, or none, and writes
// down what happens.
type notebook struct {
	known []byte

	mu            sync.Mutex
	asked, learnt []string
}

func (n *notebook) Recall(f digest.File, a digest.Algorithm, offset, length int64) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, fmt.Sprintf("%s %d+%d", a, offset, length))
	return n.known
}

func (n *notebook) Watch(f digest.File) (digest.File, func(a digest.Algorithm, offset, length int64, sum []byte)) {
	w := &closing{File: f}
	return w, func(a digest.Algorithm, offset, length int64, sum []byte) {
		n.learnt = append(n.learnt, fmt.Sprintf("%s %d+%d %.2x closed:%v", a, offset, length, sum, w.closed))
	}
}

// closing is a file that knows whether it was closed.
type closing struct {
	digest.File
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return c.File.Close()
}

func TestCompareWithAMemory(t *testing.T) {
	alpha := hash("alpha")
	short := file("a", "alpha")
	short.Open = func() (digest.File, error) { return file("a", "al").Open() }
	learnt := fmt.Sprintf("sha256 0+-1 %.2x closed:true", alpha)
	for _, test := range []struct {
		name          string
		known         []byte
		tree          *tree.Tree
		o             check.Options
		want          string
		bytes         int64
		asked, learnt []string
	}{
		{"knows nothing", nil, folder(file("a", "alpha")), check.Options{}, "a read", 5, []string{"sha256 0+-1"}, []string{learnt}},
		{"knows it", alpha, folder(file("a", "alpha")), check.Options{}, "a remembered", 0, []string{"sha256 0+-1"}, nil},
		{"all must be read", alpha, folder(file("a", "alpha")), check.Options{RequireRead: true}, "a read", 5, nil, []string{learnt}},
		{"knows another digest", hash("x"), folder(file("a", "alpha")), check.Options{}, "a read", 5, []string{"sha256 0+-1"}, []string{learnt}},
		{"knows another digest, and it is", hash("other"), folder(file("a", "other")), check.Options{}, "a changed", 5, []string{"sha256 0+-1"},
			[]string{fmt.Sprintf("sha256 0+-1 %.2x closed:true", hash("other"))}},
		{"knows what cannot be read", nil, folder(short), check.Options{}, "a unreadable", 0, []string{"sha256 0+-1"}, nil},
		{"nothing is there", alpha, folder(), check.Options{}, "a missing", 0, nil, nil},
		{"a pointer is there", alpha, folder(pointerTo("a", "alpha")), check.Options{}, "a promised", 0, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &notebook{known: test.known}
			test.o.Memory = n
			r, err := check.Compare(t.Context(), signed(t, byFiles, file("a", "alpha")), test.tree, digest.Hasher{}, test.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := findings(r); got != test.want || r.Bytes != test.bytes {
				t.Errorf("got %s, %d bytes read; want %s, %d", got, r.Bytes, test.want, test.bytes)
			}
			if !slices.Equal(n.asked, test.asked) || !slices.Equal(n.learnt, test.learnt) {
				t.Errorf("asked for %q, told of %q; want %q, %q", n.asked, n.learnt, test.asked, test.learnt)
			}
		})
	}
}

func TestCompareShardsWithAMemory(t *testing.T) {
	n := &notebook{known: hash("alph")}
	r, err := check.Compare(t.Context(), signed(t, byShards, file("a", "alpha")), folder(file("a", "alpha")), digest.Hasher{}, check.Options{Memory: n})
	if err != nil || findings(r) != "a remembered, a read" {
		t.Errorf("got %s, %v; want the first shard remembered and the second, whose digest is another, read", findings(r), err)
	}
	slices.Sort(n.asked)
	if want := "sha256 0+4,sha256 4+1"; strings.Join(n.asked, ",") != want {
		t.Errorf("asked for %q, want %s", n.asked, want)
	}
}
