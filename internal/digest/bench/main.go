//go:build linux

// Command bench measures how fast models are hashed, side by side with a plain
// program that hashes one file a core with Go's own code, and with others that
// are installed. It prints the table of docs/performance.md:
//
//	go run ./internal/digest/bench
//
// It builds git-model-sign, makes its test data in a temporary folder (at most
// 4.3 GB at a time) and removes it. Every figure is of a whole process; each is
// the median of several runs, in turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/stopwatch"
)

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "plain-") {
		if err := plain(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{out: os.Stdout}
	flag.StringVar(&b.ref, "ref", "", "`path` of the reference signer's model_signing")
	only := flag.String("only", "", "`pattern` of the cases to run")
	flag.IntVar(&b.runs, "runs", 5, "`number` of runs of which the median counts")
	flag.StringVar(&b.dir, "dir", "", "`folder` for test data, a temporary one by default")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err == nil {
		err = b.run(ctx, slices.DeleteFunc(cases(), func(c testCase) bool { return !pattern.MatchString(c.name) }))
	}
	if err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what the flags say and what was found on the machine.
type bench struct {
	out     io.Writer // the table
	ref     string
	dir     string
	runs    int
	self    string // this program
	subject string // git-model-sign
	others  map[string]string
}

// run prints the tables for some cases.
func (b *bench) run(ctx context.Context, cases []testCase) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.dir, "git-model-sign-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.subject = filepath.Join(b.dir, "git-model-sign")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.subject, "github.com/git-model-sign/git-model-sign/cmd/git-model-sign")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building git-model-sign: %w\n%s", err, out)
	}
	b.others = make(map[string]string)
	for _, name := range []string{"b3sum", "sha256sum"} {
		if path, err := exec.LookPath(name); err == nil {
			b.others[name] = path
		}
	}
	if b.ref != "" {
		b.others["model_signing"] = b.ref
		keygen := exec.CommandContext(ctx, b.subject, "keygen", "--no-passphrase", filepath.Join(b.dir, "key.pem"))
		if out, err := keygen.CombinedOutput(); err != nil {
			return fmt.Errorf("making a key: %w\n%s", err, out)
		}
	}
	if err := b.describe(); err != nil {
		return err
	}
	for _, c := range cases {
		if err := b.measure(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// describe says what machine the table is of.
func (b *bench) describe() error {
	c, err := digest.Choose("", true)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%s, %d cores, %s; median of %d runs\n\n", c.CPU, runtime.NumCPU(), runtime.Version(), b.runs)
	fmt.Fprintln(b.out, "| backend | lanes | GB/s a core | |\n|---|---|---|---|")
	for _, k := range c.Backends {
		used := ""
		if k.Name == c.Used {
			used = "used: " + c.Reason
		}
		fmt.Fprintf(b.out, "| %s | %d | %.2f | %s |\n", k.Name, k.Lanes, k.BytesPerSecond/1e9, used)
	}
	fmt.Fprintln(b.out, "\n| work | program | wall s (from–to) | GB/s | CPU s | peak MiB | times as fast as the plain program |\n|---|---|---|---|---|---|---|")
	return nil
}

// little is how many bytes may be written to the disk while the programs run.
const little = 16 << 20

// program is one that does a case's work.
type program struct {
	name string
	args []string
	runs []stopwatch.Usage
}

// measure makes a case's data and lets its programs work on it in turns.
func (b *bench) measure(ctx context.Context, c testCase) error {
	data := filepath.Join(b.dir, "model")
	defer os.RemoveAll(data)
	total, err := makeFiles(ctx, data, c.files)
	if err != nil {
		return err
	}
	if total > little {
		unix.Sync() // or the disk would be busy while the programs run, and nothing could be taken out of the page cache
	}
	programs := b.programs(c, data)
	if err := prepare(data, false); err != nil {
		return err
	}
	for range b.runs {
		for _, p := range programs {
			if c.cold {
				if err := prepare(data, true); err != nil {
					return err
				}
			}
			u, err := stopwatch.Run(exec.CommandContext(ctx, p.args[0], p.args[1:]...))
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			p.runs = append(p.runs, u)
		}
	}
	base := stopwatch.Median(programs[0].runs, stopwatch.Wall)
	work := c.name
	for _, p := range programs {
		t := stopwatch.Median(p.runs, stopwatch.Wall)
		from, to := stopwatch.Range(p.runs)
		fmt.Fprintf(b.out, "| %s | %s | %.3f (%.3f–%.3f) | %.2f | %.2f | %.0f | %.2f |\n", work, p.name, t.Seconds(),
			from.Seconds(), to.Seconds(), float64(total)/t.Seconds()/1e9, stopwatch.Median(p.runs, stopwatch.CPU).Seconds(),
			float64(stopwatch.Median(p.runs, stopwatch.Peak))/(1<<20), base.Seconds()/t.Seconds())
		work = ""
	}
	return nil
}

// programs are those that can do a case's work, the plain one first.
func (b *bench) programs(c testCase, data string) []*program {
	shards := strconv.FormatInt(c.shards, 10)
	ours := []string{b.subject, "digest", "--no-git", "--no-progress"}
	if c.shards > 0 {
		ours = append(ours, "--shards="+shards)
	}
	if c.hash != "" {
		ours = append(ours, "--hash", c.hash)
	}
	all := []*program{
		{name: c.plainName, args: []string{b.self, c.plain, data, shards}},
		{name: "git-model-sign digest", args: append(ours, data)},
	}
	var files []string
	for _, f := range c.files {
		for i := range min(f.count, 100) {
			files = append(files, f.name(data, i))
		}
	}
	for _, name := range c.others {
		path, ok := b.others[name]
		switch {
		case !ok:
		case name == "model_signing":
			// It signs or verifies and nothing else, so ours signs too.
			key, sig := filepath.Join(b.dir, "key.pem"), filepath.Join(b.dir, "model.sig")
			all = append(all,
				&program{name: "git-model-sign sign", args: []string{b.subject, "sign", "--no-git", "--private-key", key, "--signature", sig, data}},
				&program{name: "reference signer", args: []string{path, "sign", "key", "--private_key", key, "--signature", sig, data}})
		case name == "b3sum":
			all = append(all, &program{name: "b3sum", args: append([]string{path, "--no-mmap"}, files...)},
				&program{name: "b3sum, mapped", args: append([]string{path}, files...)})
		default:
			all = append(all, &program{name: "GNU " + name, args: append([]string{path}, files...)})
		}
	}
	return all
}
