package quarantine

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var digest = "sha256:" + strings.Repeat("0a", 32)

func example() *Quarantine {
	return &Quarantine{Worktree: "worktrees/a b", Files: []File{
		{Name: "00001", Path: "weights.bin", Status: "changed", Signature: "model.sig", Expected: digest, Found: digest,
			Pointer: strings.Repeat("0b", 32), Committed: true},
		{Name: "00002", Path: "a\nb \"\xff\u202e", Status: "not-downloaded", Signature: "\t", Detail: "is\n00003 changed"},
	}}
}

func TestListGoesBothWays(t *testing.T) {
	b, err := example().encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(b)
	if err != nil || !reflect.DeepEqual(got, example()) {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := bytes.Count(b, []byte("\n")); n != 4 {
		t.Errorf("%d lines, want 4: a name must not make one:\n%s", n, b)
	}
	for _, c := range b {
		if c > '~' || c < ' ' && c != '\n' {
			t.Fatalf("byte %#x stands in the list as it is", c)
		}
	}
}

func TestListIsStrict(t *testing.T) {
	b, err := example().encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, change := range map[string]func(string) string{
		"empty":                  func(string) string { return "" },
		"another version":        func(s string) string { return strings.Replace(s, "quarantine 1", "quarantine 2", 1) },
		"no last newline":        func(s string) string { return strings.TrimSuffix(s, "\n") },
		"an empty line":          func(s string) string { return s + "\n" },
		"no worktree":            func(s string) string { return strings.Replace(s, "worktree ", "", 1) },
		"an empty worktree":      func(s string) string { return strings.Replace(s, `"worktrees/a b"`, `""`, 1) },
		"a number twice":         func(s string) string { return strings.Replace(s, "00002", "00001", 1) },
		"a name that leads away": func(s string) string { return strings.Replace(s, "00002", "../..", 1) },
		"an upper-case digest":   func(s string) string { return strings.Replace(s, "0a0a", "0A0A", 1) },
		"a short digest":         func(s string) string { return strings.Replace(s, "0a0a", "", 1) },
		"an unmarked pointer":    func(s string) string { return strings.Replace(s, "pointer:", "", 1) },
		"an unknown mark":        func(s string) string { return strings.Replace(s, "committed", "perhaps", 1) },
		"a bare path":            func(s string) string { return strings.Replace(s, `"weights.bin"`, `weights.bin`, 1) },
		"an empty path":          func(s string) string { return strings.Replace(s, `"weights.bin"`, `""`, 1) },
		"another quotation":      func(s string) string { return strings.Replace(s, `"weights.bin"`, "`weights.bin`", 1) },
		"another escape":         func(s string) string { return strings.Replace(s, `"weights.bin"`, `"\x77eights.bin"`, 1) },
		"two spaces":             func(s string) string { return strings.Replace(s, " changed", "  changed", 1) },
		"a field too many":       func(s string) string { return strings.Replace(s, "\n", " x\n", 3) },
		"a space at the end":     func(s string) string { return strings.TrimSuffix(s, "\n") + " \n" },
		"a field too few":        func(s string) string { return strings.Replace(s, ` "model.sig"`, "", 1) },
	} {
		changed := change(good)
		if changed == good {
			t.Fatalf("%s: nothing is changed", name)
		}
		if q, err := decode([]byte(changed)); !errors.Is(err, ErrList) {
			t.Errorf("%s: got %+v, %v; want ErrList", name, q, err)
		}
	}
	if _, err := decode(append(b, bytes.Repeat([]byte("\n"), maxList)...)); !errors.Is(err, ErrList) {
		t.Errorf("a list of more than %d bytes: %v", maxList, err)
	}
}

func TestListIsBounded(t *testing.T) {
	q := &Quarantine{Worktree: ".", Files: make([]File, maxFiles+1)}
	if _, err := q.encode(); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
}

func FuzzList(f *testing.F) {
	b, err := example().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := decode(b)
		if err != nil {
			return
		}
		if again, err := q.encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q is written as %q, %v", b, again, err)
		}
	})
}
