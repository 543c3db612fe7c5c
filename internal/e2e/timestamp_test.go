package e2e

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// tsaKey is where a session keeps its timestamp authorities, by name.
type tsaKey struct{}

// tsaCommand makes the command that plays RFC 3161 timestamp authorities:
//
//	tsa serve NAME FILE                     start one, and write its root certificate into FILE; $TSA is its URL
//	tsa backdate NAME DAYS CERT SIGNATURE   put a signature by CERT.pem and CERT-key.pem, timestamped so many days ago, in the place of that in SIGNATURE, over the same statement
func tsaCommand(t testing.TB) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		known := ts.Value(tsaKey{}).(map[string]*verifytest.TimestampAuthority)
		switch {
		case !neg && len(args) == 3 && args[0] == "serve":
			known[args[1]] = verifytest.NewTimestampAuthority(t, args[1])
			ts.Setenv("TSA", known[args[1]].Serve(t))
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), verifytest.PEM(known[args[1]].Certificate), 0o666))
		case !neg && len(args) == 5 && args[0] == "backdate" && known[args[1]] != nil:
			days, err := strconv.Atoi(args[2])
			ts.Check(err)
			backdate(t, ts, known[args[1]], time.Now().AddDate(0, 0, -days), ts.MkAbs(args[3]), ts.MkAbs(args[4]))
		default:
			ts.Fatalf("usage: tsa serve|backdate ...")
		}
	}
}

func backdate(t testing.TB, ts *testscript.TestScript, tsa *verifytest.TimestampAuthority, at time.Time, cert, signature string) {
	raw, err := os.ReadFile(signature)
	ts.Check(err)
	b, err := oms.ParseBundle(raw)
	ts.Check(err)
	leaf, err := os.ReadFile(cert + ".pem")
	ts.Check(err)
	text, err := os.ReadFile(cert + "-key.pem")
	ts.Check(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	block, _ = pem.Decode(leaf)
	b.MediaType, b.Material, b.Certificates[0] = "", oms.MaterialCertificate, block.Bytes
	b.Signature = verifytest.Sign(t, key.(*ecdsa.PrivateKey), oms.PAE(oms.PayloadType, b.Payload))
	b.Timestamps = [][]byte{tsa.StampAt(t, b.Signature, at)}
	out, err := oms.EncodeBundle(*b)
	ts.Check(err)
	ts.Check(os.WriteFile(signature, out, 0o666))
}

// TestInteropTimestamp signs with timestamps and has the reference signer verify.
func TestInteropTimestamp(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	if err := writePKI(p.path("ca")); err != nil {
		t.Fatal(err)
	}
	tsa := verifytest.NewTimestampAuthority(t, "tsa").Serve(t)
	model, sig := p.path("model"), p.path("model.sig")
	p.ours("sign", "--private-key", p.path("ca/leaf-key.pem"), "--signing-certificate", p.path("ca/leaf.pem"),
		"--certificate-chain", p.path("ca/intermediate.pem"), "--timestamp-server-url", tsa, "--signature", sig, model)
	p.theirs("verify", "certificate", "--certificate_chain", p.path("ca/root.pem"), "--signature", sig, model)
	p.ours("sign", "--private-key", p.path("key.pem"), "--timestamp-server-url", tsa, "--signature", sig, model)
	p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, model)
	if b, err := os.ReadFile(sig); err != nil || !strings.Contains(string(b), "rfc3161Timestamps") {
		t.Errorf("the signature has no timestamp: %v", err)
	}
}
