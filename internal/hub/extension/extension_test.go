package extension_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/hub/extension"
)

var now = time.Date(2026, 11, 22, 19, 30, 0, 0, time.FixedZone("CET", 3600))

func executable(t *testing.T) string {
	path, err := filepath.Abs(filepath.Join("bin of ü𝄞", "hf-model-verify"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "share", "hf-model-verify")
	path, err := extension.Install(dir, executable(t), now, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(string(b), func(r rune) bool { return r > '~' }) {
		t.Errorf("the manifest is not ASCII: %s", b)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"short_name": "model-verify", "type": "binary", "executable_path": executable(t),
		"installed_at": "2026-11-22T18:30:00+00:00", "repo_id": "git-model-sign/hf-model-verify", "repo": "hf-model-verify", "commit_sha": nil} {
		if got, found := m[name]; !found || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if !strings.Contains(m["owner"].(string), ".") {
		t.Errorf("owner %q could be one of GitHub's, from whom hf would update", m["owner"])
	}
	if got, err := extension.Installed(dir); got != executable(t) || err != nil {
		t.Errorf("installed is %q, %v", got, err)
	}
	if _, err := extension.Install(dir, executable(t)+"2", now, false); err != nil {
		t.Errorf("again: %v", err)
	}
	if got, err := extension.Installed(dir); got != executable(t)+"2" || err != nil {
		t.Errorf("installed again is %q, %v", got, err)
	}
	for _, bad := range []string{"hf-model-verify", executable(t) + "\xff", ""} {
		if _, err := extension.Install(dir, bad, now, false); err == nil {
			t.Errorf("installed %q", bad)
		}
	}
}

func TestUninstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hf-model-verify")
	if removed, err := extension.Uninstall(dir); removed || err != nil {
		t.Errorf("removed %v, %v where there was none", removed, err)
	}
	for _, left := range []string{"", ".latest_commit", "mine"} {
		if _, err := extension.Install(dir, executable(t), now, false); err != nil {
			t.Fatal(err)
		}
		if left != "" {
			write(t, filepath.Join(dir, left), "")
		}
		if removed, err := extension.Uninstall(dir); !removed || err != nil {
			t.Errorf("with %q: removed %v, %v", left, removed, err)
		}
		if _, err := os.Stat(dir); (err == nil) != (left == "mine") {
			t.Errorf("with %q: the folder is there: %v", left, err == nil)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
		t.Errorf("somebody's file: %v", err)
	}
}

func TestForeign(t *testing.T) {
	for name, text := range map[string]string{
		"another's":      `{"owner": "someone", "repo": "hf-model-verify", "executable_path": "/x"}`,
		"of ours":        `{"owner": "installed.locally", "repo": "hf-other", "executable_path": "/x"}`,
		"to nowhere":     `{"owner": "installed.locally", "repo": "hf-model-verify"}`,
		"no JSON":        `{"owner": "installed.locally"`,
		"no manifest":    "",
		"very large":     strings.Repeat(" ", 1<<20),
		"of other types": `{"owner": ["installed.locally"], "repo": 1}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "manifest.json")
		if text == "" {
			path = filepath.Join(dir, "hf-model-verify")
		}
		write(t, path, text)
		if _, err := extension.Install(dir, executable(t), now, false); !errors.Is(err, extension.ErrForeign) {
			t.Errorf("%s: install: error %v", name, err)
		}
		if removed, err := extension.Uninstall(dir); removed || !errors.Is(err, extension.ErrForeign) {
			t.Errorf("%s: uninstall: %v, error %v", name, removed, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%s was altered: %q, %v", name, b, err)
		}
		if _, err := extension.Install(dir, executable(t), now, true); err != nil {
			t.Errorf("%s: install by force: %v", name, err)
		}
		if got, err := extension.Installed(dir); got != executable(t) || err != nil {
			t.Errorf("%s: then installed is %q, %v", name, got, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever a manifest holds, it is ours or not, and reading it ends.
func FuzzInstalled(f *testing.F) {
	f.Add([]byte(`{"owner": "installed.locally", "repo": "hf-model-verify", "executable_path": "/x"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "manifest.json"), string(b))
		executable, err := extension.Installed(dir)
		if err != nil && (executable != "" || !errors.Is(err, extension.ErrForeign)) {
			t.Errorf("%q, %v", executable, err)
		}
	})
}
