package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFillFrom holds what options for signing become of config: the command line comes first, what belongs together
// is taken from one place, and an empty value takes back those before it.
func TestFillFrom(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir()) + "/"
	const url = "https://example.com/org/model"
	const near = "[modelsign \"https://example.com/org\"]\n"
	pair := "[modelsign]\nprivateKey=DIR/k.pem\nsigningCertificate=DIR/c.pem\ncertificateChain=DIR/ca.pem\n"
	for name, c := range map[string]struct {
		config, args, want string
	}{
		"nothing":      {"", "", ""},
		"an instance":  {"[modelsign]\ntrustConfig=DIR/one.json\n", "", "config=one.json"},
		"staging":      {"[modelsign]\nuseStaging=true\n", "", "staging"},
		"another file": {"[modelsign]\ntrustConfig=DIR/one.json\n", "--trust-config DIR/two.json", "config=two.json"},

		// What the command line says of the instance takes the place of all that config does.
		"staging in place of a file":      {"[modelsign]\ntrustConfig=DIR/one.json\n", "--use-staging", "staging"},
		"two files in place of one":       {"[modelsign]\ntrustConfig=DIR/one.json\n", "--trusted-root DIR/root --signing-config DIR/services", "root=root services=services"},
		"a file in place of staging":      {"[modelsign]\nuseStaging=true\n", "--trust-config DIR/two.json", "config=two.json"},
		"the public one in their place":   {"[modelsign]\nuseStaging=true\n", "--use-staging=false", ""},
		"a token goes with any of config": {"[modelsign]\ntrustConfig=DIR/one.json\n", "--identity-token x", "config=one.json"},

		// The instance's keys of a URL take the place of wider ones together.
		"a URL's file in place of staging": {"[modelsign]\nuseStaging=true\n" + near + "trustConfig=DIR/one.json\n", "", "config=one.json"},
		"a URL's staging":                  {"[modelsign]\ntrustConfig=DIR/one.json\n" + near + "useStaging=true\n", "", "staging"},
		"none for a URL":                   {"[modelsign]\ntrustConfig=DIR/one.json\n" + near + "trustConfig=\n", "", ""},
		"a root to verify by":              {"[modelsign]\ntrustConfig=DIR/one.json\n" + near + "trustedRoot=DIR/root\n", "", "config=one.json"},
		"no root to verify by":             {"[modelsign]\ntrustConfig=DIR/one.json\n" + near + "trustedRoot=\n", "", ""},

		// A certificate is that of the key beside it.
		"a pair":                       {pair, "", "key=k.pem certificate=c.pem chain=ca.pem"},
		"another key":                  {pair, "--private-key DIR/o.pem", "key=o.pem"},
		"another pair":                 {pair, "--private-key DIR/o.pem --signing-certificate DIR/d.pem", "key=o.pem certificate=d.pem chain=ca.pem"},
		"another certificate":          {pair, "--signing-certificate DIR/d.pem", "key=k.pem certificate=d.pem chain=ca.pem"},
		"the certificate of no key":    {"[modelsign]\nsigningCertificate=DIR/c.pem\n", "--private-key DIR/o.pem", "key=o.pem certificate=c.pem"},
		"a key that was taken back":    {pair + near + "privateKey=\n", "--private-key DIR/o.pem", "key=o.pem certificate=c.pem chain=ca.pem"},
		"an identity in a key's place": {pair + "identityTokenFile=DIR/token\n", "--identity-token x", ""},

		// An empty value takes back those before it.
		"no key":                  {pair + near + "privateKey=\nsigningCertificate=\nidentityTokenFile=DIR/token\n", "", "token=token"},
		"no certificate":          {pair + near + "signingCertificate=\n", "", "key=k.pem"},
		"no chain":                {pair + near + "certificateChain=\n", "", "key=k.pem certificate=c.pem"},
		"another chain":           {pair + "certificateChain=\ncertificateChain=DIR/cb.pem\n", "", "key=k.pem certificate=c.pem chain=cb.pem"},
		"no token":                {"[modelsign]\nidentityTokenFile=DIR/token\n" + near + "identityTokenFile=\n", "", ""},
		"no timestamps":           {pair + "signingCertificate=\ntimestampServerUrl=https://tsa.test\n" + near + "timestampServerUrl=\n", "", "key=k.pem"},
		"no instance":             {"[modelsign]\ntrustConfig=DIR/one.json\ntrustConfig=\n", "", ""},
		"no client of one's own":  {"[modelsign]\nclientId=me\nclientId=\n", "", ""},
		"a client of one's own":   {"[modelsign]\nclientId=\nclientId=me\n", "", "client=me"},
		"timestamps":              {pair + "signingCertificate=\ntimestampServerUrl=https://tsa.test\n", "", "key=k.pem timestamps=https://tsa.test"},
		"a file by relative path": {"[modelsign]\nprivateKey=k.pem\n", "", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(c.config, "DIR/", dir)), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("GIT_CONFIG_GLOBAL", file)
			t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			config, err := LoadConfigFor(t.Context(), nil, url)
			if err != nil {
				t.Fatal(err)
			}
			var m SignMethod
			flags := pflag.NewFlagSet("sign", pflag.ContinueOnError)
			m.Register(flags)
			if err := flags.Parse(strings.Fields(strings.ReplaceAll(c.args, "DIR/", dir))); err != nil {
				t.Fatal(err)
			}
			got := "error"
			if m.FillFrom(config, flags) == nil {
				got, err = strings.ReplaceAll(m.words(), dir, ""), m.contradiction(flags)
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, err)
			}
		})
	}
}

// words says which options have a value, but for a token that was given.
func (m *SignMethod) words() string {
	staging, client := "", m.signIn.clientID
	if m.staging {
		staging = "staging"
	}
	if client == "sigstore" {
		client = ""
	}
	named := func(name string, values ...string) string {
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) == 0 {
			return ""
		}
		return name + "=" + strings.Join(values, ",")
	}
	return strings.Join(strings.Fields(strings.Join([]string{
		named("key", m.privateKey), named("certificate", m.certificate), named("chain", slices.Clone(m.chain)...),
		named("timestamps", slices.Clone(m.timestamps)...), named("token", m.signIn.tokenFile), named("client", client),
		named("config", m.trustConfig), named("root", m.trustedRoot), named("services", m.signing), staging,
	}, " ")), " ")
}
