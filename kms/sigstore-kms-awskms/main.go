// Sigstore-kms-awskms lets programs that know Sigstore's plugin protocol sign with keys of AWS KMS.
package main

import (
	"context"
	"os"

	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws" // registers awskms://

	"github.com/git-model-sign/git-model-sign/kms/internal/plugin"
)

func main() {
	os.Exit(plugin.Run(context.Background(), "awskms://", os.Args, os.Stdin, os.Stdout, os.Stderr))
}
