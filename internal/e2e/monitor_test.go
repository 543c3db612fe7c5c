package e2e

import (
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
)

// logKey is where a session keeps the log that it watches.
type logKey struct{}

// rekorCommand makes the command that plays a transparency log which is watched:
//
//	rekor serve [-v1] FILE             start a log without entries, and write the trusted root of its instance; $REKOR is its URL
//	rekor log IDENTITY PROVIDER        log a signature of somebody's over something
//	rekor fill N                       log N entries of nobody's
//	rekor sign IDENTITY PROVIDER FILE  log the signature in FILE as that identity's, and put the entry into FILE
//	rekor fork INDEX                   have another entry in the place of one, as if it had always been there
//	rekor show N                       admit to the first N entries only, or with -1 to all
//	rekor answer STATUS                answer everything with a status, or with 200 as before
//	rekor stop                         end the server
func rekorCommand(t testing.TB) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: rekor serve|log|fill|sign|fork|show|answer|stop ...")
		}
		at := ts.Value(logKey{}).(*watchedLog)
		if args[0] == "serve" {
			at.serve(t, ts, args[1:])
			return
		}
		if at.log == nil || !at.do(t, ts, args) {
			ts.Fatalf("rekor: %q is not understood", args)
		}
	}
}

// watchedLog is the log of a session.
type watchedLog struct {
	log *monitortest.Log
	n   int // of the last entry that was made up
}

func (w *watchedLog) serve(t testing.TB, ts *testscript.TestScript, args []string) {
	w.log = monitortest.New(t)
	if args[0] == "-v1" {
		w.log.V1, args = true, args[1:]
	}
	trusted, err := w.log.TrustedRoot(t).MarshalJSON()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), trusted, 0o666))
	ts.Setenv("REKOR", w.log.Server.URL)
}

// do changes the log.
func (w *watchedLog) do(t testing.TB, ts *testscript.TestScript, args []string) (understood bool) {
	var number int
	if len(args) == 2 {
		var err error
		number, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	switch what := args[0]; {
	case what == "log" && len(args) == 3:
		w.n++
		w.log.Add(monitortest.Body("dsse 0.0.1", w.log.Certificate(t, args[1], args[2]), strconv.Itoa(w.n)))
	case what == "sign" && len(args) == 4:
		raw, err := os.ReadFile(ts.MkAbs(args[3]))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), w.log.AddBundle(t, raw, args[1], args[2]), 0o666))
	case what == "fill" && len(args) == 2:
		for range number {
			w.n++
			w.log.Add([]byte(`{"apiVersion":"0.0.1","kind":"rekord","spec":{"n":` + strconv.Itoa(w.n) + `}}`))
		}
	case what == "fork" && len(args) == 2:
		w.log.Rewrite(number, []byte("{}"))
	case what == "show" && len(args) == 2:
		w.log.Show(int64(number))
	case what == "answer" && len(args) == 2:
		w.log.Hook(func(rw http.ResponseWriter, _ *http.Request) bool {
			if number != http.StatusOK {
				rw.WriteHeader(number)
			}
			return number != http.StatusOK
		})
	case what == "stop" && len(args) == 1:
		w.log.Server.Close()
	default:
		return false
	}
	return true
}
