// Command find prints the folder that git-lfs is in, building it first where PATH has none: for .ci/run, which puts it on the PATH
// of tests that run git-lfs without asking package gitlfs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
)

func main() {
	path, err := gitlfs.Find(context.Background(), func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(filepath.Dir(path))
}
