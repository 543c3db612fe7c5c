// Package kms signs with keys that key services hold: AWS KMS, Google Cloud KMS, Azure Key Vault, HashiCorp Vault and others.
//
// It knows none of them. A key awskms://... is asked for by a program sigstore-kms-awskms on PATH, in Sigstore's plugin
// protocol (github.com/sigstore/sigstore, pkg/signature/kms/cliplugin): a request in JSON as an argument, an answer in JSON
// on standard output. So this program carries no cloud's libraries; the folder kms of this repository has the plugins for
// the services that Sigstore has packages for. What a plugin answers is bounded and judged, and its signature is verified
// by whoever asked.
package kms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/secretenv"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Errors that callers tell apart.
var (
	// ErrNoPlugin: no program for the scheme is on PATH.
	ErrNoPlugin = errors.New("no plugin for this kind of key")
	// ErrService: the plugin, or the key service, refused or failed.
	ErrService = errors.New("key service failed")
)

// reference is the form of a key's URI.
var reference = regexp.MustCompile(`^([a-z][a-z0-9-]{0,31})://[!-~]+$`)

// maxURI is the longest URI, in bytes.
const maxURI = 4096

// IsURI says whether what an option names is the URI of a key with a key service, and not a file.
func IsURI(s string) bool { return strings.Contains(s, "://") }

// Plugin is the name of the program that has a URI's keys, or "" for what is no such URI.
func Plugin(uri string) string {
	m := reference.FindStringSubmatch(uri)
	if m == nil || len(uri) > maxURI {
		return ""
	}
	return cliplugin.PluginBinaryPrefix + m[1]
}

// Key is a key of a key service.
type Key struct {
	program string
	uri     string
	public  crypto.PublicKey
	hash    crypto.Hash
}

// Open asks the service for the public key of the key that a URI names.
func Open(ctx context.Context, uri string) (*Key, error) {
	name := Plugin(uri)
	if name == "" {
		return nil, fmt.Errorf("%w: expected SERVICE://KEY", ErrNoPlugin)
	}
	program, err := exec.LookPath(name) // never one of the current folder
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not on PATH", ErrNoPlugin, name)
	}
	k := &Key{program: program, uri: uri, hash: crypto.SHA256}
	answer, err := k.ask(ctx, nil, &common.MethodArgs{
		MethodName: common.PublicKeyMethodName,
		PublicKey:  &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}},
	})
	switch {
	case err != nil:
		return nil, err
	case answer.PublicKey == nil:
		return nil, fmt.Errorf("%w: %s answered no public key", ErrService, name)
	}
	block, _ := pem.Decode(answer.PublicKey.PublicKeyPEM)
	if block == nil {
		return nil, fmt.Errorf("%w: %s answered no public key in PEM", ErrService, name)
	}
	if k.public, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("%w: %s answered a public key that is not well formed: %s", ErrService, name, plain.Line(err.Error()))
	}
	if public, ok := k.public.(*ecdsa.PublicKey); ok {
		if hash, ok := verify.Hash(public); ok {
			k.hash = hash
		}
	}
	return k, nil
}

// Public is the public half.
func (k *Key) Public() crypto.PublicKey { return k.public }

// SignDigest has the service sign a digest, and returns the signature as it came.
func (k *Key) SignDigest(ctx context.Context, digest []byte) ([]byte, error) {
	answer, err := k.ask(ctx, digest, &common.MethodArgs{
		MethodName: common.SignMessageMethodName,
		SignMessage: &common.SignMessageArgs{SignOptions: &common.SignOptions{
			MessageOptions: common.MessageOptions{Digest: &digest, HashFunc: &k.hash},
		}},
	})
	switch {
	case err != nil:
		return nil, err
	case answer.SignMessage == nil:
		return nil, fmt.Errorf("%w: %s answered no signature", ErrService, Plugin(k.uri))
	}
	return answer.SignMessage.Signature, nil
}

const (
	// maxAnswer is the longest answer that is read, in bytes.
	maxAnswer = 1 << 20
	// timeout is how long a service may take for one request: somebody may have to approve it.
	timeout = 2 * time.Minute
)

// ask starts the plugin for one request.
func (k *Key) ask(ctx context.Context, stdin []byte, args *common.MethodArgs) (*common.PluginResp, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	_, id, _ := strings.Cut(k.uri, "://")
	request, err := json.Marshal(common.PluginArgs{
		InitOptions: &common.InitOptions{
			ProtocolVersion: common.ProtocolVersion, KeyResourceID: id, HashFunc: k.hash, RPCOptions: &common.RPCOptions{},
		},
		MethodArgs: args,
	})
	if err != nil {
		return nil, err
	}
	var stdout, stderr limited
	cmd := exec.CommandContext(ctx, k.program, common.ProtocolVersion, string(request))
	cmd.Env = secretenv.Without(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(stdin), &stdout, &stderr, time.Second
	failed := cmd.Run()
	if errors.Is(failed, exec.ErrWaitDelay) { // it is done, and left something running that has its output
		failed = nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrService, Plugin(k.uri), cause)
	}
	answer := new(common.PluginResp)
	err = strict.Unmarshal(stdout.kept.Bytes(), answer)
	switch {
	case err == nil && answer.ErrorMessage != "":
		return nil, fmt.Errorf("%w: %s says: %s", ErrService, Plugin(k.uri), plain.Line(answer.ErrorMessage))
	case failed != nil:
		return nil, fmt.Errorf("%w: %s: %w: %s", ErrService, Plugin(k.uri), failed, plain.Line(stderr.kept.String()))
	case err != nil:
		return nil, fmt.Errorf("%w: %s answered what is no JSON of its protocol", ErrService, Plugin(k.uri))
	}
	return answer, nil
}

// limited keeps the first maxAnswer bytes of what is written to it.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if room := maxAnswer - l.kept.Len(); room > 0 {
		l.kept.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
