package gitrepo

import (
	"slices"
	"testing"
)

// TestSecrets keeps what is for this program alone from git, and so from hooks and filters.
func TestSecrets(t *testing.T) {
	env := []string{"MODELSIGN_PASSPHRASE=a", "MODELSIGN_PIN=b", "SIGSTORE_ID_TOKEN=c", "MODELSIGN_CLIENT_SECRET=d", "MODELSIGN_HASH_BACKEND=e"}
	for name, got := range map[string][]string{"reading": readEnv(env), "writing": writeEnv(readEnv(env))} {
		if !slices.Contains(got, "MODELSIGN_HASH_BACKEND=e") {
			t.Errorf("%s: more than secrets is kept back: %q", name, got)
		}
		for _, secret := range env[:4] {
			if slices.Contains(got, secret) {
				t.Errorf("%s: git sees %s", name, secret)
			}
		}
	}
}
