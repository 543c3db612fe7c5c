//go:build !((darwin || linux || windows) && (amd64 || arm64))

package module

import (
	"context"
	"os"
	"runtime"

	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
)

// Serve says that this system has no PKCS #11.
func Serve(context.Context) error {
	if err := pkcs11.NewLines(os.Stdin).Read(new(pkcs11.Request)); err != nil {
		return err
	}
	return pkcs11.WriteLine(os.Stdout, pkcs11.Response{Failure: &pkcs11.Failure{
		Kind: pkcs11.KindModule, Message: "modules cannot be loaded on " + runtime.GOOS + "/" + runtime.GOARCH,
	}})
}
