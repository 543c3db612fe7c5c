package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sign"
)

func config(values map[string][]string) func(string) []string {
	return func(name string) []string { return values[name] }
}

func TestFromConfig(t *testing.T) {
	abs := filepath.Join(t.TempDir(), "key.pub")
	trust, err := policy.FromConfig(config(map[string][]string{
		"publickey": {"", abs}, "identity": {"old@example.com", "new@example.com"},
		"identityprovider": {"https://issuer.example"}, "usestaging": {"yes"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(trust.PublicKeys, []string{abs}) || trust.Identity != "new@example.com" || !trust.Staging || trust.Empty() {
		t.Errorf("got %+v", trust)
	}
	empty, err := policy.FromConfig(config(nil))
	if err != nil || !empty.Empty() {
		t.Errorf("no configuration: %+v, %v", empty, err)
	}
}

// A relative path would be looked for in the clone, whose contents decide nothing.
func TestFromConfigRefusesRelativePaths(t *testing.T) {
	for _, key := range []string{"publickey", "certificatechain", "trustedroot", "trustconfig"} {
		_, err := policy.FromConfig(config(map[string][]string{key: {"keys/trusted.pem"}}))
		if !errors.Is(err, policy.ErrConfig) || !strings.Contains(err.Error(), "keys/trusted.pem") {
			t.Errorf("%s: %v, want ErrConfig that names the path", key, err)
		}
	}
	if _, err := policy.FromConfig(config(map[string][]string{"usestaging": {"maybe"}})); !errors.Is(err, policy.ErrConfig) {
		t.Errorf("useStaging = maybe: %v, want ErrConfig", err)
	}
}

func TestVerifiers(t *testing.T) {
	dir := t.TempDir()
	_, public, err := sign.GenerateKey("P-256", nil)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key.pub")
	garbage := filepath.Join(dir, "garbage")
	for name, b := range map[string][]byte{key: public, garbage: []byte("no PEM")} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verifiers, err := policy.Trust{PublicKeys: []string{key, key}}.Verifiers()
	if err != nil || len(verifiers) != 2 || verifiers[0].Method() != oms.MaterialKey {
		t.Errorf("two keys: %v, %v", verifiers, err)
	}
	for name, test := range map[string]struct {
		trust policy.Trust
		want  error
	}{
		"nobody":                  {policy.Trust{}, policy.ErrNoTrust},
		"an instance, nobody":     {policy.Trust{TrustedRoot: key, Staging: true}, policy.ErrNoTrust},
		"a key that is not there": {policy.Trust{PublicKeys: []string{key, filepath.Join(dir, "gone")}}, policy.ErrConfig},
		"a key that is none":      {policy.Trust{PublicKeys: []string{garbage}}, policy.ErrConfig},
		"a chain that is none":    {policy.Trust{CertificateChain: []string{garbage}}, policy.ErrConfig},
		"identity alone":          {policy.Trust{Identity: "a@example.com"}, policy.ErrConfig},
		"provider alone":          {policy.Trust{Issuer: "https://issuer.example"}, policy.ErrConfig},
		"a root that is none":     {policy.Trust{Identity: "a", Issuer: "https://b", TrustedRoot: garbage}, policy.ErrConfig},
	} {
		if v, err := test.trust.Verifiers(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v; want %v", name, v, err, test.want)
		}
	}
}
