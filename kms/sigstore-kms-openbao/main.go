// Sigstore-kms-openbao lets programs that know Sigstore's plugin protocol sign with keys in the transit engine of OpenBao.
package main

import (
	"context"
	"os"

	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault" // registers openbao://

	"github.com/git-model-sign/git-model-sign/kms/internal/plugin"
)

func main() {
	os.Exit(plugin.Run(context.Background(), "openbao://", os.Args, os.Stdin, os.Stdout, os.Stderr))
}
