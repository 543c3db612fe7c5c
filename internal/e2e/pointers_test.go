package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
	"github.com/git-model-sign/git-model-sign/internal/lfs/lfstest"
)

// mkpointers writes LFS pointers to weights that exist nowhere:
//
//	mkpointers DIR N SIZE   DIR/weights-00000.bin and so on, each naming other content of SIZE bytes
func mkpointers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: mkpointers DIR N SIZE")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	size, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	for i := range n {
		name := fmt.Sprintf("weights-%05d.bin", i)
		p := lfs.Pointer{OID: sha256Hex([]byte(name)), Size: size}
		ts.Check(os.WriteFile(filepath.Join(dir, name), lfstest.Encode(p), 0o666))
	}
}

// raceSlows is by how much the race detector may slow a program down; it was seen to be five to seven times.
const raceSlows = 10

// cputime wants a program to succeed without using more than some time of the processors, its own children's included: unlike
// the time on a clock that is the same on a machine that has other work. Programs with the race detector may use raceSlows times
// as much.
//
//	cputime LIMIT PROGRAM ARG...   LIMIT as in 800ms
func cputime(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: cputime LIMIT PROGRAM ARG...")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	if programs.RaceDetector() {
		limit *= raceSlows
	}
	cmd := ts.Value(homeKey{}).(*home.Home).Command(context.Background(), ts.MkAbs("."), args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	ts.Check(cmd.Run())
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > limit {
		ts.Fatalf("%s used %v of the processors, want at most %v", args[1], used, limit)
	}
}
