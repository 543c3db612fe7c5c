// Sigstore-kms-gcpkms lets programs that know Sigstore's plugin protocol sign with keys of Google Cloud KMS.
package main

import (
	"context"
	"os"

	_ "github.com/sigstore/sigstore/pkg/signature/kms/gcp" // registers gcpkms://

	"github.com/git-model-sign/git-model-sign/kms/internal/plugin"
)

func main() {
	os.Exit(plugin.Run(context.Background(), "gcpkms://", os.Args, os.Stdin, os.Stdout, os.Stderr))
}
