package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

func TestDistinct(t *testing.T) {
	key := func(key string) *verify.Signer { return &verify.Signer{Method: "key", Identity: key, Key: key} }
	cert := func(subject, issuer, key string) *verify.Signer {
		return &verify.Signer{Method: "certificate", Identity: subject, Issuer: issuer, Key: key}
	}
	person := func(id, provider string) *verify.Signer {
		return &verify.Signer{Method: "sigstore", Identity: id, Issuer: provider}
	}
	for name, c := range map[string]struct {
		signers []*verify.Signer
		first   []int
		n       int
	}{
		"nobody":               {nil, []int{}, 0},
		"two keys":             {[]*verify.Signer{key("a"), key("b")}, []int{0, 1}, 2},
		"a key twice":          {[]*verify.Signer{key("a"), key("b"), key("a")}, []int{0, 1, 0}, 2},
		"a key's certificate":  {[]*verify.Signer{key("a"), cert("CN=x", "CN=ca", "a")}, []int{0, 0}, 1},
		"a renewed one":        {[]*verify.Signer{cert("CN=x", "CN=ca", "a"), cert("CN=x", "CN=ca", "b")}, []int{0, 0}, 1},
		"another authority's":  {[]*verify.Signer{cert("CN=x", "CN=ca", "a"), cert("CN=x", "CN=cb", "b")}, []int{0, 1}, 2},
		"two subjects, a key":  {[]*verify.Signer{cert("CN=x", "CN=ca", "a"), cert("CN=y", "CN=ca", "a")}, []int{0, 0}, 1},
		"persons":              {[]*verify.Signer{person("a@x", "p"), person("b@x", "p")}, []int{0, 1}, 2},
		"a person twice":       {[]*verify.Signer{person("a@x", "p"), person("A@X", "P")}, []int{0, 0}, 1},
		"two providers":        {[]*verify.Signer{person("a@x", "p"), person("a@x", "q")}, []int{0, 1}, 2},
		"a person and a key":   {[]*verify.Signer{person("a", ""), key("a")}, []int{0, 1}, 2},
		"joined by a third":    {[]*verify.Signer{key("a"), cert("CN=x", "CN=ca", "b"), cert("CN=x", "CN=ca", "a")}, []int{0, 0, 0}, 1},
		"joined, and a fourth": {[]*verify.Signer{key("z"), key("a"), key("b"), cert("CN=x", "c", "b"), cert("CN=x", "c", "a")}, []int{0, 1, 1, 1, 1}, 2},
	} {
		first, n := verify.Distinct(c.signers)
		if n != c.n || !slices.Equal(first, c.first) {
			t.Errorf("%s: %v, %d; want %v, %d", name, first, n, c.first, c.n)
		}
	}
}

func TestIsStranger(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"none":             {nil, false},
		"another method":   {verify.ErrMethod, true},
		"another key":      {fmt.Errorf("x: %w", verify.ErrUntrusted), true},
		"another identity": {verify.ErrIdentity, true},
		"broken":           {verify.ErrSignature, false},
		"expired":          {verify.ErrExpired, false},
		"not logged":       {verify.ErrLog, false},
		"no bundle":        {oms.ErrFormat, false},
		"no network":       {verify.ErrUnavailable, false},
	} {
		if got := verify.IsStranger(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Of two keys that are believed one is named by the bundle, and its signature is broken.
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	stranger := identityVerifier(t, "bob@example.com", issuer, root)
	foreign := identityVerifier(t, alice, issuer, verifytest.NewInstance(t).TrustedRoot(t, false))
	if _, _, err := verify.Manifest(t.Context(), bundle, stranger, foreign); !verify.IsStranger(err) {
		t.Errorf("two that know nothing of it: %v", err)
	}
	unlogged := tamper(t, bundle, func(o object) { o.at("verificationMaterial", "tlogEntries")["integratedTime"] = "1700000000" })
	if _, _, err := verify.Manifest(t.Context(), unlogged, foreign, stranger); err == nil || verify.IsStranger(err) {
		t.Errorf("one of two cannot tell: %v", err)
	}
}
