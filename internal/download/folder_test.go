package download_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/download"
)

// model is a model with a file of every kind, and its origin.
func model() (*origin, []download.File) {
	big := text(1<<20 + 17)
	o := &origin{files: map[string][]byte{
		"model.safetensors": big, "shards/a b.bin": text(5000), "blake.bin": text(3000), "config.json": []byte("{}"),
		"README.md": []byte("# read me"), "empty": nil, "empty.shards": nil,
	}}
	bySHA256 := signed("model.safetensors", big)
	bySHA256.Want, bySHA256.Algorithm = nil, ""
	sig := listed("model.sig", []byte("signature"))
	sig.Content = []byte("signature")
	return o, []download.File{
		bySHA256,
		sharded("shards/a b.bin", o.files["shards/a b.bin"], digest.SHA256, 1000),
		sharded("blake.bin", o.files["blake.bin"], digest.BLAKE2b, 1024),
		signed("config.json", o.files["config.json"]),
		listed("README.md", o.files["README.md"]),
		signed("empty", nil),
		{Path: "empty.shards"},
		sig,
	}
}

func TestFolder(t *testing.T) {
	o, files := model()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	to := download.Folder{Dir: dir, Commit: commit}
	options := quick()
	options.Now = func() time.Time { return time.Unix(1712656091, 123_000_000) }
	var mu sync.Mutex
	var seen digest.Progress
	options.Progress = func(p digest.Progress) {
		mu.Lock()
		defer mu.Unlock()
		seen.ExpectedBytes += p.ExpectedBytes
		seen.ExpectedItems += p.ExpectedItems
		seen.Bytes += p.Bytes
		seen.Items += p.Items
	}
	results, err := download.Run(t.Context(), o, files, to, options)
	if err != nil {
		t.Fatal(err)
	}
	allRight(t, results)
	found := tree(t, dir)
	for _, f := range files {
		want := string(o.files[f.Path]) + string(f.Content)
		if got, ok := found[f.Path]; !ok || got != want {
			t.Errorf("%q holds %d bytes (there: %t), want %d", f.Path, len(got), ok, len(want))
		}
		delete(found, f.Path)
		note := ".cache/huggingface/download/" + f.Path + ".metadata"
		if want := commit + "\n" + f.Blob + "\n1712656091.123000\n"; f.Blob != "" && found[note] != want {
			t.Errorf("the note of %q is %q, want %q", f.Path, found[note], want)
		}
		delete(found, note)
	}
	if len(found) > 0 {
		t.Errorf("left besides: %q", found)
	}
	if seen.Bytes != seen.ExpectedBytes || seen.Items != len(files) || seen.ExpectedItems != len(files) {
		t.Errorf("progress adds up to %+v", seen)
	}
	if r := results[0]; r.Received != files[0].Size || r.Resumed != 0 || r.Kept {
		t.Errorf("result %+v, want all bytes received", r)
	}
	if got := len(o.requests()); got != 5 {
		t.Errorf("%d requests, want one for each file that is not empty or at hand: %q", got, o.requests())
	}
}

func TestKept(t *testing.T) {
	o, files := model()
	to := download.Folder{Dir: t.TempDir(), Commit: commit}
	allRight(t, mustRun(t, o, to, files...))
	before := tree(t, to.Dir)
	o.asked = nil
	for _, r := range mustRun(t, o, to, files...) {
		if r.Err != nil || !r.Kept || r.Received != 0 {
			t.Errorf("%q: %+v, want it kept", r.Path, r)
		}
	}
	if len(o.asked) > 0 {
		t.Errorf("asked for %q though all was there", o.asked)
	}
	after := tree(t, to.Dir)
	for name := range before {
		if !strings.HasSuffix(name, ".metadata") && before[name] != after[name] {
			t.Errorf("%q changed", name)
		}
	}
}

func TestInTheWay(t *testing.T) {
	content := text(1000)
	other := string(text(1001)[1:])
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
		says    string
	}{
		"same size":          {func(t *testing.T, dir string) { write(t, dir+"/a/b", other) }, download.ErrExists, "found"},
		"another size":       {func(t *testing.T, dir string) { write(t, dir+"/a/b", "short") }, download.ErrExists, "expected 1000 bytes, found 5"},
		"empty":              {func(t *testing.T, dir string) { write(t, dir+"/a/b", "") }, download.ErrExists, "found 0"},
		"a folder":           {func(t *testing.T, dir string) { write(t, dir+"/a/b/c", "mine") }, download.ErrExists, "found a folder"},
		"file for a folder":  {func(t *testing.T, dir string) { write(t, dir+"/a", "mine") }, download.ErrExists, "expected a folder"},
		"file for the notes": {func(t *testing.T, dir string) { write(t, dir+"/.cache", "mine") }, download.ErrExists, "expected a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			before := tree(t, dir)
			o := &origin{files: map[string][]byte{"a/b": content, "z": content}}
			files := []download.File{signed("z", content), signed("a/b", content)}
			results, err := download.Run(t.Context(), o, files, download.Folder{Dir: dir}, quick())
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v, want %v with %q", err, c.want, c.says)
			}
			if errors.Is(err, download.ErrWrong) {
				t.Errorf("%v counts as a wrong download", err)
			}
			if results[0].Err == nil || results[1].Err == nil {
				t.Errorf("results %+v, want an error in both", results)
			}
			if len(o.asked) > 0 {
				t.Errorf("asked for %q though something is in the way", o.asked)
			}
			if after := tree(t, dir); len(after) != len(before) {
				t.Errorf("the folder held %q, now %q", before, after)
			}
			for name, content := range before {
				holds(t, filepath.Join(dir, name), []byte(content))
			}
		})
	}
}

func TestSomebodyWasFaster(t *testing.T) {
	content := text(1000)
	for name, c := range map[string]struct {
		theirs []byte
		want   error
	}{
		"same":  {content, nil},
		"other": {text(1001)[1:], download.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := &origin{files: map[string][]byte{"a": content}}
			o.spoil = func(*connection) { write(t, dir+"/a", string(c.theirs)) }
			results, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick())
			if !errors.Is(err, c.want) || !errors.Is(results[0].Err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			holds(t, dir+"/a", c.theirs)
			if c.want == nil && len(partials(t, dir)) > 0 {
				t.Error("the partial file is left")
			}
		})
	}
}

// What stands there is as expected, and somebody writes to it while it is hashed.
func TestKeptFileChanges(t *testing.T) {
	content := text(1000)
	dir := t.TempDir()
	write(t, dir+"/a", string(content))
	o := quick()
	var times atomic.Int64
	o.Progress = func(digest.Progress) { os.Chtimes(dir+"/a", time.Time{}, time.Unix(times.Add(1), 0)) }
	if _, err := download.Run(t.Context(), &origin{}, []download.File{signed("a", content)}, download.Folder{Dir: dir}, o); !errors.Is(err, download.ErrChanged) {
		t.Errorf("%v, want %v", err, download.ErrChanged)
	}
}

func TestNames(t *testing.T) {
	content := []byte("x")
	for _, name := range []string{
		"", ".", "..", "../a", "a/../../b", "/etc/passwd", "a//b", "a/", "./a", "a/./b", "a\x00b", "\xff",
		".git/hooks/post-checkout", "sub/.GIT/config", "git~1/config", ".cache/huggingface/download/a.metadata",
		".cache/HuggingFace/model-sign/lock", ".cache", ".cache/huggingface",
	} {
		dir := filepath.Join(t.TempDir(), "in")
		o := &origin{files: map[string][]byte{name: content, "ok": content}}
		results, err := download.Run(t.Context(), o, []download.File{signed("ok", content), signed(name, content)}, download.Folder{Dir: dir}, quick())
		if !errors.Is(err, download.ErrName) || results[1].Err == nil {
			t.Errorf("%q: error %v, want ErrName", name, err)
		}
		if len(o.asked) > 0 {
			t.Errorf("%q: asked for %q", name, o.asked)
		}
		absent(t, filepath.Join(dir, "ok"))
	}
	dir := t.TempDir()
	for _, files := range [][]download.File{
		{signed("a", content), signed("a", content)},
		{signed("a", content), signed("a/b", content)},
		{signed("a/b/c", content), signed("a", content)},
	} {
		if _, err := download.Run(t.Context(), &origin{}, files, download.Folder{Dir: dir}, quick()); !errors.Is(err, download.ErrName) {
			t.Errorf("%q and %q: error %v, want ErrName", files[0].Path, files[1].Path, err)
		}
	}
	for _, ok := range []string{".gitattributes", "a b", "..a", "a..b", "ünï", ".cache/other", "x.model-sign-partial"} {
		o := &origin{files: map[string][]byte{ok: content}}
		allRight(t, mustRun(t, o, download.Folder{Dir: dir}, signed(ok, content)))
		holds(t, filepath.Join(dir, ok), content)
	}
}

func TestNoFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if results, err := download.Run(t.Context(), &origin{}, nil, download.Folder{Dir: dir}, quick()); err != nil || len(results) != 0 {
		t.Errorf("got %v, %v", results, err)
	}
	absent(t, dir)
}

// A file that a caller says nothing checkable of is the caller's mistake; one of
// which the digests contradict each other is wrong, and nothing is asked for.
func TestContradictions(t *testing.T) {
	content := text(100)
	for name, c := range map[string]struct {
		change func(f *download.File)
		wrong  bool
	}{
		"nothing to check":  {func(f *download.File) { f.Want, f.Blob = nil, "" }, false},
		"no such algorithm": {func(f *download.File) { f.Algorithm = "md5" }, false},
		"short digest":      {func(f *download.File) { f.Want[0].Digest = f.Want[0].Digest[:31] }, false},
		"gap":               {func(f *download.File) { f.Want[0].Start = 1 }, false},
		"upper-case blob":   {func(f *download.File) { f.Blob = strings.ToUpper(f.Blob) }, false},
		"blob is a path":    {func(f *download.File) { f.Blob = "../../evil" }, false},
		"negative size":     {func(f *download.File) { f.Size = -1 }, false},
		"listed longer":     {func(f *download.File) { f.Size++ }, true},
		"listed shorter":    {func(f *download.File) { f.Size-- }, true},
		"listed otherwise":  {func(f *download.File) { f.Blob = strings.Repeat("0", 64) }, true},
		"at hand, longer":   {func(f *download.File) { f.Content = text(101) }, true},
		"at hand, wrong":    {func(f *download.File) { f.Content = text(101)[1:] }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := &origin{files: map[string][]byte{"a": content, "b": content}}
			f := signed("a", content)
			c.change(&f)
			results, err := download.Run(t.Context(), o, []download.File{f, signed("b", content)}, download.Folder{Dir: dir}, quick())
			if !c.wrong {
				if err == nil || errors.Is(err, download.ErrWrong) {
					t.Errorf("error %v, want one that is no ErrWrong", err)
				}
				return
			}
			if err != nil || !errors.Is(results[0].Err, download.ErrWrong) || results[1].Err != nil {
				t.Errorf("error %v, results %v and %v; want only the first wrong", err, results[0].Err, results[1].Err)
			}
			absent(t, dir+"/a")
			holds(t, dir+"/b", content)
			if len(o.asked) != 1 {
				t.Errorf("asked for %q", o.asked)
			}
		})
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	content := text(2 << 20)
	o := &origin{files: map[string][]byte{"a": content, "b": content}}
	to := download.Folder{Dir: t.TempDir(), Commit: commit}
	var all sync.WaitGroup
	var kept atomic.Int32
	for range 4 {
		all.Go(func() {
			results, err := download.Run(t.Context(), o, []download.File{signed("a", content), signed("b", content)}, to, quick())
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range results {
				if r.Err != nil {
					t.Error(r.Err)
				}
				if r.Kept {
					kept.Add(1)
				}
			}
		})
	}
	all.Wait()
	if o.sent != 2*int64(len(content)) || kept.Load() != 6 {
		t.Errorf("%d bytes sent and %d files kept, want each file sent once", o.sent, kept.Load())
	}
	holds(t, to.Dir+"/a", content)
}

func TestManySmallFiles(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	o := &origin{files: make(map[string][]byte, n)}
	files := make([]download.File, n)
	for i := range files {
		content := text(10 + i%90)
		content[0] = byte(i)
		name := filepath.ToSlash(filepath.Join("d"+string(rune('a'+i%26)), "f"+strconv.Itoa(i)))
		o.files[name] = content
		files[i] = signed(name, content)
	}
	dir := t.TempDir()
	start := time.Now()
	allRight(t, mustRun(t, o, download.Folder{Dir: dir, Commit: commit}, files...))
	t.Logf("%d files fetched in %v", n, time.Since(start))
	for _, f := range files[n-100:] {
		holds(t, filepath.Join(dir, f.Path), o.files[f.Path])
	}
	start = time.Now()
	for _, r := range mustRun(t, &origin{}, download.Folder{Dir: dir, Commit: commit}, files...) {
		if !r.Kept || r.Err != nil {
			t.Fatalf("%+v, want it kept", r)
		}
	}
	t.Logf("and kept in %v", time.Since(start))
}
