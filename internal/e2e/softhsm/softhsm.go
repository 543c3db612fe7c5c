// Package softhsm makes security tokens for tests: in files, by SoftHSM 2, whose keys OpenSC's pkcs11-tool makes.
package softhsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// PIN is the PIN of every token.
const PIN = "47110815"

// modules are where distributions have SoftHSM's PKCS #11 module.
var modules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"}

// Tokens are the tokens of a folder.
type Tokens struct {
	Module string // path of the PKCS #11 module
	Config string // what SOFTHSM2_CONF has to be for the module to see these tokens
}

// Find returns the path of SoftHSM's module, where it and the programs that are needed beside it are installed.
func Find() (string, error) {
	for _, program := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("a security token in software (Debian: softhsm2 and opensc): %w", err)
		}
	}
	for _, pattern := range modules {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("SoftHSM's PKCS #11 module is not where distributions have it")
}

// New makes a folder for tokens in dir.
func New(dir string) (*Tokens, error) {
	module, err := Find()
	if err != nil {
		return nil, err
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return nil, err
	}
	t := &Tokens{Module: module, Config: filepath.Join(dir, "softhsm2.conf")}
	return t, os.WriteFile(t.Config, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600)
}

// Init makes a token.
func (t *Tokens) Init(ctx context.Context, label string) error {
	return t.Run(ctx, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "00000000")
}

// Generate makes a key pair on a token. The type is pkcs11-tool's, such as EC:prime256v1; id is hexadecimal.
func (t *Tokens) Generate(ctx context.Context, token, keyType, label, id string, args ...string) error {
	return t.Tool(ctx, append([]string{"--token-label", token, "--login", "--pin", PIN, "--keypairgen", "--key-type", keyType, "--label", label, "--id", id}, args...)...)
}

// Tool runs pkcs11-tool.
func (t *Tokens) Tool(ctx context.Context, args ...string) error {
	return t.Run(ctx, "pkcs11-tool", append([]string{"--module", t.Module}, args...)...)
}

// Run runs a program that sees the tokens.
func (t *Tokens) Run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+t.Config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
