package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// built is the folder of the programs under test, set once by TestMain. Sessions run them from a folder of their own: see newHome.
var built string

// browseCommand has this binary be a browser, which goes to the address that it is given and where that leads.
const browseCommand = "browse"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == browseCommand {
		a, err := http.Get(os.Args[2])
		if err != nil || a.StatusCode != http.StatusOK {
			os.Exit(1)
		}
		os.Exit(0)
	}
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
