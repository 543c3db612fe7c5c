package plugin_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/fake"

	"github.com/git-model-sign/git-model-sign/kms/internal/plugin"
)

// run asks a plugin for keys in memory.
func run(t *testing.T, ctx context.Context, args ...string) (answer common.PluginResp, status int, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	status = plugin.Run(ctx, fake.ReferenceScheme, append([]string{"sigstore-kms-fakekms"}, args...), strings.NewReader(""), &out, &log)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			t.Fatalf("answered %s: %v", out.Bytes(), err)
		}
	}
	return answer, status, log.String()
}

func TestSign(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest, hash := sha256.Sum256([]byte("message")), crypto.SHA256
	sum := digest[:]
	request, err := json.Marshal(common.PluginArgs{
		InitOptions: &common.InitOptions{ProtocolVersion: common.ProtocolVersion, KeyResourceID: "key", HashFunc: hash, RPCOptions: &common.RPCOptions{}},
		MethodArgs: &common.MethodArgs{MethodName: common.SignMessageMethodName, SignMessage: &common.SignMessageArgs{
			SignOptions: &common.SignOptions{MessageOptions: common.MessageOptions{Digest: &sum, HashFunc: &hash}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), fake.KmsCtxKey{}, crypto.PrivateKey(key))
	answer, status, stderr := run(t, ctx, common.ProtocolVersion, string(request))
	if status != 0 || answer.SignMessage == nil || !ecdsa.VerifyASN1(&key.PublicKey, sum, answer.SignMessage.Signature) {
		t.Errorf("answered %+v, exit status %d, %s", answer, status, stderr)
	}
}

func TestBadRequests(t *testing.T) {
	for _, request := range []string{"", "hello", "{}", `{"initOptions":{}}`, `{"initOptions":{"rpcOptions":{}}}`} {
		answer, status, _ := run(t, t.Context(), common.ProtocolVersion, request)
		if status != 1 || answer.ErrorMessage == "" {
			t.Errorf("%s: answered %+v, exit status %d", request, answer, status)
		}
	}
	if _, status, stderr := run(t, t.Context()); status != 2 || !strings.Contains(stderr, "plugin for fakekms:// keys") {
		t.Errorf("without a request: exit status %d, %s", status, stderr)
	}
}
