package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
)

// The commands that sessions have besides testscript's own:
//
//	git ARG...                             run git, which must succeed; so with hf-model-verify
//	exits [-unprivileged] N PROGRAM ARG... run a program, which must exit with N; as somebody who is bound by file modes
//	interrupt WHEN N PROGRAM ARG...        run a program, press ^C after a time (1s) or once a file exists, and want exit status N
//	tty INPUT PROGRAM ARG...               run a program on a terminal, typing a line of INPUT at each prompt; stdout is what it shows
//	cputime LIMIT PROGRAM ARG...           run a program, which must use no more than that of the processors
//	mkpointers DIR N SIZE                  write N LFS pointers to SIZE bytes of content that is nowhere
//	mkweights FILE SIZE [SEED]             write SIZE bytes (also 20k, 3M) that do not compress, the same every time
//	flip FILE                              alter one byte in the middle; size and modification time stay
//	keypair PRIVATE PUBLIC [CURVE]         make a key pair: P-256, P-384 or P-521
//	pki DIR                                make certificates (see writePKI)
//	platform ...                           see platformCommand
//	rekor ...                              see rekorCommand
//	sigstore ...                           see sigstoreCommand
//	snapshot DIR                           remember everything under DIR
//	unchanged DIR                          want everything under DIR as the last snapshot has it
//	lfsserver ...                          see lfsserverCommand
//	hub ...                                see hubCommand

// program makes a command that runs a program which must succeed.
func program(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("say which exit status is wanted: exits N %s ...", name)
		}
		if err := ts.Exec(name, args...); err != nil {
			ts.Fatalf("%s: %v", name, err)
		}
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	bound := len(args) > 0 && args[0] == "-unprivileged"
	if bound {
		args = args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits [-unprivileged] N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	execute := func() error { return ts.Exec(args[1], args[2:]...) }
	if bound {
		err = withoutPrivileges(execute)
	} else {
		err = execute()
	}
	checkStatus(ts, args[1], want, err)
}

// checkStatus fails the script unless a program ended with the status wanted.
func checkStatus(ts *testscript.TestScript, name string, want int, err error) {
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", name, got, want)
	}
}

// interruptPatience is how long a program may take to create the file that interrupt waits for, and then to end.
const interruptPatience = 30 * time.Second

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt WHEN N PROGRAM ARG...")
	}
	wait, notTime := time.ParseDuration(args[0])
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), interruptPatience)
	defer cancel()
	cmd := ts.Value(homeKey{}).(*home.Home).Command(ctx, ts.MkAbs("."), args[2], args[3:]...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.WaitDelay = time.Second
	inOwnProcessGroup(cmd)
	ts.Check(cmd.Start())
	time.Sleep(wait)
	for notTime != nil && !exists(ts.MkAbs(args[0])) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	pressed := interruptGroup(cmd)
	err = cmd.Wait()
	ts.Check(ctx.Err())
	ts.Check(pressed)
	checkStatus(ts, args[2], want, err)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func mkweights(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: mkweights FILE SIZE [SEED]")
	}
	size, err := parseSize(args[1])
	ts.Check(err)
	file := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o777))
	ts.Check(os.WriteFile(file, weights(size, strings.Join(args, " ")), 0o666))
}

// parseSize reads a number of bytes, with k or M for 1024 or 1024² of them.
func parseSize(s string) (int, error) {
	unit := 1
	switch {
	case strings.HasSuffix(s, "k"):
		s, unit = strings.TrimSuffix(s, "k"), 1<<10
	case strings.HasSuffix(s, "M"):
		s, unit = strings.TrimSuffix(s, "M"), 1<<20
	}
	n, err := strconv.Atoi(s)
	return n * unit, err
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	ts.Check(flipByte(ts.MkAbs(args[0])))
}

// flipByte alters the byte in the middle of a file, whose size and modification time stay, so that who believes those is fooled.
func flipByte(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return fmt.Errorf("%s is empty", file)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o666); err != nil {
		return err
	}
	return os.Chtimes(file, info.ModTime(), info.ModTime())
}

func keypair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: keypair PRIVATE PUBLIC [P-256|P-384|P-521]")
	}
	curve := "P-256"
	if len(args) == 3 {
		curve = args[2]
	}
	ts.Check(writeKeyPair(ts.MkAbs(args[0]), ts.MkAbs(args[1]), curve))
}

func pkiCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: pki DIR")
	}
	ts.Check(writePKI(ts.MkAbs(args[0])))
}

func snapshotCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: snapshot DIR")
	}
	files, err := takeSnapshot(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Value(snapshotsKey{}).(map[string]snapshot)[ts.MkAbs(args[0])] = files
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unchanged DIR")
	}
	dir := ts.MkAbs(args[0])
	before, ok := ts.Value(snapshotsKey{}).(map[string]snapshot)[dir]
	if !ok {
		ts.Fatalf("no snapshot of %s", args[0])
	}
	after, err := takeSnapshot(dir)
	ts.Check(err)
	if diff := before.diff(after); diff != "" {
		ts.Fatalf("changed since the snapshot:\n%s", diff)
	}
}
