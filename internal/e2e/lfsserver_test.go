package e2e

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/lfsserver"
)

// A host is the server of one session. It starts when the first repository is created.
type host struct {
	server *lfsserver.Server
}

// lfsserverCommand plays the other side:
//
//	lfsserver create NAME [USER:PASSWORD]  make an empty repository; $URL becomes its address. The first one may ask for credentials
//	lfsserver fault FAULT FILE             serve the object with the bytes of FILE missing, corrupt, truncated or slow, or none again
//	lfsserver served N FILE                want the object with the bytes of FILE to have been downloaded N times
//	lfsserver served N                     want N bytes of objects to have been downloaded in all
//	lfsserver forget                       count from zero again
func lfsserverCommand(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(hostKey{}).(*host)
	if neg || len(args) == 0 || (args[0] != "create" && h.server == nil) {
		ts.Fatalf("usage: lfsserver create NAME, and then: lfsserver fault|served|forget ...")
	}
	switch {
	case args[0] == "create" && len(args) >= 2:
		h.create(ts, args[1], strings.Join(args[2:], ""))
	case args[0] == "fault" && len(args) == 3:
		fault, ok := map[string]lfsserver.Fault{"missing": lfsserver.Missing, "corrupt": lfsserver.Corrupt,
			"truncated": lfsserver.Truncated, "slow": lfsserver.Slow, "none": lfsserver.None}[args[1]]
		if !ok {
			ts.Fatalf("unknown fault %q", args[1])
		}
		h.server.SetFault(sha256Hex([]byte(ts.ReadFile(args[2]))), fault)
	case args[0] == "served" && len(args) >= 2:
		h.served(ts, args[1], args[2:])
	case args[0] == "forget":
		h.server.ResetStats()
	default:
		ts.Fatalf("unknown: lfsserver %s", strings.Join(args, " "))
	}
}

func (h *host) create(ts *testscript.TestScript, name, credentials string) {
	user, password, _ := strings.Cut(credentials, ":")
	if h.server == nil {
		server, err := lfsserver.Start(filepath.Join(ts.Getenv("WORK"), ".host"), lfsserver.Options{User: user, Password: password})
		ts.Check(err)
		h.server = server
		ts.Defer(func() { server.Close() })
	}
	url, err := h.server.CreateRepository(context.Background(), name)
	ts.Check(err)
	if user != "" {
		url = strings.Replace(url, "://", "://"+credentials+"@", 1)
	}
	ts.Setenv("URL", url)
	ts.Setenv("BARE", h.server.RepositoryDir(name))
}

func (h *host) served(ts *testscript.TestScript, count string, files []string) {
	want, err := strconv.ParseInt(count, 10, 64)
	ts.Check(err)
	st := h.server.Stats()
	got := st.BytesServed
	if len(files) == 1 {
		got = int64(st.Downloads[sha256Hex([]byte(ts.ReadFile(files[0])))])
	}
	if got != want {
		ts.Fatalf("served %d, want %d: %+v", got, want, st)
	}
}
