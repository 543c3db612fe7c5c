package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

func config(values map[string][]string) func(string) []string {
	return func(name string) []string { return values[name] }
}

func TestFromConfig(t *testing.T) {
	abs := filepath.Join(t.TempDir(), "key.pub")
	p, err := policy.FromConfig(config(map[string][]string{
		"publickey": {"/gone", "", abs}, "usestaging": {"yes"}, "mode": {"off", "warn"}, "require": {"true"},
		"firstuse": {"ask"}, "onfailure": {"quarantine"}, "knownsigners": {abs},
	}))
	want := policy.Policy{Trust: policy.Trust{PublicKeys: []string{abs}, Staging: true}, Mode: policy.ModeWarn, Require: true,
		FirstUse: policy.AskFirst, OnFailure: policy.OnFailureQuarantine, KnownSigners: abs}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, %v\nwant %+v", p, err, want)
	}
	p, err = policy.FromConfig(config(nil))
	want = policy.Policy{Mode: policy.ModeEnforce, FirstUse: policy.AcceptNew, OnFailure: policy.OnFailureFail}
	if err != nil || !reflect.DeepEqual(p, want) || !p.Trust.Empty() {
		t.Errorf("no configuration: %+v, %v", p, err)
	}
}

// What is not understood is never taken for something weaker.
func TestFromConfigRefuses(t *testing.T) {
	abs := filepath.Join(t.TempDir(), "key.pub")
	for name, c := range map[string]struct {
		values map[string][]string
		names  string
	}{
		"key, relative":           {map[string][]string{"publickey": {"keys/trusted.pem"}}, "keys/trusted.pem"},
		"chain, relative":         {map[string][]string{"certificatechain": {"keys/trusted.pem"}}, "keys/trusted.pem"},
		"root, relative":          {map[string][]string{"trustedroot": {"keys/trusted.pem"}}, "keys/trusted.pem"},
		"trust config, relative":  {map[string][]string{"trustconfig": {"keys/trusted.pem"}}, "keys/trusted.pem"},
		"known signers, relative": {map[string][]string{"knownsigners": {"known"}}, "known"},
		"staging":                 {map[string][]string{"usestaging": {"maybe"}}, "maybe"},
		"require":                 {map[string][]string{"require": {"sometimes"}}, "sometimes"},
		"mode":                    {map[string][]string{"mode": {"enforced"}}, `"enforced", expected one of enforce, warn, off`},
		"mode, in capitals":       {map[string][]string{"mode": {"OFF"}}, `"OFF"`},
		"mode, empty":             {map[string][]string{"mode": {""}}, `""`},
		"mode, the last counts":   {map[string][]string{"mode": {"off", "of"}}, `"of"`},
		"first use":               {map[string][]string{"firstuse": {"no"}}, `"no", expected one of accept-new, ask, strict, off`},
		"on failure":              {map[string][]string{"onfailure": {"delete"}}, `"delete"`},
		"identity alone":          {map[string][]string{"identity": {"a@example.com"}}, "identityProvider"},
		"expression alone":        {map[string][]string{"identityregexp": {".*"}}, "identityProvider"},
		"provider alone":          {map[string][]string{"identityprovider": {"https://issuer.example"}}, "https://issuer.example"},
		"three words":             {map[string][]string{"identity": {"a b c"}, "identityprovider": {"d"}}, `"a b c"`},
		"blank":                   {map[string][]string{"identity": {" "}, "identityprovider": {"d"}}, `" "`},
		"which provider for which": {map[string][]string{"identity": {"a@example.com", "b@example.com"},
			"identityprovider": {"https://one.example", "https://two.example"}}, "several providers"},
		"which provider for which, mixed": {map[string][]string{"identity": {"a@example.com"}, "identityregexp": {".*"},
			"identityprovider": {"https://one.example", "https://two.example"}}, "several providers"},
		"both kinds of provider": {map[string][]string{"identity": {"a"}, "identityprovider": {"https://one.example"},
			"identityproviderregexp": {".*"}}, "identityProviderRegexp"},
		"provider expression alone": {map[string][]string{"identityproviderregexp": {".*"}}, "identityProviderRegexp"},
		"which expression for which": {map[string][]string{"identity": {"a@example.com", "b@example.com"},
			"identityproviderregexp": {"https://one.*", "https://two.*"}}, "several providers"},
		"threshold, a word":        {map[string][]string{"threshold": {"two"}, "publickey": {abs, abs + "2"}}, `"two", expected a number`},
		"threshold, empty":         {map[string][]string{"threshold": {"2", ""}, "publickey": {abs, abs + "2"}}, `"", expected a number`},
		"threshold, negative":      {map[string][]string{"threshold": {"-1"}, "publickey": {abs}}, `"-1"`},
		"threshold, a fraction":    {map[string][]string{"threshold": {"1.5"}, "publickey": {abs, abs + "2"}}, `"1.5"`},
		"threshold, huge":          {map[string][]string{"threshold": {"65"}, "certificatechain": {abs}}, `"65"`},
		"threshold of nobody":      {map[string][]string{"threshold": {"1"}}, "nobody is named"},
		"threshold, out of reach":  {map[string][]string{"threshold": {"2"}, "publickey": {abs}}, "no more than 1"},
		"threshold, one key twice": {map[string][]string{"threshold": {"2"}, "publickey": {abs, abs}}, "no more than 1"},
		"threshold, one person":    {map[string][]string{"threshold": {"2"}, "identity": {"a@x p", "A@X p"}}, "no more than 1"},
		"workflow of nobody":       {map[string][]string{"githubworkflowref": {"refs/heads/main"}}, "ref refs/heads/main"},
		"workflow of a key":        {map[string][]string{"githubworkflowtrigger": {"push"}, "publickey": {abs}}, "trigger push"},
	} {
		if _, err := policy.FromConfig(config(c.values)); !errors.Is(err, policy.ErrConfig) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v, want ErrConfig that names %s", name, err, c.names)
		}
	}
}

func TestThreshold(t *testing.T) {
	abs := filepath.Join(t.TempDir(), "key.pub")
	for name, c := range map[string]struct {
		values  map[string][]string
		want    int
		require bool
	}{
		"none":               {map[string][]string{"publickey": {abs}}, 0, false},
		"taken back":         {map[string][]string{"threshold": {"2", "0"}}, 0, false},
		"one":                {map[string][]string{"threshold": {"1"}, "publickey": {abs}}, 1, true},
		"the last counts":    {map[string][]string{"threshold": {"3", "2"}, "publickey": {abs}, "identity": {"a@x p"}}, 2, true},
		"any by a authority": {map[string][]string{"threshold": {"64"}, "certificatechain": {abs}}, 64, true},
		"any by expression":  {map[string][]string{"threshold": {"5"}, "identityregexp": {".* p"}}, 5, true},
		"any by provider":    {map[string][]string{"threshold": {"2"}, "identity": {"a@x"}, "identityproviderregexp": {".*"}}, 2, true},
		"without require":    {map[string][]string{"threshold": {"1"}, "publickey": {abs}, "require": {"false"}}, 1, false},
	} {
		p, err := policy.FromConfig(config(c.values))
		if err != nil || p.Threshold != c.want || p.Require != c.require {
			t.Errorf("%s: %d, require %v, %v; want %d, %v", name, p.Threshold, p.Require, err, c.want, c.require)
		}
	}
}

func TestIdentities(t *testing.T) {
	const one, two = "https://one.example", "https://two.example"
	workflow := verify.Workflow{Repository: "org/model", Ref: "main", Trigger: "push", Name: "Sign", SHA: "ab"}
	for name, c := range map[string]struct {
		values map[string][]string
		want   []verify.Identity
	}{
		"one": {map[string][]string{"identity": {"a"}, "identityprovider": {one}}, []verify.Identity{{ID: "a", Issuer: one}}},
		"several with one provider": {map[string][]string{"identity": {"a", "b"}, "identityprovider": {one}},
			[]verify.Identity{{ID: "a", Issuer: one}, {ID: "b", Issuer: one}}},
		"the same provider twice": {map[string][]string{"identity": {"a", "b"}, "identityprovider": {one, one}},
			[]verify.Identity{{ID: "a", Issuer: one}, {ID: "b", Issuer: one}}},
		"taken back":                  {map[string][]string{"identity": {"a", "", "b"}, "identityprovider": {one}}, []verify.Identity{{ID: "b", Issuer: one}}},
		"the last provider":           {map[string][]string{"identity": {"a"}, "identityprovider": {one, two}}, []verify.Identity{{ID: "a", Issuer: two}}},
		"another provider after none": {map[string][]string{"identity": {"a", "b"}, "identityprovider": {one, "", two}}, []verify.Identity{{ID: "a", Issuer: two}, {ID: "b", Issuer: two}}},
		"each with its own":           {map[string][]string{"identity": {"a " + one, "b\t" + two}}, []verify.Identity{{ID: "a", Issuer: one}, {ID: "b", Issuer: two}}},
		"one with its own": {map[string][]string{"identity": {"a", "b " + two}, "identityprovider": {one}},
			[]verify.Identity{{ID: "a", Issuer: one}, {ID: "b", Issuer: two}}},
		"expressions": {map[string][]string{"identity": {"a"}, "identityregexp": {"b.*", "c.* " + two}, "identityprovider": {one}},
			[]verify.Identity{{ID: "a", Issuer: one}, {Regexp: "b.*", Issuer: one}, {Regexp: "c.*", Issuer: two}}},
		"a provider by expression": {map[string][]string{"identity": {"a", "b " + two}, "identityproviderregexp": {"o.*", "p.*", "", "q.*"}},
			[]verify.Identity{{ID: "a", IssuerRegexp: "q.*"}, {ID: "b", Issuer: two}}},
		"an expression in place of a provider": {map[string][]string{"identity": {"a"}, "identityprovider": {one, ""}, "identityproviderregexp": {"q.*"}},
			[]verify.Identity{{ID: "a", IssuerRegexp: "q.*"}}},
		"a workflow": {map[string][]string{"identity": {"a"}, "identityregexp": {"b " + two}, "identityprovider": {one},
			"githubworkflowrepository": {"x/y", "org/model"}, "githubworkflowref": {"main"}, "githubworkflowtrigger": {"push"}, "githubworkflowname": {"Sign"}, "githubworkflowsha": {"ab"}},
			[]verify.Identity{{ID: "a", Issuer: one, Workflow: workflow}, {Regexp: "b", Issuer: two, Workflow: workflow}}},
		"a workflow, taken back":         {map[string][]string{"identity": {"a " + one}, "githubworkflowref": {"main", ""}}, []verify.Identity{{ID: "a", Issuer: one}}},
		"a general provider beside keys": {map[string][]string{"publickey": {filepath.Join(t.TempDir(), "k")}, "identityprovider": {one}}, nil},
	} {
		p, err := policy.FromConfig(config(c.values))
		if err != nil || !slices.Equal(p.Trust.Identities, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, p.Trust.Identities, err, c.want)
		}
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
		t.Fatalf("two keys: %v, %v", verifiers, err)
	}
	// A timestamp is no reason to ask the network for an instance that nobody has named.
	nobody, err := verify.NewTimestampAuthorities(nil, nil)
	if k, isKey := verifiers[0].(*verify.Key); err != nil || !isKey || !reflect.DeepEqual(k.Timestamps, nobody) {
		t.Errorf("a key's timestamps are believed of %+v, want of %+v", k.Timestamps, nobody)
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
		"identity alone":          {policy.Trust{Identities: []verify.Identity{{ID: "a@example.com"}}}, policy.ErrConfig},
		"provider alone":          {policy.Trust{Identities: []verify.Identity{{Issuer: "https://issuer.example"}}}, policy.ErrConfig},
		"an expression":           {policy.Trust{Identities: []verify.Identity{{Regexp: "a)|(b", Issuer: "https://b"}}}, policy.ErrConfig},
		"a root that is none":     {policy.Trust{Identities: []verify.Identity{{ID: "a", Issuer: "https://b"}}, TrustedRoot: garbage}, policy.ErrConfig},
	} {
		if v, err := test.trust.Verifiers(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v; want %v", name, v, err, test.want)
		}
	}
}
