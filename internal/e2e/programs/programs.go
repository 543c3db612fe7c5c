// Package programs builds this module's programs, git-model-sign and hf-model-verify, for the tests and the demonstration:
// git finds a subcommand by looking for git-NAME on PATH, so what is tried out is a program in a folder, as a user has it.
package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// DirVariable names the environment variable that holds a folder of programs built beforehand. It lets a compiled test run
// where there is no Go, such as in a folder with another version of git.
const DirVariable = "MODELSIGN_PROGRAMS"

// Build puts every program of this module into dir and returns the folder that they are in: dir, or the one that DirVariable
// names. A test that has the race detector builds them with it, and where GOCOVERDIR is set they write coverage data to it.
func Build(ctx context.Context, dir string) (string, error) {
	if built := os.Getenv(DirVariable); built != "" {
		return filepath.Abs(built)
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	args := append([]string{"build", "-buildvcs=false", "-o", dir + string(filepath.Separator)}, raceFlags...)
	if os.Getenv("GOCOVERDIR") != "" {
		args = append(args, "-cover")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/...")...)
	cmd.Dir = root
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building ./cmd/... in %s: %w: %s", root, err, bytes.TrimSpace(out.Bytes()))
	}
	return dir, nil
}

// RaceDetector says whether the programs have the race detector, as the test does.
func RaceDetector() bool { return len(raceFlags) > 0 }

// NoteSources looks at every source file that the programs are built from. The go command remembers which files a test looked
// at and runs it again once one has changed; what a child process read, such as the go build above, it cannot see.
func NoteSources(ctx context.Context) error {
	if os.Getenv(DirVariable) != "" {
		return nil
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{"cmd", "hooks", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking at the programs' sources: %w", err)
		}
	}
	return nil
}

// moduleRoot is the folder of the go.mod that the current folder lies under.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module's folder: go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", fmt.Errorf("finding the module's folder: not inside a Go module")
	}
	return filepath.Dir(mod), nil
}
