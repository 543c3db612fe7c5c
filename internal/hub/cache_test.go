package hub_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func cache(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// link makes a symbolic link at a slash-separated path in dir.
func link(t *testing.T, dir, name, target string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.FromSlash(target), path); err != nil {
		t.Skip(err)
	}
}

func TestFindSnapshot(t *testing.T) {
	dir := cache(t, map[string]string{
		"models--org--name/refs/main":                         commit,
		"models--org--name/refs/pr/1":                         commit + "\n",
		"models--org--name/refs/bad":                          "../../../etc",
		"models--org--name/refs/long":                         strings.Repeat("0", 1000),
		"models--org--name/snapshots/" + commit + "/config":   "{}",
		"models--org--file/snapshots/" + commit:               "",
		"models--_org--a.b_c-d/snapshots/" + commit + "/f":    "",
		"datasets--org--name/snapshots/" + commit + "/config": "{}",
	})
	for _, test := range []struct {
		name     string
		repoType hub.RepoType
		id, rev  string
		err      string // "" where it is found
	}{
		{"branch", hub.Model, "org/name", "main", ""},
		{"ref with a slash", hub.Model, "org/name", "pr/1", ""},
		{"commit", hub.Model, "org/name", commit, ""},
		{"odd name", hub.Model, "_org/a.b_c-d", commit, ""},
		{"dataset", hub.Dataset, "org/name", commit, ""},
		{"no such ref", hub.Model, "org/name", "dev", "not in the local cache"},
		{"no such commit", hub.Model, "org/name", strings.Repeat("f", 40), "not in the local cache"},
		{"no such repository", hub.Model, "org/other", "main", "not in the local cache"},
		{"ref that is no commit", hub.Model, "org/name", "bad", "expected a commit"},
		{"ref that is no ref", hub.Model, "org/name", "long", "holds no commit"},
		{"ref that is a folder", hub.Model, "org/name", "pr", "holds no commit"},
		{"snapshot that is no folder", hub.Model, "org/file", commit, "is no folder"},
		{"revision that climbs", hub.Model, "org/name", "../../x", "no name of a branch"},
		{"id that climbs", hub.Model, "../name", "main", "no repository id"},
		{"id with too many parts", hub.Model, "a/b/c", "main", "no repository id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := hub.FindSnapshot(dir, hub.Repo{Type: test.repoType, ID: test.id}, test.rev)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := hub.SnapshotOf(dir, s.Path)
			if err != nil || again == nil || *again != *s {
				t.Errorf("SnapshotOf(%q) = %+v, %v; want %+v", s.Path, again, err, s)
			}
		})
	}
	if _, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/other"}, "main"); !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("error %v is not ErrNotCached", err)
	}
}

// Links in the place of folders and refs are no part of a cache, but where people make them: for a whole repository.
func TestFindSnapshotByLinks(t *testing.T) {
	snapshot := "snapshots/" + commit
	dir := cache(t, map[string]string{
		"models--org--snapshot/refs/main": commit, "models--org--blobs/" + snapshot + "/f": "", "models--org--blobs/refs/main": commit,
		"models--org--ref/" + snapshot + "/f": "", "elsewhere/" + snapshot + "/f": "", "elsewhere/refs/main": commit,
	})
	link(t, dir, "models--org--snapshot/"+snapshot, "../../elsewhere/"+snapshot)
	link(t, dir, "models--org--snapshots/snapshots", "../elsewhere/snapshots")
	link(t, dir, "models--org--blobs/blobs", "../elsewhere")
	link(t, dir, "models--org--ref/refs/main", "../../elsewhere/refs/main")
	link(t, dir, "models--org--moved", "elsewhere")
	for _, name := range []string{"snapshot", "snapshots", "blobs"} {
		for _, rev := range []string{commit, "main"} {
			if name == "snapshots" && rev == "main" {
				continue // which has no refs
			}
			_, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/" + name}, rev)
			if !errors.Is(err, hub.ErrMalformed) || !strings.Contains(err.Error(), "is a symbolic link") {
				t.Errorf("%s at %s: error %v", name, rev, err)
			}
		}
		path := filepath.Join(dir, "models--org--"+name, "snapshots", commit)
		if s, err := hub.SnapshotOf(dir, path); !errors.Is(err, hub.ErrMalformed) {
			t.Errorf("SnapshotOf(%q) = %+v, %v", path, s, err)
		}
	}
	if _, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/ref"}, "main"); !errors.Is(err, hub.ErrMalformed) {
		t.Errorf("a ref that is a link: error %v", err)
	}
	if _, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/moved"}, "main"); err != nil {
		t.Errorf("a repository's folder that is a link: %v", err)
	}
}

func TestSnapshotOfOtherFolders(t *testing.T) {
	dir := cache(t, map[string]string{"elsewhere/models--a--b/snapshots/" + commit + "/f": "", "models--a--b/snapshots/main/f": ""})
	for _, path := range []string{filepath.Join(dir, "elsewhere/models--a--b/snapshots", commit), filepath.Join(dir, "models--a--b/snapshots/main"), "/models/x", "/c/models--a--b/snapshots/main", "/c/models--a--b/blobs/" + commit,
		"/c/other--a--b/snapshots/" + commit, "/c/models--..--b/snapshots/" + commit} {
		if s, err := hub.SnapshotOf(dir, path); s != nil || err != nil {
			t.Errorf("SnapshotOf(%q) = %+v, %v; want nil", path, s, err)
		}
	}
}

// Only the links that the client makes are followed: into the repository's blobs, and on from there into what the cache shares.
func TestFollows(t *testing.T) {
	xet := strings.Repeat("ab", 32)
	dir := cache(t, map[string]string{
		"models--org--name/blobs/1": "one", "models--org--name/blobs/deep/2": "two", "models--org--name/snapshots/" + commit + "/plain": "",
		"models--org--other/blobs/1": "other", "blobs/ab/" + xet: "shared", "blobs/cd/" + xet: "misplaced", "blobs/ab/short": "", "blobs/loose": "",
		"outside/ab/" + xet: "outside", "outside/x": "x", "1": "beside outside", "real/ab/" + xet: "through a link",
	})
	for name, target := range map[string]string{
		"toStore": "../../blobs/ab/" + xet, "toMisplaced": "../../blobs/cd/" + xet, "toShort": "../../blobs/ab/short", "toLoose": "../../blobs/loose",
		"toOutside": "../../outside/ab/" + xet, "toBlob": "1", "toOther": "../../models--org--other/blobs/1", "dir": "../../outside",
		"toNowhere": "../../blobs/ab/" + strings.Repeat("ac", 32),
	} {
		link(t, dir, "models--org--name/blobs/"+name, target)
	}
	s, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/name"}, commit)
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]bool{
		"../../blobs/1": true, filepath.Join(dir, "models--org--name/blobs/1"): true, "../../blobs/toStore": true,
		"../../blobs/deep/2": false, "../../blobs/deep": false, "../../blobs": false, "../../blobs/9": false, "plain": false,
		"../../../models--org--other/blobs/1": false, "../../../outside/x": false, filepath.Join(dir, "outside/x"): false,
		"../../../blobs/ab/" + xet: false, "../../blobs/../../outside/x": false,
		"../../blobs/toMisplaced": false, "../../blobs/toShort": false, "../../blobs/toLoose": false, "../../blobs/toOutside": false,
		"../../blobs/toBlob": false, "../../blobs/toOther": false, "../../blobs/toNowhere": false,
		// Where the text says blobs/1 and the system goes through a link first.
		"../../blobs/dir/../1": false,
	} {
		link(t, s.Path, "l", target)
		if got := s.Follows(filepath.Join(s.Path, "l")); got != want {
			t.Errorf("to %s: %v, want %v", target, got, want)
		}
		if err := os.Remove(filepath.Join(s.Path, "l")); err != nil {
			t.Fatal(err)
		}
	}
	// A store that is a link, or has one in it, is none.
	for _, swap := range []string{"blobs/ab", "blobs"} {
		link(t, s.Path, "l", "../../blobs/toStore")
		path := filepath.Join(dir, filepath.FromSlash(swap))
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		link(t, dir, swap, map[string]string{"blobs/ab": "../real/ab", "blobs": "real"}[swap])
		if s.Follows(filepath.Join(s.Path, "l")) {
			t.Errorf("follows into a store whose %s is a link", swap)
		}
		os.Remove(path)
		os.Rename(path+".away", path)
		os.Remove(filepath.Join(s.Path, "l"))
	}
}

func TestScan(t *testing.T) {
	other, third := strings.Repeat("1", 40), strings.Repeat("2", 40)
	dir := cache(t, map[string]string{
		"models--org--b/snapshots/" + other + "/f": "", "models--org--b/snapshots/" + commit + "/f": "", "models--org--b/snapshots/" + third + "/f": "",
		"models--org--b/refs/main": third, "models--org--b/refs/v1.0": third, "models--org--b/refs/refs/pr/1": other, "models--org--b/refs/.DS_Store": "x",
		"models--org--b/refs/climbs": "../../x", "models--org--b/refs/gone": strings.Repeat("3", 40), "models--org--b/snapshots/.DS_Store": "",
		"models--org--b/refs/a b": commit, "models--org--b/snapshots/main/f": "", "models--org--b/.no_exist/" + commit + "/f": "",
		"models--gpt2/snapshots/" + commit + "/f": "", "datasets--org--a/snapshots/" + commit + "/f": "", "spaces--org--s/refs/main": commit,
		"models--..--b/snapshots/" + commit + "/f": "", "models--a--b--c/snapshots/" + commit + "/f": "", "models--a\x1b--b/f": "",
		"models--org--pipe/snapshots": "no folder",
		"kernels--org--k/f":           "", "mine/f": "", ".locks/models--org--b/f": "", "CACHEDIR.TAG": "", "version.txt": "1", "blobs/ab/f": "", "models--a--file": "",
	})
	link(t, dir, "models--org--b/snapshots/"+strings.Repeat("4", 40), commit)
	link(t, dir, "models--org--b/refs/linked", "main")
	link(t, dir, "models--org--gone", "nowhere")
	inv, err := hub.Scan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range inv.Snapshots {
		got = append(got, fmt.Sprintf("%s %s %.3s %s", s.Type, s.ID, s.Commit, strings.Join(s.Refs, ",")))
	}
	want := []string{"model gpt2 012 ", "model org/b 222 main,v1.0", "model org/b 111 refs/pr/1", "model org/b 012 ", "dataset org/a 012 "}
	if !slices.Equal(got, want) {
		t.Errorf("snapshots\n%q, want\n%q", got, want)
	}
	got = nil
	for _, p := range inv.Problems {
		got = append(got, p.Path)
	}
	slices.Sort(got)
	want = []string{"models--..--b", "models--a\x1b--b", "models--a--b--c", "models--org--b/refs/a b", "models--org--b/refs/climbs", "models--org--b/refs/linked",
		"models--org--b/snapshots/4444444444444444444444444444444444444444", "models--org--b/snapshots/main", "models--org--gone", "models--org--pipe/snapshots"}
	if !slices.Equal(got, want) {
		t.Errorf("problems\n%q, want\n%q", got, want)
	}
	if want := []string{"kernels--org--k", "mine"}; !slices.Equal(inv.Foreign, want) {
		t.Errorf("foreign %q, want %q", inv.Foreign, want)
	}
	if _, err := hub.Scan(t.Context(), filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("no cache: error %v", err)
	}
}

// Whatever a ref holds, it leads to a snapshot of its own repository or nowhere.
func FuzzRef(f *testing.F) {
	f.Add([]byte(commit))
	f.Add([]byte(commit + "\n"))
	f.Add([]byte("../../../etc"))
	dir := cache(f, map[string]string{"models--org--name/refs/main": "", "models--org--name/snapshots/" + commit + "/f": "", "f": ""})
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "models--org--name", "refs", "main"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/name"}, "main")
		if err == nil && s.Path != filepath.Join(dir, "models--org--name", "snapshots", commit) {
			t.Errorf("leads to %q", s.Path)
		}
		if err != nil && !errors.Is(err, hub.ErrMalformed) && !errors.Is(err, hub.ErrNotCached) {
			t.Errorf("error %v", err)
		}
	})
}
