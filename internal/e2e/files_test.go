package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// weights are n bytes that do not compress, the same for the same seed.
func weights(n int, seed string) []byte {
	b := make([]byte, n)
	rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(b)
	return b
}

// sha256Hex is the SHA-256 of b: as an LFS object's name, or as a signed digest.
func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A snapshot is a folder as it was: every path under it with its mode and a digest of its content. What git-lfs leaves under
// .git/lfs/tmp is not in it: git status runs git-lfs, which leaves empty files there.
type snapshot map[string]string

func takeSnapshot(dir string) (snapshot, error) {
	s := make(snapshot)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasSuffix(filepath.ToSlash(path), ".git/lfs/tmp") {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		state := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			state += " " + sha256Hex(b)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			state += " -> " + target
		}
		rel, err := filepath.Rel(dir, path)
		s[rel] = state
		return err
	})
	return s, err
}

// diff tells what is otherwise in a later snapshot, a path a line; nothing where they are the same.
func (s snapshot) diff(later snapshot) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(s)) {
		switch now, ok := later[path]; {
		case !ok:
			fmt.Fprintf(&b, "gone: %s\n", path)
		case now != s[path]:
			fmt.Fprintf(&b, "changed: %s (%s, was %s)\n", path, now, s[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(later)) {
		if _, ok := s[path]; !ok {
			fmt.Fprintf(&b, "new: %s\n", path)
		}
	}
	return b.String()
}
