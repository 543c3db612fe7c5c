// Sigstore-kms-azurekms lets programs that know Sigstore's plugin protocol sign with keys in Azure Key Vault.
package main

import (
	"context"
	"os"

	_ "github.com/sigstore/sigstore/pkg/signature/kms/azure" // registers azurekms://

	"github.com/git-model-sign/git-model-sign/kms/internal/plugin"
)

func main() {
	os.Exit(plugin.Run(context.Background(), "azurekms://", os.Args, os.Stdin, os.Stdout, os.Stderr))
}
