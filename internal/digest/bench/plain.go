//go:build linux

package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/blake3"
)

// part is a file, or a shard of one.
type part struct {
	path         string
	offset, size int64
}

// plain is the program that anybody would write: one goroutine a core, each
// taking the next largest file and reading it by the megabyte into a hash of the
// library. Its modes change the unit, or the hash.
func plain(mode string, args []string) error {
	parts, err := list(args[0])
	if err != nil {
		return err
	}
	workers, create := runtime.NumCPU(), sha256.New
	switch mode {
	case "plain-shards":
		size, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		parts = split(parts, size)
	case "plain-copy":
		return copyInto(sha256.New(), parts[0].path)
	case "plain-blake3":
		workers, create = 1, func() hash.Hash { return blake3.New(32, nil) }
		runtime.GOMAXPROCS(1) // the library starts goroutines of its own
	case "plain-blake2b":
		workers, create = 1, func() hash.Hash { h, _ := blake2b.New512(nil); return h }
	}
	sums := make([][]byte, len(parts))
	errs := make([]error, len(parts))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for i := int(next.Add(1)) - 1; i < len(parts); i = int(next.Add(1)) - 1 {
				sums[i], errs[i] = sumPart(parts[i], create(), buf)
			}
		})
	}
	wg.Wait()
	for i, p := range parts {
		if errs[i] != nil {
			return errs[i]
		}
		fmt.Printf("%x  %s\n", sums[i], p.path)
	}
	return nil
}

func sumPart(p part, h hash.Hash, buf []byte) ([]byte, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if p.offset > 0 {
		if _, err := f.Seek(p.offset, io.SeekStart); err != nil {
			return nil, err
		}
	}
	for left := p.size; left > 0; {
		n, err := f.Read(buf[:min(left, int64(len(buf)))])
		h.Write(buf[:n])
		left -= int64(n)
		if err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

func copyInto(h hash.Hash, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	fmt.Printf("%x  %s\n", h.Sum(nil), path)
	return nil
}

// list finds the files below a folder, the largest first.
func list(dir string) ([]part, error) {
	var parts []part
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		parts = append(parts, part{path: path, size: info.Size()})
		return err
	})
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.size, a.size) })
	return parts, err
}

func split(files []part, size int64) []part {
	var parts []part
	for _, f := range files {
		for off := int64(0); off < f.size; off += size {
			parts = append(parts, part{f.path, off, min(size, f.size-off)})
		}
	}
	return parts
}
