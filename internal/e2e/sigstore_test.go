package e2e

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// instancesKey is where a session keeps its Sigstore instances, by name.
type instancesKey struct{}

// sigstoreCommand makes the command that plays a Sigstore instance without servers:
//
//	sigstore root INSTANCE FILE                       write the instance's trusted root; the first mention makes the instance
//	sigstore resign INSTANCE IDENTITY PROVIDER FILE   put a signature of that identity in the place of the one in FILE, over the same statement
func sigstoreCommand(t testing.TB) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 3 {
			ts.Fatalf("usage: sigstore root INSTANCE FILE | sigstore resign INSTANCE IDENTITY PROVIDER FILE")
		}
		instances := ts.Value(instancesKey{}).(map[string]*verifytest.Instance)
		if instances[args[1]] == nil {
			instances[args[1]] = verifytest.NewInstance(t)
		}
		instance, file := instances[args[1]], ts.MkAbs(args[len(args)-1])
		switch {
		case args[0] == "root" && len(args) == 3:
			ts.Check(os.WriteFile(file, instance.TrustedRoot(t, false), 0o666))
		case args[0] == "resign" && len(args) == 5:
			raw, err := os.ReadFile(file)
			ts.Check(err)
			b, err := oms.ParseBundle(raw)
			ts.Check(err)
			ts.Check(os.WriteFile(file, instance.Bundle(t, args[2], args[3], b.Payload), 0o666))
		default:
			ts.Fatalf("sigstore: %q is not understood", args)
		}
	}
}
