package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// built is the folder of the programs under test, set once by TestMain. Sessions run them from a folder of their own: see newHome.
var built string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "git-model-sign-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := programs.NoteSources(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if built, err = programs.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
