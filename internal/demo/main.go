// Command demo shows on a fresh machine what git-model-sign is for: with nothing but Go and git,
//
//	go run ./internal/demo
//
// builds both programs, makes a repository with LFS-tracked weights, signs it, pushes it, clones it as somebody who has installed
// the hooks, tampers with it in several ways, and shows each verdict. It prints what it does as a terminal session and ends with
// exit status 0 only if every verdict was the expected one.
//
// Everything happens under a temporary folder with private HOMEs, and is removed at the end. What stays is a git-lfs in the
// user's cache folder, where PATH had none and it had to be built.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

func main() {
	size := flag.Int("size", 256, "size of the model's weights, in `MiB`")
	keep := flag.Bool("keep", false, "leave the temporary folder in place")
	flag.Parse()
	if flag.NArg() > 0 || *size < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *size, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run plays the whole demonstration with weights of size MiB, and returns an error as soon as something is not as expected.
func run(ctx context.Context, out io.Writer, size int, keep bool) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "git-model-sign-demo-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Fprintln(out, "# everything stays in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	p, err := prepare(ctx, out, dir)
	if err != nil {
		return err
	}
	for _, scene := range []func(*play, int){serve, sign, clone, tamper, swap, rot, promise} {
		if scene(p, size); p.err != nil {
			return p.err
		}
	}
	fmt.Fprintf(out, "\n# Every verdict was the expected one. That took %s.\n", time.Since(start).Round(100*time.Millisecond))
	return nil
}

// prepare builds the programs, finds git-lfs, and makes a HOME for the maintainer and one for the user.
func prepare(ctx context.Context, out io.Writer, dir string) (*play, error) {
	fmt.Fprintln(out, "# Building git-model-sign and hf-model-verify.")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o777); err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "$ go build ./cmd/...")
	built, err := programs.Build(ctx, bin)
	if err != nil {
		return nil, err
	}
	lfs, err := gitlfs.Find(ctx, func(line string) { fmt.Fprintln(out, "#", line, "(once; this takes a minute or two)") })
	if err != nil {
		return nil, err
	}
	p := &play{ctx: ctx, out: out, dir: dir}
	for _, person := range []struct {
		name string
		home **home.Home
	}{{"maintainer", &p.maintainer}, {"user", &p.user}} {
		folder := filepath.Join(dir, person.name)
		if err := os.Mkdir(folder, 0o777); err != nil {
			return nil, err
		}
		if *person.home, err = home.New(folder, built, filepath.Dir(lfs)); err != nil {
			return nil, err
		}
		// They share a machine's worth of system configuration, as two accounts do.
		(*person.home).Env = append((*person.home).Env, "GIT_CONFIG_SYSTEM="+filepath.Join(dir, "system.gitconfig"))
	}
	return p, nil
}
