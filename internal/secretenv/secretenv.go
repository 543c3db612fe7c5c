// Package secretenv keeps the secrets that users hand to this program in its
// environment from the programs that it starts: git with its hooks and filters,
// modules of security tokens, plugins of key services.
package secretenv

import (
	"slices"
	"strings"
)

// names are the variables that hold secrets for this program alone.
var names = []string{"MODELSIGN_CLIENT_SECRET", "MODELSIGN_PASSPHRASE", "MODELSIGN_PIN", "SIGSTORE_ID_TOKEN"}

// Without is an environment, as [os.Environ] has it, without those secrets. The
// one that is given stays as it is.
func Without(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}
