package sigstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
)

// public returns the public instance's trusted root and signing config, and both joined as a ClientTrustConfig.
func public(t testing.TB) (trustedRoot, signingConfig, trustConfig []byte) {
	t.Helper()
	dir := filepath.Join(omstest.Corpus(t), "sigstore")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	trustedRoot, signingConfig = read("trusted_root.json"), read("signing_config.v0.2.json")
	return trustedRoot, signingConfig, join(trustedRoot, signingConfig)
}

func join(trustedRoot, signingConfig []byte) []byte {
	return fmt.Appendf(nil, `{"mediaType":%q,"trustedRoot":%s,"signingConfig":%s}`, mediaTypeTrustConfig, trustedRoot, signingConfig)
}

func TestOpen(t *testing.T) {
	trustedRoot, signingConfig, trustConfig := public(t)
	oldConfig := []byte(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.1+json","caUrl":"https://ca.test"}`)
	for name, c := range map[string]struct {
		o       Options
		want    string // in the error, if there is one
		signing bool   // whether there is a signing config too
	}{
		"trust config":              {Options{TrustConfig: trustConfig}, "", true},
		"trusted root":              {Options{TrustedRoot: trustedRoot}, "", false},
		"a pair":                    {Options{TrustedRoot: trustedRoot, SigningConfig: signingConfig}, "", true},
		"a pair, swapped":           {Options{TrustedRoot: signingConfig, SigningConfig: trustedRoot}, "", true},
		"trust config as the root":  {Options{TrustedRoot: trustConfig}, "", true},
		"trusted root as config":    {Options{TrustConfig: trustedRoot}, "", false},
		"two roots":                 {Options{TrustConfig: trustConfig, TrustedRoot: trustedRoot}, "given already", false},
		"two signing configs":       {Options{TrustConfig: trustConfig, SigningConfig: signingConfig}, "given already", false},
		"signing config only":       {Options{SigningConfig: signingConfig}, "without the trusted root", false},
		"staging too":               {Options{TrustedRoot: trustedRoot, Staging: true}, "choose one", false},
		"empty":                     {Options{TrustedRoot: []byte{}}, "not JSON", false},
		"not JSON":                  {Options{TrustedRoot: []byte("-----BEGIN CERTIFICATE-----")}, "not JSON", false},
		"another media type":        {Options{TrustedRoot: []byte(`{"mediaType":"a\u001b[2J"}`)}, `mediaType is "a`, false},
		"no media type":             {Options{TrustedRoot: []byte(`{}`)}, "mediaType", false},
		"duplicate member":          {Options{TrustedRoot: []byte(`{"mediaType":"a","mediaType":"b"}`)}, "duplicate", false},
		"trust config without root": {Options{TrustConfig: []byte(`{"mediaType":"` + mediaTypeTrustConfig + `"}`)}, "no trusted root", false},
		"empty trusted root":        {Options{TrustedRoot: []byte(`{"mediaType":"` + mediaTypeTrustedRoot + `"}`)}, "no certificate authority", false},
		"no logs":                   {Options{TrustedRoot: without(t, trustedRoot, "tlogs")}, "no transparency log", false},
		"older signing config":      {Options{TrustConfig: join(trustedRoot, oldConfig)}, "", false},
		"damaged signing config":    {Options{TrustedRoot: trustedRoot, SigningConfig: oldConfig}, "signingconfig.v0.1", false},
		"logs without a number":     {Options{TrustedRoot: trustedRoot, SigningConfig: without(t, signingConfig, "rekorTlogConfig")}, "rekorTlogConfig", false},
		"stamps without a number":   {Options{TrustedRoot: trustedRoot, SigningConfig: without(t, signingConfig, "tsaConfig")}, "tsaConfig", false},
		"too large":                 {Options{TrustedRoot: make([]byte, MaxConfigSize+1)}, "bytes", false},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Open(c.o)
			if c.want != "" {
				if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Errorf("error is %q, want %v with %q", err, ErrConfig, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			root, err := i.TrustedRoot(t.Context())
			if err != nil || len(root.FulcioCertificateAuthorities()) == 0 {
				t.Errorf("trusted root: %v", err)
			}
			if _, err := i.SigningConfig(t.Context()); (err == nil) != c.signing || (i.CanSign() == nil) != c.signing {
				t.Errorf("signing config: %v", err)
			}
		})
	}
}

// without removes a member of a JSON object.
func without(t *testing.T, b []byte, name string) []byte {
	t.Helper()
	var m map[string]any
	decode(t, b, &m)
	if m[name] == nil {
		t.Fatalf("there is no %s to remove", name)
	}
	delete(m, name)
	return encode(t, m)
}

func FuzzOpen(f *testing.F) {
	for _, b := range [][]byte{[]byte("{}"), []byte(`{"mediaType":"` + mediaTypeTrustedRoot + `","tlogs":[{}],"certificateAuthorities":[{}]}`)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := Open(Options{TrustConfig: b})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error is not one printable line: %q", err)
			}
			return
		}
		if _, err := i.TrustedRoot(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
