// Command bench measures what git users wait for: status, a commit checked
// without its weights, and the hooks, in repositories from ten files to 600 GB,
// with git's own status and git lfs fsck beside them. It prints the table under
// "Repositories" in docs/performance.md:
//
//	go run ./internal/e2e/bench
//
// It builds git-model-sign, makes its repositories in a temporary folder (1.1 GB
// of weights, and pointers to 600 GB that exist nowhere) under a HOME of its own,
// and removes them. Every figure is of a whole process, git included; each is
// the median of several runs, in turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
	"github.com/git-model-sign/git-model-sign/internal/stopwatch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("only", "", "`pattern` of the repositories to measure")
	runs := flag.Int("runs", 5, "`number` of runs of which the median counts")
	flag.Parse()
	if err := run(ctx, os.Stdout, *only, *runs); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints the table for the repositories whose names match a pattern.
func run(ctx context.Context, out io.Writer, only string, runs int) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "git-model-sign-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := prepare(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Median of %d runs, in milliseconds; from the fastest to the slowest in brackets.\n\n", runs)
	fmt.Fprintln(out, "| repository | command | wall ms (from–to) | CPU ms | times `git status` |\n|---|---|---|---|---|")
	for _, r := range repositories() {
		if !pattern.MatchString(r.name) {
			continue
		}
		if err := measure(ctx, out, h, r, runs); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// prepare makes a HOME with the programs on its PATH, git-lfs set up, and a key
// that is believed.
func prepare(ctx context.Context, dir string) (*home.Home, error) {
	bin, err := programs.Build(ctx, filepath.Join(dir, "bin"))
	if err != nil {
		return nil, err
	}
	lfs, err := gitlfs.Find(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return nil, err
	}
	h, err := home.New(dir, bin, filepath.Dir(lfs))
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"git", "lfs", "install", "--skip-repo"},
		{"git-model-sign", "keygen", "--no-passphrase", filepath.Join(dir, "key")},
		{"git", "config", "--global", "modelsign.publicKey", filepath.Join(dir, "key.pub")},
	} {
		if err := do(ctx, h, dir, args...); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// do runs a command in a folder.
func do(ctx context.Context, h *home.Home, dir string, args ...string) error {
	if out, err := h.Command(ctx, dir, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w\n%s", args, err, out)
	}
	return nil
}

// measure makes a repository and prints its rows.
func measure(ctx context.Context, out io.Writer, h *home.Home, r repository, runs int) error {
	dir := filepath.Join(h.Dir, "model")
	defer os.RemoveAll(dir)
	tip, err := r.build(ctx, h, dir)
	if err != nil {
		return err
	}
	rows := r.rows(tip)
	taken := make([][]stopwatch.Usage, len(rows))
	for range runs {
		for i, row := range rows {
			cmd := h.Command(ctx, filepath.Join(dir, row.in), row.args[0], row.args[1:]...)
			cmd.Stdin = strings.NewReader(row.input)
			u, err := stopwatch.Run(cmd)
			if err != nil {
				return fmt.Errorf("%s: %w", row.name, err)
			}
			taken[i] = append(taken[i], u)
		}
	}
	base := stopwatch.Median(taken[0], stopwatch.Wall)
	name := r.name
	for i, row := range rows {
		wall := stopwatch.Median(taken[i], stopwatch.Wall)
		from, to := stopwatch.Range(taken[i])
		fmt.Fprintf(out, "| %s | %s | %s (%s–%s) | %s | %.1f |\n", name, row.name, ms(wall), ms(from), ms(to),
			ms(stopwatch.Median(taken[i], stopwatch.CPU)), float64(wall)/float64(base))
		name = ""
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond)) }
