package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestOpenFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my model")
	write(t, dir, map[string]string{
		"weights.bin": "w", "a/b.txt": "ab", "a.txt": "a", "a/.git": "kept", "empty": "", ".gitignore": "x", ".gitattributes": "x",
		".github/workflows/x.yml": "x", ".git/config": "x", "model.sig": "s", "sub/model.sig": "kept", "skip/me": "x", "skipped": "kept",
		"deep/skip/this": "x", "deep/skip/that": "kept", "größe-模型": "n", ".hidden": "kept", "sp ace\"q": "q",
	})
	if runtime.GOOS != "windows" {
		write(t, dir, map[string]string{"line\nend": "l", "back\\slash": "b", "co:lon": "c"})
	}
	tr, err := OpenFolder(t.Context(), dir, Options{Signature: filepath.Join(dir, "model.sig"), Ignore: []string{"skip", "deep/skip/this", "no/such"}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	want := []string{".hidden", "a.txt", "a/.git", "a/b.txt", "deep/skip/that", "empty", "größe-模型", "skipped", "sp ace\"q", "sub/model.sig", "weights.bin"}
	if runtime.GOOS != "windows" {
		want = append(want, "line\nend", "back\\slash", "co:lon")
	}
	slices.Sort(want)
	if got := paths(tr); !slices.Equal(got, want) {
		t.Errorf("files\n%q\nwant\n%q", got, want)
	}
	if tr.Name != "my model" || tr.Single || tr.Worktree || len(tr.Problems)+len(tr.Warnings) != 0 {
		t.Errorf("tree %+v", tr)
	}
	for _, f := range tr.Files {
		onDisk, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if got := content(t, f); err != nil || got != string(onDisk) || f.Kind != Content || f.BlobID != "" || f.RepoPath != "" {
			t.Errorf("%s: %q, %v; want %q", f.Path, got, err, onDisk)
		}
	}
}

func TestKeepNamesWhatRulesLeaveOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".gitattributes": "a", ".gitignore": "x", ".github/a/kept": "k", ".github/a/not": "x", ".github/b": "x", "model.sig": "s", "x/y": "y", "x/z": "z"})
	tr, err := OpenFolder(t.Context(), dir, Options{Signature: filepath.Join(dir, "model.sig"), Ignore: []string{"x"},
		Keep: map[string]bool{".gitattributes": true, ".github/a/kept": true, "x/y": true, "model.sig": true, "none": true}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if got, want := paths(tr), []string{".gitattributes", ".github/a/kept", "x/y"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestSingleFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"m.onnx": "weights", "m.onnx.sig": "s", "other": "x", ".gitignore": "a model by a bad name"})
	for _, name := range []string{"m.onnx", ".gitignore"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(dir)
			tr, err := OpenFolder(t.Context(), name, Options{Signature: filepath.Join(dir, name+".sig")})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if !tr.Single || tr.Name != name || !slices.Equal(paths(tr), []string{name}) || len(tr.Problems) != 0 {
				t.Fatalf("tree %+v", tr)
			}
			if onDisk, err := os.ReadFile(name); err != nil || content(t, tr.Files[0]) != string(onDisk) {
				t.Errorf("content %q, %v", content(t, tr.Files[0]), err)
			}
		})
	}
}

func TestFolderProblems(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs pipes, links and odd names")
	}
	dir := filepath.Join(t.TempDir(), "m")
	write(t, dir, map[string]string{"ok": "x", "real/f": "x", "../out/o": "o", ".github/x": "x"})
	makePipe(t, filepath.Join(dir, "pipe"))
	makeSocket(t, filepath.Join(dir, "socket"))
	symlink(t, "ok", filepath.Join(dir, "link"))
	symlink(t, "real", filepath.Join(dir, "linked folder"))
	symlink(t, "../out/o", filepath.Join(dir, "out"))
	symlink(t, "/dev/null", filepath.Join(dir, ".github", "ignored"))
	want := []string{"link: symlink", "linked folder: symlink", "out: symlink", "pipe: irregular", "socket: irregular"}
	if runtime.GOOS == "linux" { // other systems do not let it be made
		write(t, dir, map[string]string{"bad\xff": "x", "bad\xfefolder/a": "x", "bad\xfefolder/b": "x"})
		want = append([]string{"bad\xfefolder: not UTF-8", "bad\xff: not UTF-8"}, want...)
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(dir, "zlocked")
		write(t, dir, map[string]string{"zlocked/x": "x"})
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(locked, 0o700) })
		want = append(want, "zlocked: unreadable")
	}
	tr, err := OpenFolder(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if got := problems(tr.Problems); !slices.Equal(got, want) {
		t.Errorf("problems\n%q\nwant\n%q", got, want)
	}
	if got := paths(tr); !slices.Equal(got, []string{"ok", "real/f"}) {
		t.Errorf("files %q", got)
	}
	refusals, _, err := tr.CheckSignable(t.Context(), nil)
	if got := problems(refusals); err != nil || !slices.Equal(got, want) {
		t.Errorf("refusals\n%q, %v\nwant\n%q", got, err, want)
	}
}

func TestAllowSymlinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	write(t, dir, map[string]string{"real/f": "text", "../out/o": "out"})
	symlink(t, "real/f", filepath.Join(dir, "file"))
	symlink(t, "file", filepath.Join(dir, "link to link"))
	symlink(t, "../real/f", filepath.Join(dir, "real", "beside"))
	symlink(t, "real", filepath.Join(dir, "folder"))
	symlink(t, "..", filepath.Join(dir, "real", "up"))
	symlink(t, "../out/o", filepath.Join(dir, "out"))
	symlink(t, "../out", filepath.Join(dir, "out folder"))
	symlink(t, "none", filepath.Join(dir, "nowhere"))
	symlink(t, "round", filepath.Join(dir, "round"))
	symlink(t, os.DevNull, filepath.Join(dir, "device"))
	tr, err := OpenFolder(t.Context(), dir, Options{AllowSymlinks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if got, want := paths(tr), []string{"file", "link to link", "out", "real/beside", "real/f"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	for _, f := range tr.Files {
		want := "text"
		if f.Path == "out" {
			want = "out"
		}
		if got := content(t, f); got != want {
			t.Errorf("%s: %q, want %q", f.Path, got, want)
		}
	}
	if got, want := problems(tr.Problems), []string{"device: irregular+symlink", "folder: symlink", "nowhere: symlink", "out folder: symlink", "real/up: symlink", "round: symlink"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if got, want := problems(tr.Warnings), []string{"out: symlink"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	// The link is turned to another file after it was listed.
	link := filepath.Join(dir, "file")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	symlink(t, "../out/o", link)
	if f, err := tr.Files[0].Open(); !errors.Is(err, ErrReplaced) {
		t.Errorf("opened %v, %v; want ErrReplaced", f, err)
	}
}

func TestFollows(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]string{"blobs/1": "one", "blobs/deep/3": "three", "snap/plain": "p", "snap/sub/x": "x"})
	for link, target := range map[string]string{"good": "../blobs/1", "sub/good": "../../blobs/1", "other": "../blobs/1", "folder": "../blobs/deep", "missing": "../blobs/9"} {
		symlink(t, target, filepath.Join(base, "snap", filepath.FromSlash(link)))
	}
	snap, err := filepath.EvalSymlinks(filepath.Join(base, "snap"))
	if err != nil {
		t.Fatal(err)
	}
	follows := func(link string) bool {
		if !strings.HasPrefix(link, snap) {
			t.Errorf("asked about %q, which is not in %q", link, snap)
		}
		return filepath.Base(link) != "other"
	}
	tr, err := OpenFolder(t.Context(), filepath.Join(base, "snap"), Options{Follows: follows})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if got, want := paths(tr), []string{"good", "plain", "sub/good", "sub/x"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if got := content(t, tr.Files[0]); got != "one" {
		t.Errorf("good holds %q", got)
	}
	want := []string{"folder: symlink", "missing: symlink", "other: symlink"}
	if got := problems(tr.Problems); !slices.Equal(got, want) || len(tr.Warnings) != 0 {
		t.Errorf("problems %q, warnings %v; want %q", got, tr.Warnings, want)
	}
}

func TestSingleSymlink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"real": "text", "folder/a": "x"})
	symlink(t, "real", filepath.Join(dir, "link"))
	symlink(t, "folder", filepath.Join(dir, "linked"))
	tr, err := OpenFolder(t.Context(), filepath.Join(dir, "link"), Options{})
	if err != nil || !tr.Single || len(tr.Files) != 0 || !slices.Equal(problems(tr.Problems), []string{"link: symlink"}) {
		t.Errorf("tree %+v, %v", tr, err)
	}
	tr, err = OpenFolder(t.Context(), filepath.Join(dir, "link"), Options{AllowSymlinks: true})
	if err != nil || tr.Name != "link" || !slices.Equal(paths(tr), []string{"link"}) || content(t, tr.Files[0]) != "text" {
		t.Errorf("tree %+v, %v", tr, err)
	}
	tr, err = OpenFolder(t.Context(), filepath.Join(dir, "linked"), Options{})
	if err != nil || tr.Name != "linked" || tr.Single || !slices.Equal(paths(tr), []string{"a"}) {
		t.Errorf("tree %+v, %v", tr, err)
	}
}

func TestHardLinksAreFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "text"})
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Skip(err)
	}
	tr, err := OpenFolder(t.Context(), dir, Options{})
	if err != nil || !slices.Equal(paths(tr), []string{"a", "b"}) || content(t, tr.Files[1]) != "text" {
		t.Errorf("tree %+v, %v", tr, err)
	}
}

func TestSignatureThroughALink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"m/a": "x", "m/model.sig": "s"})
	symlink(t, "m", filepath.Join(dir, "link"))
	for _, c := range [][2]string{{"m", "link/model.sig"}, {"link", "m/model.sig"}} {
		tr, err := OpenFolder(t.Context(), filepath.Join(dir, c[0]), Options{Signature: filepath.Join(dir, filepath.FromSlash(c[1]))})
		if err != nil || !slices.Equal(paths(tr), []string{"a"}) {
			t.Errorf("%v: %q, %v", c, paths(tr), err)
		}
	}
}

func TestOpenFolderErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFolder(t.Context(), filepath.Join(dir, "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OpenFolder(ctx, dir, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	tr, err := OpenFolder(t.Context(), dir, Options{})
	if err != nil || len(tr.Files) != 0 {
		t.Fatalf("empty folder: %+v, %v", tr, err)
	}
	refusals, warnings, err := tr.CheckSignable(t.Context(), nil)
	if err != nil || !slices.Equal(problems(refusals), []string{": empty"}) || len(warnings) != 0 {
		t.Errorf("empty folder: refusals %v, %v, %v", refusals, warnings, err)
	}
	write(t, dir, map[string]string{"a": "x"})
	if tr, err = OpenFolder(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Files[0].Open(); err == nil {
		t.Error("a file is opened through a tree that is closed")
	}
}

// TestDeepAndLongPaths ends at paths that no signature could hold.
func TestDeepAndLongPaths(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("makes a tree deeper than most systems can")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	name := strings.Repeat("d", 200)
	for i := range 30 { // 6,000 bytes
		if err := os.Mkdir(name, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chdir(name); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("f", []byte{byte(i)}, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chdir(dir); err != nil {
		t.Fatal(err)
	}
	for kind, open := range openers() {
		access, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		l := newListing(&Tree{Root: dir}, Options{})
		l.access = access
		if err := l.walk(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr := l.finish()
		if len(tr.Problems) != 1 || len(tr.Files) < 15 || len(tr.Files) > 20 {
			t.Errorf("%s: %d files, problems %.300v", kind, len(tr.Files), tr.Problems)
		}
		access.close()
	}
}

func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 20,000 files")
	}
	dir := t.TempDir()
	for i := range 200 {
		sub := filepath.Join(dir, fmt.Sprintf("d%03d", i))
		if err := os.Mkdir(sub, 0o777); err != nil {
			t.Fatal(err)
		}
		for j := range 100 {
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%03d", j)), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	tr, err := OpenFolder(t.Context(), dir, Options{})
	if err != nil || len(tr.Files) != 20_000 || !slices.IsSorted(paths(tr)) {
		t.Fatalf("%d files, %v", len(tr.Files), err)
	}
	tr.Close()
}
