package durable_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/durable"
)

func TestWriteFileReplaces(t *testing.T) {
	name := filepath.Join(t.TempDir(), "model.sig")
	for _, content := range []string{"first", "second, longer", ""} {
		if err := durable.WriteFile(name, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != content {
			t.Fatalf("got %q, %v; want %q", got, err, content)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	onlyFile(t, filepath.Dir(name), "model.sig")
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "model.sig")
	if err := os.MkdirAll(filepath.Join(target, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(target, []byte("x"), 0o644); err == nil {
		t.Fatal("wrote a file over a folder")
	}
	onlyFile(t, dir, "model.sig")
}

func TestWritable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "model.sig")
	if err := durable.WriteFile(name, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.Writable(name); err != nil {
		t.Error(err)
	}
	onlyFile(t, filepath.Dir(name), "model.sig")
	if err := durable.Writable(filepath.Join(name, "model.sig")); err == nil {
		t.Error("a file is a folder that can be written to")
	}
}

func onlyFile(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != want {
		t.Errorf("folder holds %v, %v; want only %s", entries, err, want)
	}
}

func TestWriteFileModeIsExact(t *testing.T) {
	name := filepath.Join(t.TempDir(), "hook")
	if err := durable.WriteFileMode(name, []byte("x"), 0o777); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o777) {
		t.Errorf("mode %v, %v; want 0777 whatever the umask", info.Mode(), err)
	}
}
