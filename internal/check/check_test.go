package check_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
)

// memory is an open file that lives in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error                 { return nil }
func (m memory) Stat() (fs.FileInfo, error) { return info{m.Reader.Size()}, nil }

type info struct{ size int64 }

func (info) Name() string       { return "" }
func (i info) Size() int64      { return i.size }
func (info) Mode() fs.FileMode  { return 0o644 }
func (info) ModTime() time.Time { return time.Unix(1, 0) }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }

func file(path, content string) tree.File {
	return tree.File{Path: path, Size: int64(len(content)),
		Open: func() (digest.File, error) { return memory{bytes.NewReader([]byte(content))}, nil }}
}

func pointerTo(path, content string) tree.File {
	sum := sha256.Sum256([]byte(content))
	return tree.File{Path: path, Size: 130, Kind: tree.Pointer, LFS: true,
		Pointer: lfs.Pointer{OID: hex.EncodeToString(sum[:]), Size: int64(len(content))}}
}

func folder(files ...tree.File) *tree.Tree { return &tree.Tree{Name: "model", Files: files} }

func signed(t *testing.T, s oms.Serialization, files ...tree.File) *oms.Manifest {
	t.Helper()
	m, err := check.Take(t.Context(), folder(files...), s, digest.Hasher{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	byFiles  = oms.Serialization{Method: oms.Files, HashType: oms.SHA256}
	byShards = oms.Serialization{Method: oms.Shards, HashType: oms.SHA256, ShardSize: 4}
	byBlake3 = oms.Serialization{Method: oms.Files, HashType: oms.BLAKE3}
)

// findings is a report in short: "path status", in order.
func findings(r *check.Report) string {
	var parts []string
	for _, f := range r.Files {
		parts = append(parts, f.Path+" "+string(f.Status))
	}
	return strings.Join(parts, ", ")
}

func TestCompare(t *testing.T) {
	a, b := file("a", "alpha"), file("sub/b", "beta")
	broken := b
	broken.Open = func() (digest.File, error) { return nil, errors.New("input/output error") }
	link := b
	link.Open = func() (digest.File, error) { return nil, tree.ErrSymlink }
	linked := folder(a)
	linked.Problems = []tree.Problem{{Path: "sub/b", Err: tree.ErrSymlink}, {Path: "evil", Err: tree.ErrSymlink}}
	ambiguous := folder(a, b)
	ambiguous.Problems = []tree.Problem{{Path: "c", Err: tree.ErrAmbiguous}}
	closed := folder(a)
	closed.Problems = []tree.Problem{{Path: "sub", Err: tree.ErrUnreadable}}
	hidden := folder(a, pointerTo("sub/b", "beta")) // a pointer with extensions
	hidden.Problems = []tree.Problem{{Path: "sub/b", Err: tree.ErrBadLFS}}
	hollow := pointerTo("c", "x")
	hollow.Size = 0
	sparse := folder(a)
	sparse.Sparse = []string{"sub/b"}

	for _, test := range []struct {
		name   string
		s      oms.Serialization
		tree   *tree.Tree
		o      check.Options
		want   string
		failed int
	}{
		{"as signed", byFiles, folder(a, b), check.Options{}, "a read, sub/b read", 0},
		{"changed", byFiles, folder(file("a", "alphA"), b), check.Options{}, "a changed, sub/b read", 1},
		{"missing", byFiles, folder(a), check.Options{}, "a read, sub/b missing", 1},
		{"extra", byFiles, folder(a, b, file("c", "")), check.Options{}, "a read, c extra, sub/b read", 1},
		{"extra, ignored", byFiles, folder(a, b, file("c", "")), check.Options{IgnoreUnsigned: true}, "a read, sub/b read", 0},
		{"renamed", byFiles, folder(a, file("sub/B", "beta")), check.Options{}, "a read, sub/B extra, sub/b missing", 2},
		{"promised", byFiles, folder(a, pointerTo("sub/b", "beta")), check.Options{}, "a read, sub/b promised", 0},
		{"promised, must be read", byFiles, folder(a, pointerTo("sub/b", "beta")), check.Options{RequireRead: true}, "a read, sub/b not-downloaded", 1},
		{"pointer to other content", byFiles, folder(a, pointerTo("sub/b", "other")), check.Options{}, "a read, sub/b changed", 1},
		{"pointer that is a problem", byFiles, hidden, check.Options{}, "a read, sub/b refused", 1},
		{"pointer against blake3", byBlake3, folder(a, pointerTo("sub/b", "beta")), check.Options{}, "a read, sub/b not-downloaded", 1},
		{"pointer against shards", byShards, folder(a, pointerTo("sub/b", "beta")), check.Options{}, "a read, a read, sub/b not-downloaded", 1},
		{"shards", byShards, folder(a, b), check.Options{}, "a read, a read, sub/b read", 0},
		{"shard changed", byShards, folder(file("a", "alphA"), b), check.Options{}, "a read, a changed, sub/b read", 1},
		{"longer than its shards", byShards, folder(file("a", "alpha and more"), b), check.Options{}, "a changed, a changed, sub/b read", 2},
		{"empty file beside shards", byShards, folder(a, b, file("empty", "")), check.Options{}, "a read, a read, sub/b read", 0},
		{"promise of an empty file beside shards", byShards, folder(a, b, hollow), check.Options{}, "a read, a read, c extra, sub/b read", 1},
		{"pointer that nobody signed", byFiles, folder(a, b, pointerTo("c", "x")), check.Options{}, "a read, c extra, sub/b read", 1},
		{"unreadable", byFiles, folder(a, broken), check.Options{}, "a read, sub/b unreadable", 1},
		{"symlink swapped in", byFiles, folder(a, link), check.Options{}, "a read, sub/b refused", 1},
		{"unreadable folder", byFiles, closed, check.Options{}, "a read, sub unreadable, sub/b missing", 2},
		{"symlinks", byFiles, linked, check.Options{}, "a read, evil refused, sub/b refused", 2},
		{"symlink nobody signed, ignored", byFiles, linked, check.Options{IgnoreUnsigned: true}, "a read, sub/b refused", 1},
		{"ambiguous, nobody signed", byFiles, ambiguous, check.Options{}, "a read, c refused, sub/b read", 1},
		{"ambiguous, nobody signed, ignored", byFiles, ambiguous, check.Options{IgnoreUnsigned: true}, "a read, c refused, sub/b read", 1},
		{"sparse", byFiles, sparse, check.Options{}, "a read, sub/b sparse", 0},
		{"sparse, must be read", byFiles, sparse, check.Options{RequireRead: true}, "a read, sub/b not-downloaded", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := check.Compare(t.Context(), signed(t, test.s, a, b), test.tree, digest.Hasher{}, test.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := findings(r); got != test.want || len(r.Failures()) != test.failed {
				t.Errorf("got %s (%d failures), want %s (%d)", got, len(r.Failures()), test.want, test.failed)
			}
		})
	}
}

func TestCompareNamesDigests(t *testing.T) {
	r, err := check.Compare(t.Context(), signed(t, byFiles, file("a", "alpha")), folder(file("a", "other")), digest.Hasher{}, check.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expected, found := sha256.Sum256([]byte("alpha")), sha256.Sum256([]byte("other"))
	f := r.Files[0]
	if f.Expected != hex.EncodeToString(expected[:]) || f.Found != hex.EncodeToString(found[:]) {
		t.Errorf("expected %s, found %s", f.Expected, f.Found)
	}
}

func TestCompareSingleFile(t *testing.T) {
	single := folder(file("model.onnx", "weights"))
	single.Single, single.Name = true, "model.onnx"
	link := &tree.Tree{Name: "model.onnx", Single: true, Problems: []tree.Problem{{Path: "model.onnx", Err: tree.ErrSymlink}}}
	for _, name := range []string{oms.SingleFile, "model.onnx"} {
		m, err := oms.NewManifest("model.onnx", byFiles, []oms.Resource{{Path: name, Digest: hash("weights")}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := check.Compare(t.Context(), m, single, digest.Hasher{}, check.Options{})
		if err != nil || findings(r) != "model.onnx read" {
			t.Errorf("resource %q: %s, %v", name, findings(r), err)
		}
		r, err = check.Compare(t.Context(), m, link, digest.Hasher{}, check.Options{})
		if err != nil || findings(r) != "model.onnx refused" {
			t.Errorf("resource %q, a link in its place: %s, %v", name, findings(r), err)
		}
	}
	other, err := oms.NewManifest("other.onnx", byFiles, []oms.Resource{{Path: "other.onnx", Digest: hash("weights")}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := check.Compare(t.Context(), other, single, digest.Hasher{}, check.Options{})
	if err != nil || findings(r) != "model.onnx extra, other.onnx missing" {
		t.Errorf("renamed: %s, %v", findings(r), err)
	}
}

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func TestTake(t *testing.T) {
	m := signed(t, byShards, file("a", "alpha"), file("empty", ""))
	if len(m.Resources) != 2 || m.Resources[1].Start != 4 || m.Resources[1].End != 5 || !bytes.Equal(m.Resources[1].Digest, hash("a")) {
		t.Errorf("shards of 4 of a file of 5 bytes: %+v", m.Resources)
	}
	if _, err := check.Take(t.Context(), folder(pointerTo("w", "x")), byFiles, digest.Hasher{}); !errors.Is(err, tree.ErrNotDownloaded) {
		t.Errorf("taking a pointer: %v, want ErrNotDownloaded", err)
	}
	broken := file("b", "x")
	broken.Open = func() (digest.File, error) { return nil, fs.ErrPermission }
	if _, err := check.Take(t.Context(), folder(file("a", "x"), broken), byFiles, digest.Hasher{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("taking an unreadable file: %v, want ErrPermission", err)
	}
}
