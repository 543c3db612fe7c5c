package secretenv

import (
	"slices"
	"testing"
)

func TestWithout(t *testing.T) {
	env := []string{"PATH=/bin", "MODELSIGN_PIN=1234", "MODELSIGN_PIN_FILE=/x", "SIGSTORE_ID_TOKEN=e", "MODELSIGN_PASSPHRASE=", "MODELSIGN_CLIENT_SECRET=s", "X"}
	given := slices.Clone(env)
	if got, want := Without(env), []string{"PATH=/bin", "MODELSIGN_PIN_FILE=/x", "X"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(env, given) {
		t.Errorf("what was given is %q now", env)
	}
}
