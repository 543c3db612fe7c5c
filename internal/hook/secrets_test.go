package hook

import (
	"strings"
	"testing"
)

// TestGitHasNoSecrets asks git, as its aliases, filters and hooks could, for what is in its environment.
func TestGitHasNoSecrets(t *testing.T) {
	t.Setenv("MODELSIGN_PIN", "47110815")
	t.Setenv("SIGSTORE_ID_TOKEN", "47110815")
	for name, env := range map[string][]string{"ours": nil, "for anywhere": anywhere()} {
		out, err := git{dir: t.TempDir(), env: env}.output(t.Context(), "-c", "alias.told=!env", "told")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "PATH=") || strings.Contains(out, "47110815") {
			t.Errorf("the environment %s: %q", name, out)
		}
	}
	if env := strings.Join(anywhere(), "\n"); strings.Contains(env, "47110815") {
		t.Errorf("where git is run without this: %q", env)
	}
}
