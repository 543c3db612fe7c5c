package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
	"github.com/git-model-sign/git-model-sign/internal/memory"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// TestScripts runs the sessions of testdata/script, each in a private HOME with an empty work folder. One of them:
//
//	go test ./internal/e2e -run TestScripts/sign_key
func TestScripts(t *testing.T) {
	lfs := needs.GitLFS(t)
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			return setupScript(env, lfs)
		},
		Condition: condition,
		Cmds:      scriptCommands(t),
	})
}

// scriptCommands are the commands of sessions.
func scriptCommands(t testing.TB) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"cputime":         cputime,
		"exits":           exits,
		"flip":            flip,
		"git":             program("git"),
		"hf-model-verify": program("hf-model-verify"),
		"hub":             hubCommand,
		"interrupt":       interrupt,
		"keypair":         keypair,
		"lfsserver":       lfsserverCommand,
		"mkpointers":      mkpointers,
		"mkweights":       mkweights,
		"pki":             pkiCommand,
		"platform":        platformCommand(mintHere),
		"rekor":           rekorCommand(t),
		"sigstore":        sigstoreCommand(t),
		"snapshot":        snapshotCommand,
		"tsa":             tsaCommand(t),
		"tty":             tty,
		"unchanged":       unchanged,
	}
}

// What a session keeps between its commands.
type (
	homeKey      struct{} // *home.Home
	hostKey      struct{} // *host
	hubKey       struct{} // *hub
	snapshotsKey struct{} // map[string]snapshot, by folder
)

// setupScript gives a session its HOME, with git-lfs set up as `git lfs install` does for everybody.
func setupScript(env *testscript.Env, lfs string) error {
	h, err := newHome(env.WorkDir, lfs)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := h.Command(context.Background(), h.Dir, "git", "lfs", "install")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git lfs install: %w: %s", err, out.Bytes())
	}
	env.Values[homeKey{}] = h
	env.Values[hostKey{}] = new(host)
	env.Values[hubKey{}] = new(hub)
	env.Values[snapshotsKey{}] = make(map[string]snapshot)
	env.Values[instancesKey{}] = make(map[string]*verifytest.Instance)
	env.Values[logKey{}] = new(watchedLog)
	env.Values[signInKey{}] = new(signIn)
	env.Values[tsaKey{}] = make(map[string]*verifytest.TimestampAuthority)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env.Setenv("BROWSE", self+" "+browseCommand)
	env.Vars = append(env.Vars, h.Env...)
	return nil
}

// condition adds to testscript's own conditions:
//
//	[git>=2.54]   the version of git
//	[hf]          the client of the Hugging Face Hub is here, or can be installed
//	[mounts]      a small file system can be mounted, in a mount namespace of the command's own
//	[remembers]   the file system of temporary files is one on which digests are remembered
func condition(cond string) (bool, error) {
	if least, ok := strings.CutPrefix(cond, "git>="); ok {
		return gitIsAtLeast(least)
	}
	if cond == "remembers" {
		dir, err := os.MkdirTemp("", "remembers")
		if err != nil {
			return false, err
		}
		defer os.RemoveAll(dir)
		return memory.Open(dir, dir, dir).Remembers(), nil
	}
	if cond == "hf" {
		// Only where sessions run once more for the sake of another git (see newgit.sh) is there no Python: .ci/run sees to it.
		if _, err := exec.LookPath("python3"); err != nil {
			return false, nil
		}
		_, err := venv.HuggingFaceHub().Bin(context.Background())
		if err != nil && os.Getenv("CI") == "true" {
			return false, fmt.Errorf("required where CI=true: %w", err)
		}
		return err == nil, nil
	}
	if cond == "mounts" {
		err := exec.Command("unshare", "-m", "true").Run()
		if err != nil && os.Getenv("CI") == "true" {
			return false, fmt.Errorf("required where CI=true: a mount namespace: %w", err)
		}
		return err == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

func gitIsAtLeast(version string) (bool, error) {
	out, err := exec.Command("git", "version").Output()
	if err != nil {
		return false, fmt.Errorf("asking git for its version: %w", err)
	}
	have, errHave := majorMinor(strings.TrimPrefix(strings.TrimSpace(string(out)), "git version "))
	want, errWant := majorMinor(version)
	return have >= want, errors.Join(errHave, errWant)
}

// majorMinor makes a number of the first two parts of a version: 2.39.5 is 2039.
func majorMinor(version string) (int, error) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0, fmt.Errorf("%q is no version", version)
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	return major*1000 + minor, errors.Join(errMajor, errMinor)
}
