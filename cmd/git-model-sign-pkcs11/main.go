// Git-model-sign-pkcs11 loads PKCS #11 modules for git-model-sign, so that they run in a process of their own. It is started
// by git-model-sign and of no use by itself.
package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/git-model-sign/git-model-sign/internal/pkcs11/module"
)

func main() {
	if len(os.Args) > 1 || term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprintln(os.Stderr, "git-model-sign-pkcs11 loads PKCS #11 modules for git-model-sign, which starts it: git model-sign --private-key pkcs11:...")
		os.Exit(2)
	}
	if err := module.Serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(4)
	}
}
