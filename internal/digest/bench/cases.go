//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// testCase is a row of the table: some files and how to hash them.
type testCase struct {
	name      string
	files     []group
	shards    int64  // bytes, 0 for whole files
	hash      string // "" for sha256
	cold      bool   // not in the page cache
	plain     string // mode of this program to compare with
	plainName string
	others    []string
}

// group is files of one size.
type group struct {
	prefix string
	count  int
	size   int64
}

func (g group) name(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("%s-%05d", g.prefix, i))
}

func cases() []testCase {
	const mb, mib, gib = 1e6, 1 << 20, 1 << 30
	const plainName = "plain program"
	return []testCase{
		{name: "12 files of 333 MB", files: []group{{"a", 12, 333 * mb}}, plain: "plain-files", plainName: plainName, others: []string{"model_signing"}},
		{name: "4 files of 1 GB", files: []group{{"a", 4, 1000 * mb}}, plain: "plain-files", plainName: plainName, others: []string{"model_signing"}},
		{name: "1 file of 4 GiB, shards of 256 MiB", files: []group{{"a", 1, 4 * gib}}, shards: 256 * mib, plain: "plain-shards", plainName: plainName},
		{name: "1 file of 4 GiB", files: []group{{"a", 1, 4 * gib}}, plain: "plain-copy", plainName: "io.Copy", others: []string{"model_signing", "sha256sum"}},
		{name: "10,000 files of 4 KiB", files: []group{{"a", 10000, 4 << 10}}, plain: "plain-files", plainName: plainName, others: []string{"model_signing"}},
		{name: "1 of 500 MB, 16 of 200 MB, 2,000 of 20 KB", files: []group{{"a", 1, 500 * mb}, {"b", 16, 200 * mb}, {"c", 2000, 20e3}},
			plain: "plain-files", plainName: plainName, others: []string{"model_signing"}},
		{name: "12 files of 333 MB, not in the page cache", files: []group{{"a", 12, 333 * mb}}, cold: true, plain: "plain-files", plainName: plainName},
		{name: "BLAKE3, 1 file of 4 GiB", files: []group{{"a", 1, 4 * gib}}, hash: "blake3", plain: "plain-blake3", plainName: "blake3 library, one core", others: []string{"b3sum"}},
		{name: "BLAKE2b, 4 files of 1 GB", files: []group{{"a", 4, 1000 * mb}}, hash: "blake2b", plain: "plain-blake2b", plainName: "x/crypto, one core"},
	}
}

// makeFiles writes random files and returns their size together.
func makeFiles(ctx context.Context, dir string, groups []group) (total int64, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	r := rand.NewChaCha8([32]byte{})
	block := make([]byte, 1<<20)
	for _, g := range groups {
		for i := range g.count {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			f, err := os.Create(g.name(dir, i))
			if err != nil {
				return 0, err
			}
			r.Read(block)
			for left := g.size; left > 0 && err == nil; left -= int64(len(block)) {
				_, err = f.Write(block[:min(left, int64(len(block)))])
			}
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return 0, err
			}
			total += g.size
		}
	}
	return total, nil
}

// prepare sees that the files are in the page cache, or that they are not.
func prepare(dir string, cold bool) error {
	buf := make([]byte, 1<<20)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if cold {
			return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		}
		for n := 1; n > 0; {
			n, _ = f.Read(buf)
		}
		return nil
	})
}
