package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
	"github.com/git-model-sign/git-model-sign/internal/lfs/lfstest"
)

// repository is one to measure in.
type repository struct {
	name string
	// small files of 4 KiB are plain ones of git.
	small int
	// weights are LFS files of weightSize bytes each.
	weights    int
	weightSize int64
	// promised says that there are only pointers to the weights, and no objects.
	promised bool
}

func repositories() []repository {
	return []repository{
		{name: "10 files", small: 10},
		{name: "1,000 files", small: 1000},
		{name: "10,000 files", small: 10_000},
		{name: "1 GB in 10 LFS files", small: 10, weights: 10, weightSize: 100_000_000},
		{name: "600 GB in 120 LFS files, not downloaded", small: 10, weights: 120, weightSize: 5_000_000_000, promised: true},
	}
}

// row is a command that is measured.
type row struct {
	name  string
	in    string // folder: the signed worktree, the one without a signature, or what is pushed to
	input string // what git says to a hook
	args  []string
}

// Folders of the two worktrees of a repository, and of the bare one that it was pushed to.
const (
	signed   = "signed"
	unsigned = "unsigned"
	server   = "server.git"
)

// rows are the commands that are measured where the signed commit has the id tip.
func (r repository) rows(tip string) []row {
	hook := []string{"git", "model-sign", "hook", "post-checkout", zero, zero, "1"}
	pushed := fmt.Sprintf("refs/heads/main %s refs/heads/main %s\n", tip, zero)
	received := fmt.Sprintf("%s %s refs/heads/main\n", zero, tip)

	rows := []row{
		{"`git status`", signed, "", []string{"git", "status"}},
		{"`git model-sign status`", signed, "", []string{"git", "model-sign", "status"}},
		{"`git model-sign verify --rev HEAD`", signed, "", []string{"git", "model-sign", "verify", "--rev", "HEAD"}},
		{"hook, no signature", unsigned, "", hook},
		{"hook, with a signature, digests remembered", signed, "", hook},
		{"`git model-sign hook pre-push`", signed, pushed, []string{"git", "model-sign", "hook", "pre-push", "../" + server, "../" + server}},
		{"`git model-sign hook pre-receive`", server, received, []string{"git", "model-sign", "hook", "pre-receive"}},
		{"`git model-sign verify --no-cache`", signed, "", []string{"git", "model-sign", "verify", "--no-cache"}},
	}
	if r.weights > 0 {
		fsck := []string{"git", "lfs", "fsck"}
		name := "`git lfs fsck`"
		if r.promised {
			fsck, name = append(fsck, "--pointers"), "`git lfs fsck --pointers`"
		}
		rows = append(rows, row{name, signed, "", fsck})
	}
	return rows
}

// zero is an object id that names nothing.
const zero = "0000000000000000000000000000000000000000"

// build makes the repository below dir, signs it, and adds a worktree of the
// commit before and a bare clone. It returns the id of the signed commit.
func (r repository) build(ctx context.Context, h *home.Home, dir string) (tip string, err error) {
	model := filepath.Join(dir, signed)
	if err := os.MkdirAll(model, 0o777); err != nil {
		return "", err
	}
	if err := do(ctx, h, model, "git", "init", "-q"); err != nil {
		return "", err
	}
	if err := r.write(model); err != nil {
		return "", err
	}
	sign := []string{"git", "model-sign", "sign", "--private-key", filepath.Join(h.Dir, "key")}
	if r.promised {
		sign = append(sign, "--promised")
	}
	for _, args := range [][]string{
		{"git", "add", "."},
		{"git", "commit", "-q", "-m", "Add the model"},
		sign,
		{"git", "repack", "-a", "-d", "-q"}, // as in a clone
		{"git", "clone", "-q", "--bare", ".", "../" + server},
	} {
		if err := do(ctx, h, model, args...); err != nil {
			return "", err
		}
	}
	add := h.Command(ctx, model, "git", "worktree", "add", "-q", "../"+unsigned, "HEAD~1")
	add.Env = append(add.Env, "GIT_LFS_SKIP_SMUDGE=1") // nobody needs a second copy of the weights
	if out, err := add.CombinedOutput(); err != nil {
		return "", fmt.Errorf("git worktree add: %w\n%s", err, out)
	}
	id, err := h.Command(ctx, model, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse HEAD: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// write writes the files of the first commit.
func (r repository) write(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("*.safetensors filter=lfs diff=lfs merge=lfs -text\n"), 0o666); err != nil {
		return err
	}
	source := rand.NewChaCha8([32]byte{})
	for i := range r.small {
		if err := writeRandom(filepath.Join(dir, fmt.Sprintf("part-%03d", i/100), fmt.Sprintf("%05d.bin", i)), source, 4096); err != nil {
			return err
		}
	}
	for i := range r.weights {
		name := filepath.Join(dir, fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, r.weights))
		var err error
		if r.promised {
			oid := sha256.Sum256([]byte(name))
			err = os.WriteFile(name, lfstest.Encode(lfs.Pointer{OID: fmt.Sprintf("%x", oid), Size: r.weightSize}), 0o666)
		} else {
			err = writeRandom(name, source, r.weightSize)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeRandom writes a file of bytes that do not compress.
func writeRandom(name string, source *rand.ChaCha8, size int64) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for size > 0 {
		part := buffer[:min(size, int64(len(buffer)))]
		source.Read(part)
		if _, err := f.Write(part); err != nil {
			f.Close()
			return err
		}
		size -= int64(len(part))
	}
	return f.Close()
}
