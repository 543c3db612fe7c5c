package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func cache(t *testing.T, files map[string]string) string {
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

func TestFindSnapshot(t *testing.T) {
	dir := cache(t, map[string]string{
		"models--org--name/refs/main":                         commit,
		"models--org--name/refs/pr/1":                         commit + "\n",
		"models--org--name/refs/bad":                          "../../../etc",
		"models--org--name/snapshots/" + commit + "/config":   "{}",
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
		{"dataset", hub.Dataset, "org/name", commit, ""},
		{"no such ref", hub.Model, "org/name", "dev", "not in the local cache"},
		{"no such commit", hub.Model, "org/name", strings.Repeat("f", 40), "not in the local cache"},
		{"no such repository", hub.Model, "org/other", "main", "not in the local cache"},
		{"ref that is no commit", hub.Model, "org/name", "bad", "expected a commit"},
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
			again := hub.SnapshotOf(dir, s.Path)
			if again == nil || *again != *s {
				t.Errorf("SnapshotOf(%q) = %+v, want %+v", s.Path, again, s)
			}
		})
	}
	if _, err := hub.FindSnapshot(dir, hub.Repo{Type: hub.Model, ID: "org/other"}, "main"); !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("error %v is not ErrNotCached", err)
	}
}

func TestSnapshotOfOtherFolders(t *testing.T) {
	dir := cache(t, map[string]string{"elsewhere/models--a--b/snapshots/" + commit + "/f": "", "models--a--b/snapshots/main/f": ""})
	for _, path := range []string{filepath.Join(dir, "elsewhere/models--a--b/snapshots", commit), filepath.Join(dir, "models--a--b/snapshots/main"), "/models/x", "/c/models--a--b/snapshots/main", "/c/models--a--b/blobs/" + commit,
		"/c/other--a--b/snapshots/" + commit, "/c/models--..--b/snapshots/" + commit} {
		if s := hub.SnapshotOf(dir, path); s != nil {
			t.Errorf("SnapshotOf(%q) = %+v, want nil", path, s)
		}
	}
}
