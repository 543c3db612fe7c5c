package tree

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// paths lists the files of a tree.
func paths(t *Tree) []string {
	var names []string
	for _, f := range t.Files {
		names = append(names, f.Path)
	}
	return names
}

// problems lists problems as "path: name of the error".
func problems(ps []Problem) []string {
	names := map[error]string{
		ErrSymlink: "symlink", ErrNotUTF8: "not UTF-8", ErrName: "name", ErrAmbiguous: "ambiguous", ErrSubmodule: "submodule", ErrIrregular: "irregular",
		ErrUnreadable: "unreadable", ErrUnmerged: "unmerged", ErrUncommitted: "uncommitted", ErrMissing: "missing",
		ErrNotDownloaded: "not downloaded", ErrBadLFS: "bad LFS", ErrSignatureLFS: "signature", ErrEmpty: "empty", ErrDiffers: "differs", ErrOutdated: "outdated",
		digest.ErrChanged: "changed", ErrReplaced: "replaced",
	}
	var out []string
	for _, p := range ps {
		var is []string
		for err, name := range names {
			if errors.Is(p.Err, err) {
				is = append(is, name)
			}
		}
		slices.Sort(is)
		out = append(out, p.Path+": "+strings.Join(is, "+"))
	}
	return out
}

// content reads a file of a tree.
func content(t *testing.T, f File) string {
	t.Helper()
	file, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() != f.Size || !info.Mode().IsRegular() || info.Name() != filepath.Base(f.Path) && info.Name() == "" {
		t.Errorf("%s: stat %v, %v; want %d bytes", f.Path, info, err, f.Size)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.NewSectionReader(file, 0, f.Size+1)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(filepath.FromSlash(target), link); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
}

// openers are both kinds of root where there are two.
func openers() map[string]func(string) (root, error) {
	m := map[string]func(string) (root, error){"portable": openPortable}
	if runtime.GOOS == "linux" {
		m["linux"] = openRoot
	}
	return m
}

func TestLinuxHasItsOwnRoot(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("is about Linux")
	}
	r, err := openRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if _, ok := r.(*portableRoot); ok {
		t.Skip("this kernel or sandbox has no openat2")
	}
}

// TestRoot holds every kind of root to the same behaviour.
func TestRoot(t *testing.T) {
	for name, open := range openers() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"m/a": "A", "m/sub/b": "BB", "m/sub/deep/c": "CCC", "out/o": "O"})
			symlink(t, "../out", filepath.Join(dir, "m", "away"))
			symlink(t, "sub", filepath.Join(dir, "m", "within"))
			symlink(t, "a", filepath.Join(dir, "m", "link"))
			r, err := open(filepath.Join(dir, "m"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()

			entries, err := r.list("")
			var names []string
			for _, e := range entries {
				names = append(names, e.name)
			}
			slices.Sort(names)
			if want := []string{"a", "away", "link", "sub", "within"}; err != nil || !slices.Equal(names, want) {
				t.Errorf("the root holds %q, %v; want %q", names, err, want)
			}
			for folder, want := range map[string]error{"away": ErrSymlink, "within": ErrSymlink, "within/deep": ErrSymlink, "away/x": ErrSymlink, "a": ErrIrregular, "none": os.ErrNotExist} {
				if _, err := r.list(folder); !errors.Is(err, want) {
					t.Errorf("listing %s: %v, want %v", folder, err, want)
				}
				if _, err := statOne(r, folder+"/b"); !errors.Is(err, want) {
					t.Errorf("looking into %s: %v, want %v", folder, err, want)
				}
			}
			for file, want := range map[string]int64{"a": 1, "sub/b": 2, "sub/deep/c": 3} {
				e, err := statOne(r, file)
				if err != nil || e.size != want || !e.mode.IsRegular() {
					t.Fatalf("%s: %+v, %v", file, e, err)
				}
				f, err := r.open(file, e)
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 10)
				if n, err := f.ReadAt(b, 0); int64(n) != want || err != io.EOF {
					t.Errorf("%s: read %d bytes, %v", file, n, err)
				}
				if n, err := f.ReadAt(b[:1], want-1); n != 1 || err != nil && err != io.EOF {
					t.Errorf("%s: read %d bytes at the end, %v", file, n, err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if err := f.Close(); err == nil {
					t.Error("a file can be closed twice")
				}
				if _, err := f.ReadAt(b, 0); err == nil || err == io.EOF {
					t.Errorf("reading a closed file: %v", err)
				}
			}
			e, err := statOne(r, "link")
			if err != nil || e.mode&os.ModeSymlink == 0 {
				t.Errorf("a link is %+v, %v", e, err)
			}
			a, err := statOne(r, "a")
			if err != nil {
				t.Fatal(err)
			}
			for _, away := range []string{"../out/o", "away/o", filepath.Join(dir, "out", "o")} {
				if f, err := r.open(away, a); err == nil {
					f.Close()
					t.Errorf("%s is opened", away)
				}
			}
		})
	}
}

// TestOpenHoldsToTheListing changes what stands at a path between listing and
// opening.
func TestOpenHoldsToTheListing(t *testing.T) {
	replace := func(t *testing.T, path, text string) {
		write(t, filepath.Dir(path), map[string]string{"temporary": text})
		if err := os.Rename(filepath.Join(filepath.Dir(path), "temporary"), path); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, dir, file string){
		"another file":     func(t *testing.T, _, file string) { replace(t, file, "b") },
		"truncated":        func(t *testing.T, _, file string) { write(t, filepath.Dir(file), map[string]string{"f": ""}) },
		"grown":            func(t *testing.T, _, file string) { write(t, filepath.Dir(file), map[string]string{"f": "aa"}) },
		"gone":             func(t *testing.T, _, file string) { os.Remove(file) },
		"folder":           func(t *testing.T, _, file string) { os.Remove(file); os.Mkdir(file, 0o777) },
		"named pipe":       func(t *testing.T, _, file string) { os.Remove(file); makePipe(t, file) },
		"link to another":  func(t *testing.T, dir, file string) { os.Remove(file); symlink(t, "../secret", file) },
		"link out":         func(t *testing.T, dir, file string) { os.Remove(file); symlink(t, "../../out/f", file) },
		"link to a device": func(t *testing.T, dir, file string) { os.Remove(file); symlink(t, os.DevNull, file) },
		"folder above is a link out": func(t *testing.T, dir, file string) {
			os.RemoveAll(filepath.Dir(file))
			symlink(t, "../out", filepath.Dir(file))
		},
		"folder above is a link in": func(t *testing.T, dir, file string) {
			os.RemoveAll(filepath.Dir(file))
			symlink(t, "other", filepath.Dir(file))
		},
	} {
		for kind, open := range openers() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				write(t, dir, map[string]string{"m/sub/f": "a", "m/other/f": "b", "out/f": "c", "m/secret": "d"})
				r, err := open(filepath.Join(dir, "m"))
				if err != nil {
					t.Fatal(err)
				}
				defer r.close()
				e, err := statOne(r, "sub/f")
				if err != nil {
					t.Fatal(err)
				}
				change(t, filepath.Join(dir, "m"), filepath.Join(dir, "m", "sub", "f"))
				f, err := r.open("sub/f", e)
				if err == nil {
					f.Close()
					t.Fatal("it is opened")
				}
				if name != "gone" && name != "link out" && name != "folder above is a link out" && name != "link to a device" && !errors.Is(err, ErrReplaced) {
					t.Errorf("error %v, want ErrReplaced", err)
				}
			})
		}
	}
}

// TestChangedWhileRead is the digest's part of the same promise.
func TestChangedWhileRead(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 10) },
		"grown": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"f": strings.Repeat("x", 32<<20)}) // more than is read ahead
			tr, err := OpenFolder(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			f := tr.Files[0]
			changed := false
			h := digest.Hasher{Threads: 1, Progress: func(p digest.Progress) {
				if p.Bytes > 0 && !changed {
					changed = true
					if err := change(filepath.Join(dir, "f")); err != nil {
						t.Error(err)
					}
				}
			}}
			results, err := h.Sum(t.Context(), []digest.Item{{Name: f.Path, Open: f.Open, Length: -1, Size: f.Size}})
			if err != nil || !errors.Is(results[0].Err, digest.ErrChanged) {
				t.Errorf("results %v, %v; want ErrChanged", results, err)
			}
		})
	}
}
