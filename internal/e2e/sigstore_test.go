package e2e

import (
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// instancesKey is where a session keeps its Sigstore instances, by name.
type instancesKey struct{}

// sigstoreCommand makes the command that plays a Sigstore instance without servers:
//
//	sigstore root INSTANCE FILE                       write the instance's trusted root; the first mention makes the instance
//	sigstore serve INSTANCE FILE                      start the instance's services and an issuer, and write the client trust config; $ISSUER is the issuer's URL
//	sigstore fail INSTANCE TEXT                       have its log answer with this trouble, or with an empty TEXT no longer
//	sigstore token FILE CLAIM=VALUE...                write a token of the issuer's, with these claims in place of its own
//	sigstore refuse WORD                              have the issuer answer whoever signs in with this error, such as access_denied
//	sigstore issuer deviceless                        have the issuer know no device flow
//	sigstore logged INSTANCE NUMBER                   hold its log to a number of entries
//	sigstore resign INSTANCE IDENTITY PROVIDER FILE [CLAIM=VALUE...]
//	                                                  put a signature of that identity in the place of the one in FILE, over the same statement;
//	                                                  its certificate has the claims that Fulcio numbers so, such as 5=org/model
//
// Who comes to the issuer has signed in as alice@example.com; $BROWSE is a command that goes there, for BROWSER.
func sigstoreCommand(t testing.TB) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: sigstore root|serve|fail|token|refuse|logged|resign ...")
		}
		switch in := ts.Value(signInKey{}).(*signIn); {
		case args[0] == "token":
			in.mint(ts, args[1], args[2:])
			return
		case args[0] == "refuse" && len(args) == 2:
			in.issuer.Refuse(args[1])
			return
		case args[0] == "issuer" && len(args) == 2 && args[1] == "deviceless":
			in.issuer.Deviceless()
			return
		case args[0] == "serve" && len(args) == 3:
			in.serve(t, ts, instance(t, ts, args[1]), args[1], args[2])
			return
		case args[0] == "fail" && len(args) == 3:
			in.servers[args[1]].Fail(args[2])
			return
		case args[0] == "logged" && len(args) == 3:
			if n := in.servers[args[1]].Logged(); strconv.Itoa(n) != args[2] {
				ts.Fatalf("%d entries are logged, want %s", n, args[2])
			}
			return
		}
		instance := instance(t, ts, args[1])
		switch {
		case args[0] == "root" && len(args) == 3:
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), instance.TrustedRoot(t, false), 0o666))
		case args[0] == "resign" && len(args) >= 5:
			file := ts.MkAbs(args[4])
			raw, err := os.ReadFile(file)
			ts.Check(err)
			b, err := oms.ParseBundle(raw)
			ts.Check(err)
			signer := instance.JobSigner(t, args[2], args[3], claims(ts, args[5:]))
			ts.Check(os.WriteFile(file, signer.Bundle(t, b.Payload), 0o666))
		default:
			ts.Fatalf("sigstore: %q is not understood", args)
		}
	}
}

// claims are what a certificate says besides, by Fulcio's numbers.
func claims(ts *testscript.TestScript, pairs []string) map[int]string {
	claims := make(map[int]string)
	for _, pair := range pairs {
		number, value, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(number)
		ts.Check(err)
		claims[n] = value
	}
	return claims
}

// instance is a session's instance of that name.
func instance(t testing.TB, ts *testscript.TestScript, name string) *verifytest.Instance {
	instances := ts.Value(instancesKey{}).(map[string]*verifytest.Instance)
	if instances[name] == nil {
		instances[name] = verifytest.NewInstance(t)
	}
	return instances[name]
}

// signInKey is where a session keeps what somebody signs in at.
type signInKey struct{}

// signIn is the services of a session's instances, and the issuer that they share.
type signIn struct {
	servers map[string]*verifytest.Server
	issuer  *issuer.Issuer
}

func (in *signIn) serve(t testing.TB, ts *testscript.TestScript, instance *verifytest.Instance, name, file string) {
	if in.issuer == nil {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		in.issuer, err = issuer.New("http://"+listener.Addr().String(), issuer.Person("alice@example.com"))
		ts.Check(err)
		server := &http.Server{Handler: in.issuer.Handler(), ReadHeaderTimeout: time.Minute}
		go server.Serve(listener)
		ts.Defer(func() { server.Close() })
		in.servers = make(map[string]*verifytest.Server)
	}
	in.servers[name] = instance.Serve(t)
	ts.Setenv("ISSUER", in.issuer.URL)
	ts.Check(os.WriteFile(ts.MkAbs(file), in.servers[name].TrustConfig(t, in.issuer.URL), 0o666))
}

// mint writes a token. A claim without a value is left out.
func (in *signIn) mint(ts *testscript.TestScript, file string, pairs []string) {
	claims := make(map[string]any)
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if claims[name] = value; value == "" {
			claims[name] = nil
		}
		if value == "true" || value == "false" {
			claims[name] = value == "true"
		}
		if n, err := strconv.Atoi(value); err == nil {
			claims[name] = n
		}
	}
	token, err := in.issuer.Mint(claims)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(token+"\n"), 0o666))
}
