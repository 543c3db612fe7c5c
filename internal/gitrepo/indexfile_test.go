package gitrepo

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// signedIndex puts the checksum below an index.
func signedIndex(b string) []byte {
	sum := sha1.Sum([]byte(b))
	return append([]byte(b), sum[:]...)
}

// TestIndexFile holds every version against git, with long names, flags, sides of a
// conflict and many entries, and sees that nothing damaged is read.
func TestIndexFile(t *testing.T) {
	s := gittest.New(t)
	files := map[string]string{strings.Repeat("long/", 60) + strings.Repeat("n", 100): "x\n", "both": "1\n", "skip": "s\n"}
	for i := range 300 {
		files[fmt.Sprintf("d%d/%s", i%7, strings.Repeat("n", i%40)+fmt.Sprint(i))] = "x\n"
	}
	dir := s.Init("r", files)
	s.Git(dir, "checkout", "-qb", "other")
	s.Write(dir, "both", "2\n")
	s.CommitAll(dir, "other")
	s.Git(dir, "checkout", "-q", "main")
	s.Write(dir, "both", "3\n")
	s.CommitAll(dir, "main")
	if _, err := s.TryGit(dir, "merge", "-q", "other"); err == nil {
		t.Fatal("there is no conflict")
	}
	s.Git(dir, "update-index", "--skip-worktree", "skip")
	s.Write(dir, "new", "n\n")
	s.Git(dir, "add", "-N", "new")
	r := openAt(t, dir)
	for _, version := range []string{"2", "3", "4"} {
		s.Git(dir, "update-index", "--index-version", version)
		want, err := gitReader{r}.index(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		whole := readFile(t, filepath.Join(r.GitDir, "index"))
		got, err := parseIndex([]byte(whole))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("version %s: %v, %v\nwant %v", version, got, err, want)
		}
		for i := range 4000 {
			damaged := []byte(whole)
			damaged[i] ^= 1
			if _, err := parseIndex(damaged); err == nil {
				t.Fatalf("version %s, byte %d: damage is not seen", version, i)
			}
		}
	}
}

// TestIndexFileRefusals reads what has a right checksum and is not to be read here.
func TestIndexFileRefusals(t *testing.T) {
	s := gittest.New(t)
	r := openAt(t, s.Init("r", map[string]string{"a": "1\n", "b": "2\n"}))
	whole, err := os.ReadFile(filepath.Join(r.GitDir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(whole[:indexStart+2*64])
	if entries, err := parseIndex(signedIndex(good + "TREE\x00\x00\x00\x01x")); err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	first, second := good[indexStart:indexStart+64], good[indexStart+64:]
	extended := func(flags string) string {
		return first[:entryFlags] + string(first[entryFlags]|0x40) + first[entryFlags+1:entryHead] + flags + "a" + strings.Repeat("\x00", 7)
	}
	head := func(version byte) string { return "DIRC\x00\x00\x00" + string(version) + "\x00\x00\x00\x02" }
	if _, err := parseIndex(signedIndex(head(3) + extended("\x40\x00") + second)); err != nil {
		t.Errorf("a flag of version 3: %v", err)
	}
	for name, b := range map[string]string{
		"nothing":                    "",
		"another file":               "DIRX" + good[4:],
		"version 1":                  head(1) + first + second,
		"version 5":                  head(5) + first + second,
		"an extension to understand": good + "link\x00\x00\x00\x01x",
		"a sparse folder":            good + "sdir\x00\x00\x00\x00",
		"an extension that ends":     good + "TREE\x00\x00\x00\x02x",
		"half an extension":          good + "TREE",
		"fewer entries":              head(2) + first,
		"many entries":               "DIRC\x00\x00\x00\x02\xff\xff\xff\xff" + first + second,
		"out of order":               head(2) + second + first,
		"twice":                      head(2) + first + first,
		"no name":                    head(2) + first[:entryHead] + "\x00\x00" + second,
		"padding that is none":       head(2) + first[:63] + "x" + second,
		"a flag in version 2":        head(2) + extended("\x40\x00") + second,
		"a flag of the future":       head(3) + extended("\x80\x00") + second,
		"another flag":               head(3) + extended("\x00\x01") + second,
		"a folder":                   head(2) + first[:entryMode] + "\x00\x00\x40\x00" + first[entryMode+4:] + second,
		"a prefix out of nothing":    head(4) + first[:entryHead] + "\x01a\x00" + second,
	} {
		if entries, err := parseIndex(signedIndex(b)); err == nil {
			t.Errorf("%s is read as %v", name, entries)
		}
	}
}

// TestIndexFileOfPrefixes wants no more memory for names than the file gives a reason for.
func TestIndexFileOfPrefixes(t *testing.T) {
	const files, long = 5000, 1 << 16
	head := strings.Repeat("\x00", entryMode) + "\x00\x00\x81\xa4" + strings.Repeat("\x00", entryHead-entryMode-4)
	index := func(first string) []byte {
		b := "DIRC\x00\x00\x00\x04" + string(binary.BigEndian.AppendUint32(nil, files))
		b += head + "\x00" + first + "aaaa\x00"
		for i := 1; i < files; i++ {
			b += head + "\x04" + string(rune('a'+i/(26*26*26)%26)) + string(rune('a'+i/(26*26)%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26)) + "\x00"
		}
		return signedIndex(b)
	}
	if entries, err := parseIndex(index(strings.Repeat("n", 1000))); err != nil || len(entries) != files {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if entries, err := parseIndex(index(strings.Repeat("n", long))); err == nil {
		t.Errorf("%d entries with %d bytes of names are read", len(entries), files*long)
	}
}

func FuzzParseIndex(f *testing.F) {
	entry := strings.Repeat("\x00", entryMode) + "\x00\x00\x81\xa4" + strings.Repeat("\x00", entryFlags-entryMode-4) + "\x00\x01a" + strings.Repeat("\x00", 9)
	f.Add("DIRC\x00\x00\x00\x02\x00\x00\x00\x01" + entry + "TREE\x00\x00\x00\x00")
	f.Add("DIRC\x00\x00\x00\x04\x00\x00\x00\x01" + entry[:entryHead] + "\x00a\x00")
	f.Add("DIRC\x00\x00\x00\x03\x00\x00\x00\x01" + entry[:entryFlags] + "\x40\x01\x20\x00a\x00\x00\x00\x00\x00\x00\x00\x00")
	f.Fuzz(func(t *testing.T, b string) {
		entries, err := parseIndex(signedIndex(b))
		if err != nil {
			return
		}
		for i, e := range entries {
			if e.Path == "" || len(e.OID) != 2*idSize || e.Stage > 3 || i > 0 && entries[i-1].Path > e.Path {
				t.Errorf("%q: %+v", b, e)
			}
		}
	})
}
