package tree

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// BenchmarkTree measures what is paid beside hashing on 10,000 files of 4 KiB.
func BenchmarkTree(b *testing.B) {
	s := gittest.New(b)
	files := make(map[string]string)
	for i := range 10_000 {
		files[fmt.Sprintf("d%02d/s%d/f%05d.bin", i%100, i%7, i)] = strings.Repeat(fmt.Sprintf("%016x", i), 256)
	}
	files[".gitattributes"] = "*.bin filter=lfs2 -text\n"
	dir := s.Init("r", files)
	ctx := b.Context()
	repo, err := gitrepo.Open(ctx, dir)
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Signature: filepath.Join(dir, "model.sig")}
	t, err := OpenWorktree(ctx, repo, dir, o)
	if err != nil || len(t.Files) != 10_000 {
		b.Fatal(len(t.Files), err)
	}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("gitrepo.Open", func() error { _, err := gitrepo.Open(ctx, dir); return err })
	run("Index", func() error { _, err := repo.Index(ctx, ""); return err })
	run("OpenFolder", func() error {
		t, err := OpenFolder(ctx, dir, o)
		if err == nil {
			err = t.Close()
		}
		return err
	})
	run("OpenWorktree", func() error {
		t, err := OpenWorktree(ctx, repo, dir, o)
		if err == nil {
			err = t.Close()
		}
		return err
	})
	run("File.Open", func() error {
		for _, f := range t.Files {
			file, err := f.Open()
			if err != nil {
				return err
			}
			file.Close()
		}
		return nil
	})
	run("CheckSignable", func() error { _, _, err := t.CheckSignable(ctx, repo); return err })
	run("CompareCommitted", func() error { _, _, err := t.CompareCommitted(ctx, repo, digest.Hasher{}, noDigest); return err })
}
