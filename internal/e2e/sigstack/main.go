// Sigstack runs a command beside a Sigstore instance of its own: the real servers Fulcio, Rekor v2, timestamp authority and
// certificate transparency log, and OpenID Connect providers that give a token to everybody: one where people sign in, and those
// of platforms, under their own names. Fulcio is configured as that of the public instance.
//
//	go run ./internal/e2e/sigstack [-long] [COMMAND ARGUMENT...]
//
// Without a command it runs the tests of package e2e that want such an instance. The servers are built once, from the module
// in the folder servers, and kept in the user's cache folder. They and the command run in a network namespace that has the
// loopback interface only, so nothing is reached but them, and ports are free; that takes Linux, and root or user namespaces.
//
// -long adds Rekor v1, cosign as a witness, and the tests that take minutes: some ten, once both are built. The command finds in its environment
//
//	MODELSIGN_SIGSTACK           the instance's folder: trust.json is its client trust configuration, and see writeTrust
//	MODELSIGN_SIGSTACK_ISSUER    the provider's address; a token is what GET /mint?email=... answers
//	MODELSIGN_SIGSTACK_PROXY     a proxy behind which platforms' servers are, under their own names: see issuers
//	MODELSIGN_SIGSTACK_CONTROL   POST /kill/NAME and /start/NAME end and start a server
//	MODELSIGN_SIGSTACK_LONG      1 with -long
//	MODELSIGN_SIGSTACK_PROGRAMS  the folder of the servers' programs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/gitlfs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// The variables of the environment, and the one by which the process in the namespace knows that it is there.
const (
	folderVariable   = "MODELSIGN_SIGSTACK"
	issuerVariable   = "MODELSIGN_SIGSTACK_ISSUER"
	proxyVariable    = "MODELSIGN_SIGSTACK_PROXY"
	controlVariable  = "MODELSIGN_SIGSTACK_CONTROL"
	longVariable     = "MODELSIGN_SIGSTACK_LONG"
	programsVariable = "MODELSIGN_SIGSTACK_PROGRAMS"
	insideVariable   = "MODELSIGN_SIGSTACK_INSIDE"
)

func main() {
	long := flag.Bool("long", false, "add Rekor v1, cosign, and the tests that take minutes")
	flag.Parse()
	runtime.LockOSThread() // the servers end with the thread that started them
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *long, flag.Args())
	stop()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1)) // who failed has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sigstack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, long bool, command []string) error {
	if os.Getenv(insideVariable) != "" {
		return inside(ctx, long, command)
	}
	if err := supported(); err != nil {
		return err
	}
	begun := time.Now()
	programs, err := build(ctx, long)
	if err != nil {
		return err
	}
	env, err := prepare(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "sigstack: servers and tools were there after %s\n", time.Since(begun).Round(100*time.Millisecond))
	again, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, again, os.Args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(env, insideVariable+"=1", programsVariable+"="+programs)
	intoNamespace(cmd)
	return cmd.Run()
}

// prepare gets what the tests use from the network, which they do not have, and returns the environment for them.
func prepare(ctx context.Context) ([]string, error) {
	env := os.Environ()
	if out, err := exec.CommandContext(ctx, "go", "mod", "download").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, out)
	}
	lfs, err := gitlfs.Find(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return nil, err
	}
	// Without the reference signer its tests are skipped, or fail with CI=true; they say why.
	_, _ = venv.ReferenceSigner().Bin(ctx)
	return append(env, "PATH="+filepath.Dir(lfs)+string(filepath.ListSeparator)+os.Getenv("PATH"), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -mod=readonly")), nil
}

// inside starts the servers, runs the command and ends them.
func inside(ctx context.Context, long bool, command []string) error {
	if err := raiseLoopback(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sigstack-")
	if err != nil {
		return err
	}
	failed := true
	defer func() {
		if failed {
			fmt.Fprintf(os.Stderr, "sigstack: what the servers have said is in %s\n", filepath.Join(dir, "*.log"))
		} else {
			os.RemoveAll(dir)
		}
	}()
	begun := time.Now()
	s, err := start(ctx, dir, os.Getenv(programsVariable), long)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Fprintf(os.Stderr, "sigstack: the instance was up after %s\n", time.Since(begun).Round(10*time.Millisecond))
	if len(command) == 0 {
		command = []string{"go", "test", "-count=1", "-timeout=30m", "-run=^TestSigstack", "./internal/e2e"}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), folderVariable+"="+dir, issuerVariable+"="+issuerURL, proxyVariable+"="+proxyURL, controlVariable+"="+controlURL)
	if long {
		cmd.Env = append(cmd.Env, longVariable+"=1")
	}
	err = cmd.Run()
	failed = err != nil
	return err
}
