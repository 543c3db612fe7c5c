package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/hubserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// hubToken is the token that a session's hub knows. It is worth nothing anywhere else.
const hubToken = "hf_known_to_the_sessions_hub_only"

// A hub is the Hugging Face Hub of one session.
type hub struct {
	server *hubserver.Server
}

// hubCommand plays the Hugging Face Hub (see package hubserver):
//
//	hub start [-page N] [-nocdn]    start it. $HF_ENDPOINT becomes its address, $HUB_CDN that of its second origin, and $HUB_TOKEN the
//	                                token that it knows; a session that has it sets HF_TOKEN. -page: entries of a page of a
//	                                listing, for 3. -nocdn: large files come from the hub itself
//	hub repo NAME [REPOSITORY]      make the repository org/model, datasets/org/data or spaces/org/app, to be cloned from and pushed
//	                                to at $HF_ENDPOINT/NAME; with the branches, tags and LFS objects of a repository of the session.
//	                                Once more for what has changed since
//	hub access NAME ACCESS          public, private, gated (who has the token is let in) or denied (nobody is)
//	hub rename NAME NAME            give a repository another name
//	hub fault [-times N] KIND TARGET [ARGUMENT...]   do something wrong, N times or always: see hubserver.Fault for what
//	hub fault none                  do everything right again
//	hub log                         print the requests so far: see hubserver.Request
//	hub asked N PATTERN             want N requests whose line matches the pattern
//	hub sent N [PATTERN]            want N bytes to have been sent, in answers to requests that match; N may be 20k or 3M
//	hub forget                      forget the requests so far
//	hub client                      have the Hub's own client, hf, on PATH. First: [!hf] skip
//	hub stop                        be gone
//
// A number N that is looked for may also be <N or >N.
func hubCommand(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(hubKey{}).(*hub)
	if neg || len(args) == 0 || h.server == nil && args[0] != "start" && args[0] != "client" {
		ts.Fatalf("usage: hub start, and then: hub repo|access|rename|fault|log|asked|sent|forget|client|stop ...")
	}
	name, args := args[0], args[1:]
	switch {
	case name == "start":
		h.start(ts, args)
	case name == "client" && len(args) == 0:
		hubClient(ts)
	case name == "repo" && len(args) == 1:
		ts.Check(h.server.Create(context.Background(), args[0]))
	case name == "repo" && len(args) == 2:
		ts.Check(h.server.Publish(context.Background(), args[0], ts.MkAbs(args[1])))
	case name == "access" && len(args) == 2:
		access, ok := map[string]hubserver.Access{"public": hubserver.Public, "private": hubserver.Private,
			"gated": hubserver.Gated, "denied": hubserver.Denied}[args[1]]
		if !ok {
			ts.Fatalf("unknown access %q", args[1])
		}
		ts.Check(h.server.SetAccess(args[0], access))
	case name == "rename" && len(args) == 2:
		ts.Check(h.server.Rename(args[0], args[1]))
	case name == "fault":
		h.fault(ts, args)
	case name == "log" && len(args) == 0:
		for _, r := range h.server.Log() {
			fmt.Fprintln(ts.Stdout(), r)
		}
	case name == "asked" && len(args) == 2:
		requests, _ := h.matching(ts, args[1])
		wantNumber(ts, h.server, requests, args[0])
	case name == "sent" && (len(args) == 1 || len(args) == 2):
		_, sent := h.matching(ts, strings.Join(args[1:], ""))
		wantNumber(ts, h.server, sent, args[0])
	case name == "forget" && len(args) == 0:
		h.server.ClearLog()
	case name == "stop" && len(args) == 0:
		ts.Check(h.server.Close())
	default:
		ts.Fatalf("unknown: hub %s %s", name, strings.Join(args, " "))
	}
}

func (h *hub) start(ts *testscript.TestScript, args []string) {
	o := hubserver.Options{Token: hubToken}
	flags := flag.NewFlagSet("hub start", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&o.PageSize, "page", 0, "")
	flags.BoolVar(&o.NoCDN, "nocdn", false, "")
	ts.Check(flags.Parse(args))
	if h.server != nil {
		ts.Fatalf("the hub has been started")
	}
	server, err := hubserver.Start(filepath.Join(ts.Getenv("WORK"), ".hub"), o)
	ts.Check(err)
	h.server = server
	ts.Defer(func() { server.Close() })
	ts.Setenv("HF_ENDPOINT", server.Endpoint())
	ts.Setenv("HUB_CDN", server.CDN())
	ts.Setenv("HUB_TOKEN", hubToken)
}

func (h *hub) fault(ts *testscript.TestScript, args []string) {
	if len(args) == 1 && args[0] == "none" {
		h.server.ClearFaults()
		return
	}
	var f hubserver.Fault
	flags := flag.NewFlagSet("hub fault", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&f.Times, "times", 0, "")
	ts.Check(flags.Parse(args))
	if flags.NArg() < 2 {
		ts.Fatalf("usage: hub fault [-times N] KIND TARGET [ARGUMENT...]")
	}
	f.Kind, f.Target, f.Argument = hubserver.Kind(flags.Arg(0)), flags.Arg(1), strings.Join(flags.Args()[2:], " ")
	ts.Check(h.server.AddFault(f))
}

// matching counts the requests whose line matches a pattern, and what was sent in answer to them.
func (h *hub) matching(ts *testscript.TestScript, pattern string) (requests, sent int) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	for _, r := range h.server.Log() {
		if re.MatchString(r.String()) {
			requests++
			sent += int(r.Sent)
		}
	}
	return requests, sent
}

// wantNumber fails the script, showing the log, unless a number is the one wanted.
func wantNumber(ts *testscript.TestScript, s *hubserver.Server, got int, want string) {
	number := strings.TrimLeft(want, "<>")
	n, err := parseSize(number)
	ts.Check(err)
	wanted := map[string]int{"": 0, "<": -1, ">": 1}
	if order, ok := wanted[strings.TrimSuffix(want, number)]; !ok || cmp.Compare(got, n) != order {
		for _, r := range s.Log() {
			ts.Logf("%s", r)
		}
		ts.Fatalf("%d, want %s", got, want)
	}
}

// hubClient puts hf beside the programs under test: its own folder holds a Python too, which nobody asked for.
func hubClient(ts *testscript.TestScript) {
	env, err := hubClientInto(context.Background(), filepath.Join(ts.Getenv("WORK"), "usr", "bin"))
	ts.Check(err)
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		ts.Setenv(name, value)
	}
}

// hubClientInto puts hf into a folder, and returns what its environment needs besides: it must speak of nothing but its work, and
// ask nobody but the hub.
func hubClientInto(ctx context.Context, dir string) (env []string, err error) {
	bin, err := venv.HuggingFaceHub().Bin(ctx)
	if err != nil {
		return nil, err
	}
	name := "hf"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := linkOrCopy(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	return []string{"HF_HUB_DISABLE_UPDATE_CHECK=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1"}, nil
}
