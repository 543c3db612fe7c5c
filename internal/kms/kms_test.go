package kms_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/git-model-sign/git-model-sign/internal/kms"
)

// Where this program is started as a plugin it answers the first request with the text of the one variable and others with
// that of the other, and writes each request into a file.
const (
	publicVariable  = "KMS_TEST_PUBLIC"
	signVariable    = "KMS_TEST_SIGN"
	requestVariable = "KMS_TEST_REQUEST"
)

func TestMain(m *testing.M) {
	file := os.Getenv(requestVariable)
	if file == "" || len(os.Args) != 3 || os.Args[1] != common.ProtocolVersion {
		os.Exit(m.Run())
	}
	environment := "secrets: " + os.Getenv("MODELSIGN_PIN") + os.Getenv("MODELSIGN_PASSPHRASE")
	if err := os.WriteFile(file, []byte(os.Args[2]+"\n"+environment), 0o600); err != nil {
		os.Exit(9)
	}
	answer := os.Getenv(publicVariable)
	if strings.Contains(os.Args[2], common.SignMessageMethodName) {
		answer = os.Getenv(signVariable)
	}
	text, status, _ := strings.Cut(answer, "|")
	if rest, ok := strings.CutPrefix(text, "CHILD"); ok { // leaves a program behind that has its output
		child := exec.Command("sleep", "120")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			os.Exit(9)
		}
		text = rest
	}
	if text == "HANG" {
		time.Sleep(30 * time.Second)
	}
	fmt.Println(strings.ReplaceAll(text, "FLOOD", strings.Repeat(" ", 2<<20)))
	if status != "" {
		fmt.Fprintln(os.Stderr, status)
		os.Exit(3)
	}
}

// plugin puts this program on PATH as the plugin for test:// and returns the file with its last request.
func plugin(t *testing.T, public, sign string) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "sigstore-kms-test")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.Symlink(program, name); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	request := filepath.Join(dir, "request")
	t.Setenv("PATH", dir)
	t.Setenv(publicVariable, public)
	t.Setenv(signVariable, sign)
	t.Setenv(requestVariable, request)
	return request
}

// answers has a plugin's answer with a new public key on a curve.
func answers(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRequests(t *testing.T) {
	t.Setenv("MODELSIGN_PIN", "4711")
	t.Setenv("MODELSIGN_PASSPHRASE", "secret")
	for hash, curve := range map[crypto.Hash]elliptic.Curve{crypto.SHA256: elliptic.P256(), crypto.SHA384: elliptic.P384(), crypto.SHA512: elliptic.P521()} {
		file := plugin(t, answers(t, curve), `{"signMessage":{"signature":"AQI="}}`)
		key, err := kms.Open(t.Context(), "test://project/key")
		if err != nil {
			t.Fatal(err)
		}
		signature, err := key.SignDigest(t.Context(), []byte("digest"))
		if err != nil || string(signature) != "\x01\x02" {
			t.Errorf("%s: signature %x, %v", hash, signature, err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line, environment, _ := strings.Cut(string(b), "\n")
		var got common.PluginArgs
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		message := got.SignMessage.SignOptions.MessageOptions
		if got.InitOptions.KeyResourceID != "project/key" || got.InitOptions.HashFunc != hash || string(*message.Digest) != "digest" || *message.HashFunc != hash {
			t.Errorf("%s: asked for %s", hash, line)
		}
		if environment != "secrets: " {
			t.Errorf("the plugin sees the %s", environment)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	good := answers(t, elliptic.P256())
	for name, c := range map[string]struct{ public, sign, want string }{
		"an error":                 {`{"errorMessage":"no\u001b[31m such\nkey"}`, "", `sigstore-kms-test says: no\x1b[31m such key`},
		"an error and a status":    {`{"errorMessage":"denied"}|log line`, "", "says: denied"},
		"a status alone":           {"|out of\x1b[31m order", "", `exit status 3: out of\x1b[31m order`},
		"nothing":                  {"", "", "no JSON"},
		"no JSON":                  {"hello", "", "no JSON"},
		"too much":                 {"FLOOD" + good, `{"signMessage":{"signature":"AQI="}}`, "no JSON"},
		"two answers":              {good + good, `{"signMessage":{"signature":"AQI="}}`, "no JSON"},
		"a member twice":           {`{"publicKey":{},` + good[1:], `{"signMessage":{"signature":"AQI="}}`, "no JSON"},
		"another method":           {`{"signMessage":{}}`, "", "answered no public key"},
		"no PEM":                   {`{"publicKey":{"publicKeyPEM":"AQI="}}`, "", "no public key in PEM"},
		"no key in PEM":            {`{"publicKey":{"publicKeyPEM":"LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KQUFBQQotLS0tLUVORCBQVUJMSUMgS0VZLS0tLS0K"}}`, "", "not well formed"},
		"an error when signing":    {good, `{"errorMessage":"denied"}`, "says: denied"},
		"no signature":             {good, `{}`, "answered no signature"},
		"no JSON when signing":     {good, `hello`, "no JSON"},
		"a status without a cause": {good, "{}|locked", "exit status 3: locked"},
	} {
		plugin(t, c.public, c.sign)
		key, err := kms.Open(t.Context(), "test://key")
		if err == nil {
			_, err = key.SignDigest(t.Context(), []byte("digest"))
		}
		if !errors.Is(err, kms.ErrService) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestNoPlugin(t *testing.T) {
	plugin(t, "", "")
	for _, uri := range []string{"other://key", "Test://key", "../test://key", "test://", "test://a key", "test://" + strings.Repeat("a", 5000)} {
		if _, err := kms.Open(t.Context(), uri); !errors.Is(err, kms.ErrNoPlugin) {
			t.Errorf("%.30s: %v", uri, err)
		}
	}
	// A program of the current folder is none, whatever PATH says.
	t.Chdir(os.Getenv("PATH"))
	t.Setenv("PATH", ".")
	if _, err := kms.Open(t.Context(), "test://key"); !errors.Is(err, kms.ErrNoPlugin) {
		t.Errorf("a plugin of the current folder is started: %v", err)
	}
}

// What a plugin leaves running is not waited for; nor is a plugin itself, by somebody who has interrupted it.
func TestPluginThatStays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no program that sleeps")
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for public, want := range map[string]error{"CHILD" + answers(t, elliptic.P256()): nil, "HANG": errInterrupted, "CHILDHANG": errInterrupted} {
		patience := time.Minute
		if want != nil {
			patience = time.Second
		}
		plugin(t, public, "")
		t.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+filepath.Dir(sleep))
		ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errInterrupted)
		start := time.Now()
		_, err := kms.Open(ctx, "test://key")
		cancel()
		if !errors.Is(err, want) || time.Since(start) > time.Minute {
			t.Errorf("%.10s: %v after %s, want %v", public, err, time.Since(start), want)
		}
	}
}

var errInterrupted = errors.New("interrupted")
