package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

func setupKeygen(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	curve := flags.String("curve", "P-256", "the key's `CURVE`: P-256, P-384 or P-521")
	plain := flags.Bool("no-passphrase", false, "leave the private key unencrypted")
	of := flags.String("public-of", "", "make no key, and write the public half of `KEY` into <file>: a file, a pkcs11: URI or a key service's URI")

	return func(ctx context.Context, args []string) error {
		if *of != "" {
			return writePublic(ctx, *of, args, flags, t)
		}
		private := "model-sign.key"
		switch len(args) {
		case 0:
		case 1:
			private = args[0]
		default:
			return ui.Usage("", "expected one file, found %d: %s", len(args), ui.QuoteAll(args))
		}
		public := strings.TrimSuffix(private, filepath.Ext(private)) + ".pub"
		if public == private {
			return ui.Usage("name the private key, such as maintainer.key", "%s: the public key would have the same name", ui.Quote(private))
		}
		if err := absent(private, public); err != nil {
			return err
		}
		passphrase, err := newPassphrase(ctx, *plain)
		if err != nil {
			return err
		}
		privatePEM, publicPEM, err := sign.GenerateKey(*curve, passphrase)
		if err != nil {
			return ui.Usage("the curves are P-256, P-384 and P-521", "making the key: %w", err)
		}
		if err := create(private, privatePEM, 0o600); err != nil {
			return err
		}
		if err := create(public, publicPEM, 0o644); err != nil {
			os.Remove(private) // half a pair would be in the way of the next
			return err
		}
		t.Result("private key %s", ui.Quote(private))
		t.Result("public key  %s", ui.Quote(public))
		t.Hint("keep the private key secret and out of the repository; give the public key to those who verify")
		return nil
	}
}

// writePublic writes the public half of a key that is there already.
func writePublic(ctx context.Context, key string, args []string, flags *pflag.FlagSet, t *ui.Terminal) error {
	if flags.Changed("curve") || flags.Changed("no-passphrase") {
		return ui.Usage("", "--public-of makes no key, and goes with neither --curve nor --no-passphrase")
	}
	if len(args) != 1 {
		return ui.Usage("git model-sign keygen --public-of KEY maintainer.pub", "expected one file for the public key, found %d", len(args))
	}
	if err := absent(args[0]); err != nil {
		return err
	}
	signer, err := cli.OpenKey(ctx, key, t)
	if err != nil {
		return err
	}
	if err := create(args[0], verify.EncodePublicKey(signer.Public()), 0o644); err != nil {
		return err
	}
	t.Result("public key  %s", ui.Quote(args[0]))
	return nil
}

// newPassphrase asks for the passphrase of a new key, unless there is to be none.
func newPassphrase(ctx context.Context, plain bool) ([]byte, error) {
	if plain {
		return nil, nil
	}
	passphrase, err := ui.NewPassphrase(ctx, "Passphrase for the new key: ")
	switch {
	case errors.Is(err, ui.ErrNoTerminal):
		return nil, ui.Usage("set MODELSIGN_PASSPHRASE, or use --no-passphrase", "%w", err)
	case err != nil:
		return nil, ui.Usage("", "%w", err)
	case len(passphrase) == 0:
		return nil, ui.Usage("--no-passphrase leaves the key unencrypted", "the passphrase is empty")
	}
	return passphrase, nil
}

// absent refuses to write over files that are there.
func absent(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return ui.Usage("choose another name: git model-sign keygen FILE", "%s is there already, and keys are never written over", ui.Quote(name))
		}
	}
	return nil
}

// create writes a file that must not be there yet, and takes it away again
// where it cannot be written whole.
func create(name string, content []byte, perm fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return ui.Trouble("", "writing the key: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
		return ui.Trouble("", "writing the key: %w", err)
	}
	return nil
}
