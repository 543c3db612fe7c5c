package lfs_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
	"github.com/git-model-sign/git-model-sign/internal/lfs/lfstest"
)

const (
	oid1 = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
	oid2 = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
	head = "version https://git-lfs.github.com/spec/v1\n"
)

// pointers are texts, and what a strict reader makes of each.
var pointers = []struct {
	name string
	text string
	want lfs.Pointer // the zero Pointer where the text is none
}{
	{"plain", head + "oid sha256:" + oid1 + "\nsize 12345\n", lfs.Pointer{OID: oid1, Size: 12345}},
	{"one byte", head + "oid sha256:" + oid1 + "\nsize 1\n", lfs.Pointer{OID: oid1, Size: 1}},
	{"largest", head + "oid sha256:" + oid1 + "\nsize 9223372036854775807\n", lfs.Pointer{OID: oid1, Size: 1<<63 - 1}},
	{"extension", head + "ext-0-foo sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{OID: oid1, Size: 5, Extensions: true}},
	{"two extensions", head + "ext-0-foo sha256:" + oid2 + "\next-5-b_9 sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{OID: oid1, Size: 5, Extensions: true}},
	{"extensions out of order", head + "ext-1-foo sha256:" + oid2 + "\next-0-bar sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"same priority twice", head + "ext-1-foo sha256:" + oid2 + "\next-1-bar sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"long priority", head + "ext-10-foo sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"extension without a name", head + "ext-0- sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"extension with an odd name", head + "ext-0-a-b sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{OID: oid1, Size: 5, Extensions: true}},
	{"extension with a bad name", head + "ext-0-.b sha256:" + oid2 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"extension without a digest", head + "ext-0-a x\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"extension after oid", head + "oid sha256:" + oid1 + "\next-0-foo sha256:" + oid2 + "\nsize 5\n", lfs.Pointer{}},
	{"too large", head + "oid sha256:" + oid1 + "\nsize 9223372036854775808\n", lfs.Pointer{}},
	{"no bytes", head + "oid sha256:" + oid1 + "\nsize 0\n", lfs.Pointer{}},
	{"negative", head + "oid sha256:" + oid1 + "\nsize -1\n", lfs.Pointer{}},
	{"plus sign", head + "oid sha256:" + oid1 + "\nsize +5\n", lfs.Pointer{}},
	{"leading zero", head + "oid sha256:" + oid1 + "\nsize 05\n", lfs.Pointer{}},
	{"no size", head + "oid sha256:" + oid1 + "\n", lfs.Pointer{}},
	{"no oid", head + "size 5\n", lfs.Pointer{}},
	{"keys out of order", head + "size 5\noid sha256:" + oid1 + "\n", lfs.Pointer{}},
	{"upper case", head + "oid sha256:" + strings.ToUpper(oid1) + "\nsize 5\n", lfs.Pointer{}},
	{"short oid", head + "oid sha256:" + oid1[1:] + "\nsize 5\n", lfs.Pointer{}},
	{"other hash", head + "oid sha512:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"no last line end", head + "oid sha256:" + oid1 + "\nsize 5", lfs.Pointer{}},
	{"line ends of Windows", strings.ReplaceAll(head+"oid sha256:"+oid1+"\nsize 5\n", "\n", "\r\n"), lfs.Pointer{}},
	{"empty line at the end", head + "oid sha256:" + oid1 + "\nsize 5\n\n", lfs.Pointer{}},
	{"empty line before", "\n" + head + "oid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"unknown key", head + "comment x\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"oid twice", head + "oid sha256:" + oid1 + "\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"older version", "version https://hawser.github.com/spec/v1\noid sha256:" + oid1 + "\nsize 5\n", lfs.Pointer{}},
	{"content", "{\"model\": 1}\n", lfs.Pointer{}},
	{"too long", head + "oid sha256:" + oid1 + "\nsize 5\n" + strings.Repeat("\n", lfs.MaxPointerSize), lfs.Pointer{}},
}

func TestParsePointer(t *testing.T) {
	for _, c := range pointers {
		got, err := lfs.ParsePointer([]byte(c.text))
		if got != c.want || (err == nil) != (c.want != lfs.Pointer{}) || err != nil && !errors.Is(err, lfs.ErrNotPointer) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
		if err == nil && !got.Extensions && string(lfstest.Encode(got)) != c.text {
			t.Errorf("%s: encoded as %q", c.name, lfstest.Encode(got))
		}
		if err == nil && !lfs.Resembles([]byte(c.text)) {
			t.Errorf("%s: a pointer that does not resemble one", c.name)
		}
	}
	if _, err := lfs.ParsePointer(nil); !errors.Is(err, lfs.ErrNotPointer) {
		t.Errorf("empty: %v, want lfs.ErrNotPointer", err)
	}
}

func TestResembles(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "{}\n": false, "version 1\n": false, "see https://git-lfs.github.com\n": false,
		head: true, "\r\n" + head + "x": true, "version https://hawser.github.com/spec/v1\n": true, "# git-media\nx\n": true,
		head + strings.Repeat("x", lfs.MaxPointerSize):  true,
		strings.Repeat("\n", lfs.MaxPointerSize) + head: false,
	} {
		if got := lfs.Resembles([]byte(text)); got != want {
			t.Errorf("lfs.Resembles(%.60q) = %v, want %v", text, got, want)
		}
	}
}

// TestAgainstGitLFS asks the real git-lfs about each text, strictly for
// ParsePointer and leniently for Resembles.
func TestAgainstGitLFS(t *testing.T) {
	program := filepath.Join(needs.GitLFS(t), "git-lfs")
	check := func(text string, strict bool) bool {
		name := filepath.Join(t.TempDir(), "pointer")
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		args := []string{"pointer", "--check", "--file", name}
		if strict {
			args = append(args, "--strict")
		}
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, out)
		}
		return err == nil
	}
	cases := slices.Clone(pointers)
	// One small change each to a pointer that is good.
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		text := []byte(pointers[i%5].text)
		at := random.IntN(len(text))
		switch i % 3 {
		case 0:
			text[at] = "09afAF \n\r:-+_.xs"[random.IntN(16)]
		case 1:
			text = slices.Delete(text, at, at+1)
		case 2:
			text = slices.Insert(text, at, "09afAF \n\r:-+_.xs"[random.IntN(16)])
		}
		cases = append(cases, pointers[0])
		cases[len(cases)-1].name, cases[len(cases)-1].text = string(text), string(text)
	}
	for _, c := range cases {
		_, err := lfs.ParsePointer([]byte(c.text))
		if theirs := check(c.text, true); theirs != (err == nil) {
			t.Errorf("%s: git-lfs takes it for a pointer: %v, we say %v", c.name, theirs, err)
		}
		if check(c.text, false) && !lfs.Resembles([]byte(c.text)) {
			t.Errorf("%s: git-lfs reads it as a pointer, and it does not resemble one", c.name)
		}
	}
}

func FuzzParsePointer(f *testing.F) {
	for _, c := range pointers {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := lfs.ParsePointer(text)
		if err != nil {
			if (p != lfs.Pointer{}) || !errors.Is(err, lfs.ErrNotPointer) {
				t.Errorf("%+v, %v", p, err)
			}
			return
		}
		if !lfs.Resembles(text) || len(text) >= lfs.MaxPointerSize || p.Size < 1 || len(p.OID) != 64 {
			t.Errorf("%q is read as %+v", text, p)
		}
		if !p.Extensions && !bytes.Equal(lfstest.Encode(p), text) {
			t.Errorf("%q is encoded as %q", text, lfstest.Encode(p))
		}
		if p.Extensions && !bytes.HasSuffix(text, bytes.TrimPrefix(lfstest.Encode(p), []byte(head))) {
			t.Errorf("%q is encoded as %q", text, lfstest.Encode(p))
		}
	})
}
