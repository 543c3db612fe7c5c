package download

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

func TestFindTwins(t *testing.T) {
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"none":         {[]string{"a", "b/a", "b/c", "a.txt"}, "[]"},
		"case":         {[]string{"A", "a"}, "[[A a]]"},
		"form":         {[]string{"\u00e9", "e\u0301"}, "[[\u00e9 e\u0301]]"},
		"folders":      {[]string{"Dir/a", "dir/b"}, "[[Dir dir]]"},
		"file, folder": {[]string{"data/x", "Data"}, "[[data Data]]"},
		"deep":         {[]string{"a/b/c", "a/B/d"}, "[[a/b a/B]]"},
	} {
		var files []File
		for _, p := range c.paths {
			files = append(files, File{Path: p})
		}
		twins, err := findTwins(files)
		if got := fmt.Sprint(twins); got != c.want || err != nil {
			t.Errorf("%s: twins %s (%v), want %s", name, got, err, c.want)
		}
	}
}

// Whether names are one is asked of the file system itself.
func TestRefuseTwins(t *testing.T) {
	dir := t.TempDir()
	s, err := Folder{Dir: dir}.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	before, err := s.root.Lstat(".")
	if err != nil {
		t.Fatal(err)
	}
	// One name twice stands for two that are one here.
	err = s.refuseTwins([][2]string{{"a", "b"}, {"sub/Name", "sub/Name"}})
	if !errors.Is(err, ErrTwin) {
		t.Errorf("names that are one: %v, want ErrTwin", err)
	}
	if err := s.refuseTwins([][2]string{{"a", "b"}}); err != nil {
		t.Errorf("names that are two: %v", err)
	}
	err = s.refuseTwins([][2]string{{"a", "A"}})
	if runtime.GOOS == "windows" && !errors.Is(err, ErrTwin) || runtime.GOOS == "linux" && err != nil {
		t.Errorf("names that differ in case: %v", err)
	}
	after, err := s.root.Lstat(".")
	if err != nil || !os.SameFile(before, after) {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir + "/" + folderStaging)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// However the bytes are dealt out, the verdict is the same, and a wrong range is
// found with its last byte.
func TestChecker(t *testing.T) {
	content := []byte("0123456789abcdef")
	h := func(b []byte) []byte {
		h, err := digest.BLAKE3.New()
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
		return h.Sum(nil)
	}
	f := File{Path: "a", Size: 16, Algorithm: digest.BLAKE3, Want: []Range{
		{0, 5, h(content[:5])}, {5, 10, h(content[5:10])}, {10, 16, h(content[10:])},
	}}
	for step := 1; step <= 16; step++ {
		for _, wrong := range []int{-1, 0, 4, 5, 9, 10, 15} {
			given := slices.Clone(content)
			end := 17 // of the wrong range
			if wrong >= 0 {
				given[wrong] ^= 1
				end = map[int]int{0: 5, 4: 5, 5: 10, 9: 10, 10: 16, 15: 16}[wrong]
			}
			c, err := newChecker(&f)
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for at < 16 && err == nil {
				n := min(step, 16-at)
				err = c.write(given[at : at+n])
				at += n
			}
			if found := errors.Is(err, ErrWrong); found != (wrong >= 0) {
				t.Errorf("steps of %d, byte %d wrong: %v", step, wrong, err)
			} else if found && (at < end || at >= end+step) {
				t.Errorf("steps of %d, byte %d wrong: found after %d bytes", step, wrong, at)
			} else if !found && c.finish() != nil {
				t.Errorf("steps of %d: %v at the end", step, c.finish())
			}
		}
	}
	c, err := newChecker(&f)
	if err == nil {
		err = c.write(content[:10])
	}
	if err != nil || !errors.Is(c.finish(), ErrWrong) {
		t.Errorf("content that ends with a range: %v, want ErrWrong", err)
	}
}

func TestBackoff(t *testing.T) {
	before := time.Duration(0)
	for failures := range 20 {
		want := min(125*time.Millisecond<<failures, 16*time.Second)
		var least, most time.Duration = time.Hour, 0
		for range 200 {
			d := backoff(failures)
			least, most = min(least, d), max(most, d)
		}
		if least < want*3/4 || most > want*5/4 || least == most || most < before {
			t.Errorf("after %d failures %v to %v, want about %v", failures, least, most, want)
		}
		before = least
	}
}
