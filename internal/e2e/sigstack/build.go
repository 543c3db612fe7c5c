package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/e2e/keep"
)

// witnesses are built for the long form only, each with the versions that its own module names.
var witnesses = []string{
	"github.com/sigstore/rekor/cmd/rekor-server@v1.5.4",
	"github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
}

// noSymbols has large programs linked in half the time. Nothing else is asked for, so that packages which tests have compiled
// already, the standard library above all, are not compiled again for the servers.
const noSymbols = "-ldflags=-s -w"

// build returns the folder of the servers' programs, which it builds where they are not there yet.
func build(ctx context.Context, long bool) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module's folder: %w", err)
	}
	source := filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "internal", "e2e", "sigstack", "servers")
	version, err := hashFolder(source)
	if err != nil {
		return "", fmt.Errorf("reading the servers' module: %w", err)
	}
	dir, release, err := keep.Dir("sigstack-" + version)
	if err != nil {
		return "", err
	}
	defer release()
	err = once(filepath.Join(dir, "servers"), func() error {
		return goCommand(ctx, source, nil, "build", "-buildvcs=false", noSymbols, "-o", dir+string(filepath.Separator), "tool", "./...")
	})
	if err == nil {
		err = once(filepath.Join(dir, "kept-"+publicIssuers), func() error { return keepIssuers(ctx, source, dir) })
	}
	if err != nil || !long {
		return dir, err
	}
	for _, program := range witnesses {
		name := strings.ReplaceAll(filepath.Base(program), "@", "-")
		err := once(filepath.Join(dir, "built-"+name), func() error {
			return goCommand(ctx, dir, []string{"GOBIN=" + dir}, "install", noSymbols, program)
		})
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// publicIssuers is, beside the programs, the public instance's own configuration of Fulcio, as Fulcio's module has it: whom it
// believes, and what it certifies of a token.
const publicIssuers = "public-fulcio.yaml"

func keepIssuers(ctx context.Context, source, dir string) error {
	const module = "github.com/sigstore/fulcio"
	if err := goCommand(ctx, source, nil, "mod", "download", module); err != nil {
		return err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Dir = source
	at, err := list.Output()
	if err != nil {
		return fmt.Errorf("finding %s: %w", module, err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(at)), "config", "identity", "config.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, publicIssuers), b, 0o666)
}

// once does work unless the file says that it was done, and writes that file.
func once(file string, work func() error) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	if err := work(); err != nil {
		return err
	}
	return os.WriteFile(file, nil, 0o666)
}

func goCommand(ctx context.Context, dir string, env []string, args ...string) error {
	fmt.Fprintln(os.Stderr, "sigstack: go", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// hashFolder is a short digest of the files of a folder: the versions of all servers and what is our own.
func hashFolder(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", d.Name(), len(b), b)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), err
}
