package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// TestLooseBlobs holds what is read here against what git reads: of loose
// objects, of packed ones, and of both among each other.
func TestLooseBlobs(t *testing.T) {
	const max = 1000
	s := gittest.New(t)
	files := map[string]string{"empty": ""}
	for i := range 60 {
		files[fmt.Sprintf("f%02d", i)] = strings.Repeat(fmt.Sprint(i, " "), 7*i)
	}
	dir := s.Init("r", files)
	s.Git(dir, "repack", "-adq")
	for i := range 60 {
		if i%3 == 0 {
			s.Write(dir, fmt.Sprintf("f%02d", i), strings.Repeat(fmt.Sprint("loose ", i), 4*i))
		}
	}
	s.CommitAll(dir, "loose ones")
	r := openAt(t, dir)
	entries, err := r.CommitEntries(t.Context(), "HEAD", "")
	if err != nil {
		t.Fatal(err)
	}
	var oids []string
	for _, e := range entries {
		oids = append(oids, e.OID)
	}
	oids = append(oids, oids[3], oids[4])
	record := func(to *[]string) BlobFunc {
		return func(oid string, content []byte, size int64) error {
			*to = append(*to, fmt.Sprintf("%s %d %v %q", oid, size, content == nil, content))
			return nil
		}
	}
	var want, got []string
	if err := (gitReader{r}).blobs(t.Context(), oids, max, record(&want)); err != nil {
		t.Fatal(err)
	}
	if err := r.Blobs(t.Context(), oids, max, record(&got)); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("read\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	loose := looseBlobs(t, r, oids, max)
	if len(loose) != 19 {
		t.Errorf("%d blobs are loose, want 19", len(loose))
	}
	// An error of the function ends it, wherever it comes up.
	wrong := errors.New("no")
	for n := range len(oids) {
		calls := 0
		err := r.Blobs(t.Context(), oids, max, func(string, []byte, int64) error {
			if calls++; calls > n {
				return wrong
			}
			return nil
		})
		if !errors.Is(err, wrong) || calls != n+1 {
			t.Fatalf("call %d: %v after %d calls", n, err, calls)
		}
	}
	// What is not the object that its name says is git's to judge.
	var some string
	for oid, b := range loose {
		if b.content != nil && b.size > 0 {
			some = oid
		}
	}
	for name, content := range map[string]string{"garbage": "x", "empty": "", "another object": readFile(t, r.loosePath(otherThan(loose, some)))} {
		if err := os.Chmod(r.loosePath(some), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.loosePath(some), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if b, found := looseBlobs(t, r, []string{some}, max)[some]; found {
			t.Errorf("%s is read as %+v", name, b)
		}
		if err := r.Blobs(t.Context(), oids, max, func(string, []byte, int64) error { return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// looseBlobs are those of the blobs that are read from loose objects.
func looseBlobs(t *testing.T, r *Repository, oids []string, max int64) map[string]localBlob {
	t.Helper()
	s := r.OpenStore()
	defer s.Close()
	found := map[string]localBlob{}
	for i, b := range s.local(t.Context(), oids, max) {
		if b.known && b.packed.pack == nil {
			found[oids[i]] = b
		}
	}
	return found
}

func otherThan(loose map[string]localBlob, oid string) string {
	for other, b := range loose {
		if other != oid && b.content != nil {
			return other
		}
	}
	return ""
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
