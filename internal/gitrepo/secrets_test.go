package gitrepo

import (
	"os"
	"slices"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// TestConfigVariable reads the configuration that git goes by, whatever file the one command git config is pointed to.
func TestConfigVariable(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Git(dir, "config", "modelsign.require", "true")
	t.Setenv("GIT_CONFIG", os.DevNull)
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if value, set, err := r.ConfigGet(t.Context(), "modelsign.require"); value != "true" || !set || err != nil {
		t.Errorf("a value: %q, %v, %v; want true", value, set, err)
	}
	section, err := r.ConfigSection(t.Context(), "modelsign")
	if err != nil {
		t.Fatal(err)
	}
	if keys := section.Keys(); len(keys) != 1 {
		t.Errorf("a section: %v; want one key", keys)
	}
}

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
