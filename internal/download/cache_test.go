package download_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/download"
)

const (
	repo     = "models--org--model"
	snapshot = "snapshots/" + commit + "/"
)

// cached is a model whose files have content in common, and its origin.
func cached() (*origin, []download.File) {
	weights, config := text(70_000), []byte("{}")
	o := &origin{files: map[string][]byte{"w.bin": weights, "sub/dir/w.bin": weights, "config.json": config, "empty": nil}}
	unsigned := listed("config.json", config)
	return o, []download.File{signed("w.bin", weights), signed("sub/dir/w.bin", weights), unsigned, listed("empty", nil)}
}

func TestCache(t *testing.T) {
	o, files := cached()
	to := download.Cache{Dir: filepath.Join(t.TempDir(), "hub"), Repo: repo, Commit: commit, Ref: "refs/pr/1"}
	allRight(t, mustRun(t, o, to, files...))
	named(t, to)
	dir := filepath.Join(to.Dir, repo)
	weights := hex.EncodeToString(sum(text(70_000)))
	config, empty := blobID([]byte("{}")), blobID(nil)
	want := map[string]string{
		"blobs/" + weights:         string(text(70_000)),
		"blobs/" + config:          "{}",
		"blobs/" + empty:           "",
		snapshot + "w.bin":         "-> ../../blobs/" + weights,
		snapshot + "sub/dir/w.bin": "-> ../../../../blobs/" + weights,
		snapshot + "config.json":   "-> ../../blobs/" + config,
		snapshot + "empty":         "-> ../../blobs/" + empty,
		"refs/refs/pr/1":           commit,
	}
	same(t, tree(t, dir), want)
	holds(t, filepath.Join(dir, snapshot, "sub/dir/w.bin"), text(70_000))
	if len(o.asked) != 2 || o.sent != 70_002 {
		t.Errorf("asked for %q and got %d bytes, want the common content once", o.asked, o.sent)
	}

	// Again, with a snapshot that misses links, and under another name.
	if err := os.RemoveAll(filepath.Join(dir, "snapshots")); err != nil {
		t.Fatal(err)
	}
	o.asked = nil
	to.Ref = "main"
	for _, r := range mustRun(t, o, to, files...) {
		if r.Err != nil || !r.Kept {
			t.Errorf("%+v, want it kept", r)
		}
	}
	named(t, to)
	want["refs/main"] = commit
	same(t, tree(t, dir), want)
	if len(o.asked) > 0 {
		t.Errorf("asked for %q though all was there", o.asked)
	}
}

// same fails unless two listings are the same.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is there", name)
		}
	}
	for name, content := range want {
		if found, ok := got[name]; !ok || found != content {
			t.Errorf("%s: found %.60q (there: %t), want %.60q", name, found, ok, content)
		}
	}
}

// Files in the place of links are as good: the form of Windows.
func TestCacheOfRealFiles(t *testing.T) {
	o, files := cached()
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit, Ref: "main", RealFiles: true}
	allRight(t, mustRun(t, o, to, files...))
	named(t, to)
	dir := filepath.Join(to.Dir, repo)
	want := map[string]string{"refs/main": commit}
	for _, f := range files {
		want[snapshot+f.Path] = string(o.files[f.Path])
	}
	same(t, tree(t, dir), want)
	o.asked = nil
	for _, real := range []bool{true, false} {
		to.RealFiles = real
		for _, r := range mustRun(t, o, to, files...) {
			if r.Err != nil || !r.Kept {
				t.Errorf("real files %t: %+v, want it kept", real, r)
			}
		}
	}
	same(t, tree(t, dir), want)
	if len(o.asked) > 0 {
		t.Errorf("asked for %q though all was there", o.asked)
	}
}

// Links that are there already are kept where real files are asked for.
func TestRealFilesBesideLinks(t *testing.T) {
	o, files := cached()
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit}
	allRight(t, mustRun(t, o, to, files...))
	before := tree(t, to.Dir)
	to.RealFiles = true
	for _, r := range mustRun(t, &origin{}, to, files...) {
		if r.Err != nil || !r.Kept {
			t.Errorf("%+v, want it kept", r)
		}
	}
	same(t, tree(t, to.Dir), before)
	if err := os.Remove(filepath.Join(to.Dir, repo, "blobs", files[0].Blob)); err != nil {
		t.Fatal(err)
	}
	if _, err := download.Run(t.Context(), o, files, to, quick()); !errors.Is(err, download.ErrExists) {
		t.Errorf("a link that leads nowhere: %v, want ErrExists", err)
	}
}

// named writes the name of the revision.
func named(t *testing.T, to download.Cache) {
	t.Helper()
	if err := to.WriteRef(t.Context()); err != nil {
		t.Fatalf("writing the ref: %v", err)
	}
}

// The name of a revision is written by whoever has judged the snapshot, and by no run.
func TestRefIsLast(t *testing.T) {
	o, files := cached()
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit, Ref: "main"}
	ref := filepath.Join(to.Dir, repo, "refs", "main")
	allRight(t, mustRun(t, o, to, files...))
	absent(t, ref)
	named(t, to)
	holds(t, ref, []byte(commit))
	write(t, ref, strings.Repeat("f", 40))
	allRight(t, mustRun(t, o, to, files...))
	holds(t, ref, []byte(strings.Repeat("f", 40)))
	named(t, to)
	holds(t, ref, []byte(commit))

	to.Ref = commit
	named(t, to)
	absent(t, filepath.Join(to.Dir, repo, "refs", commit))
}

func TestWrongContentIsNotCached(t *testing.T) {
	o, files := cached()
	o.files["config.json"] = []byte("[]")
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit}
	results := mustRun(t, o, to, files...)
	if !errors.Is(results[2].Err, download.ErrWrong) {
		t.Errorf("result %+v, want ErrWrong", results[2])
	}
	absent(t, filepath.Join(to.Dir, repo, snapshot, "config.json"))
	absent(t, filepath.Join(to.Dir, repo, "blobs", files[2].Blob))
	o.files["config.json"] = []byte("{}")
	allRight(t, mustRun(t, o, to, files...))
}

// In a cache, a blob's name is a promise of its own beside the signature.
func TestBlobHasItsName(t *testing.T) {
	content := text(1000)
	o := &origin{files: map[string][]byte{"a": content}}
	f := sharded("a", content, digest.BLAKE3, 300)
	f.Blob = hex.EncodeToString(sum(text(999)))
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit}
	r := mustRun(t, o, to, f)[0]
	if !errors.Is(r.Err, download.ErrWrong) || !strings.Contains(r.Err.Error(), "expected sha256 "+f.Blob) {
		t.Errorf("error %v, want ErrWrong", r.Err)
	}
	same(t, tree(t, to.Dir), nil)
}

// Of files that are listed with the same content, a signature cannot say different things.
func TestSameBlobSignedOtherwise(t *testing.T) {
	content := text(1000)
	a, b := sharded("a", content, digest.SHA256, 300), sharded("b", content, digest.SHA256, 300)
	b.Want[1].Digest = make([]byte, 32)
	o := &origin{files: map[string][]byte{"a": content, "b": content}}
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit}
	results := mustRun(t, o, to, a, b)
	if results[0].Err != nil || !errors.Is(results[1].Err, download.ErrWrong) {
		t.Errorf("results %v and %v, want the second wrong", results[0].Err, results[1].Err)
	}
	absent(t, filepath.Join(to.Dir, repo, snapshot, "b"))

	// A file that is not signed is held to the signature of one with the same content.
	to.Dir = t.TempDir()
	unsigned := download.File{Path: "a", Size: 1000, Blob: b.Blob}
	for _, r := range mustRun(t, o, to, unsigned, b) {
		if !errors.Is(r.Err, download.ErrWrong) {
			t.Errorf("%+v, want ErrWrong", r)
		}
	}
}

func TestCacheInTheWay(t *testing.T) {
	content := text(1000)
	f := signed("dir/a", content)
	other := string(text(1001)[1:])
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"blob of the same size": func(t *testing.T, dir string) { write(t, dir+"/blobs/"+f.Blob, other) },
		"short blob":            func(t *testing.T, dir string) { write(t, dir+"/blobs/"+f.Blob, "x") },
		"file":                  func(t *testing.T, dir string) { write(t, dir+"/"+snapshot+"dir/a", other) },
		"blob is a link": func(t *testing.T, dir string) {
			write(t, dir+"/other", string(content))
			link(t, "../other", dir+"/blobs/"+f.Blob)
		},
		"link to another blob": func(t *testing.T, dir string) {
			write(t, dir+"/blobs/"+blobID(content), string(content))
			link(t, "../../../blobs/"+blobID(content), dir+"/"+snapshot+"dir/a")
		},
		"link out of the cache": func(t *testing.T, dir string) {
			write(t, dir+"/../outside", string(content))
			link(t, "../../../../outside", dir+"/"+snapshot+"dir/a")
		},
		"absolute link": func(t *testing.T, dir string) {
			write(t, dir+"/blobs/"+f.Blob, string(content))
			link(t, dir+"/blobs/"+f.Blob, dir+"/"+snapshot+"dir/a")
		},
		"absolute, as if relative": func(t *testing.T, dir string) {
			link(t, "/../../../blobs/"+f.Blob, dir+"/"+snapshot+"dir/a")
		},
		"link to nowhere": func(t *testing.T, dir string) { link(t, "nowhere", dir+"/"+snapshot+"dir/a") },
	} {
		t.Run(name, func(t *testing.T) {
			to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit, Ref: "main"}
			prepare(t, filepath.Join(to.Dir, repo))
			before := tree(t, to.Dir)
			o := &origin{files: map[string][]byte{"dir/a": content}}
			_, err := download.Run(t.Context(), o, []download.File{f}, to, quick())
			if !errors.Is(err, download.ErrExists) {
				t.Errorf("error %v, want ErrExists", err)
			}
			if len(o.asked) > 0 {
				t.Errorf("asked for %q", o.asked)
			}
			same(t, tree(t, to.Dir), before)
		})
	}
}

func TestCacheNames(t *testing.T) {
	f := []download.File{signed("a", text(10))}
	for name, to := range map[string]download.Cache{
		"repository above":  {Repo: "..", Commit: commit},
		"repository below":  {Repo: "a/b", Commit: commit},
		"no repository":     {Commit: commit},
		"no commit":         {Repo: repo},
		"short commit":      {Repo: repo, Commit: "0123"},
		"commit is a path":  {Repo: repo, Commit: "../../../../../../../../../../../../../x"},
		"ref leads outside": {Repo: repo, Commit: commit, Ref: "../../x"},
		"absolute ref":      {Repo: repo, Commit: commit, Ref: "/x"},
	} {
		to.Dir = filepath.Join(t.TempDir(), "hub")
		o := &origin{files: map[string][]byte{"a": text(10)}}
		if _, err := download.Run(t.Context(), o, f, to, quick()); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := to.WriteRef(t.Context()); err == nil && to.Ref != "" {
			t.Errorf("%s: no error of writing the ref", name)
		}
		absent(t, to.Dir)
	}
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit}
	nameless := f[0]
	nameless.Blob = ""
	if _, err := download.Run(t.Context(), &origin{}, []download.File{nameless}, to, quick()); err == nil {
		t.Error("no error for a content without a name")
	}
}

// link makes a symbolic link and the folders above it.
func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Skip(err)
	}
}

// Hugging Face's client keeps some contents once for all repositories of a cache,
// and a link to each in blobs. Such a link is as good as the file, and no other is.
func TestCacheSharedBlobs(t *testing.T) {
	content := text(70_000)
	shared := strings.Repeat("ab", 32)
	for _, test := range []struct {
		name, target string
		shared       []byte
		want         error
	}{
		{"right", "../../blobs/ab/" + shared, content, nil},
		{"wrong", "../../blobs/ab/" + shared, text(70_001)[1:], download.ErrExists},
		{"gone", "../../blobs/ab/" + strings.Repeat("abcd", 16), content, download.ErrExists},
		{"elsewhere", "../../other/ab/" + shared, content, download.ErrExists},
		{"another repository's", "../../models--a--b/blobs/ab/" + shared, content, download.ErrExists},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &origin{files: map[string][]byte{"w.bin": content}}
			to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit, Ref: "main"}
			for _, dir := range []string{"blobs/ab", "other/ab", "models--a--b/blobs/ab"} {
				write(t, filepath.Join(to.Dir, dir, shared), string(test.shared))
			}
			blob := filepath.Join(to.Dir, repo, "blobs", hex.EncodeToString(sum(content)))
			link(t, test.target, blob)
			results, err := download.Run(t.Context(), o, []download.File{signed("w.bin", content)}, to, quick())
			if !errors.Is(err, test.want) || len(o.asked) > 0 {
				t.Fatalf("%v, and asked for %q; want %v", err, o.asked, test.want)
			}
			if target, err := os.Readlink(blob); err != nil || target != test.target {
				t.Errorf("the link leads to %q now, %v", target, err)
			}
			if test.want == nil {
				allRight(t, results)
				holds(t, filepath.Join(to.Dir, repo, snapshot, "w.bin"), content)
			}
		})
	}
}

// A link of the same text leads elsewhere from a snapshot than from blobs; here it comes while the file does.
func TestCacheSharedBlobsFromSnapshot(t *testing.T) {
	content := text(70_000)
	target := "../../blobs/ab/" + strings.Repeat("ab", 32)
	to := download.Cache{Dir: t.TempDir(), Repo: repo, Commit: commit, RealFiles: true}
	write(t, filepath.Join(to.Dir, target[len("../../"):]), string(content))
	name := filepath.Join(to.Dir, repo, snapshot, "w.bin")
	o := &origin{files: map[string][]byte{"w.bin": content}, spoil: func(*connection) { link(t, target, name) }}
	if _, err := download.Run(t.Context(), o, []download.File{signed("w.bin", content)}, to, quick()); !errors.Is(err, download.ErrExists) {
		t.Errorf("%v, want %v", err, download.ErrExists)
	}
}
