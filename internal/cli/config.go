package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Config is what git config says under modelsign, matched by a URL.
type Config struct {
	// URL is the URL that the repository was cloned from, without credentials;
	// empty where there is none.
	URL    string
	values map[string][]string
}

// LoadConfig reads the configuration that holds for a repository: that of the
// URL that it was cloned from, or the general one outside a repository.
func LoadConfig(ctx context.Context, repo *gitrepo.Repository) (*Config, error) {
	url := ""
	if repo != nil {
		remote, err := repo.Remote(ctx)
		if err != nil {
			return nil, ui.Trouble("", "finding the remote's URL: %w", err)
		}
		url = remote.Match
	}
	return LoadConfigFor(ctx, repo, url)
}

// LoadConfigFor reads the configuration that holds for url.
func LoadConfigFor(ctx context.Context, repo *gitrepo.Repository, url string) (*Config, error) {
	values, err := gitrepo.ConfigURLMatch(ctx, dir(repo), "modelsign", url)
	switch {
	case errors.Is(err, gitrepo.ErrNoGit) && repo == nil:
		return &Config{}, nil // no git, no git config
	case err != nil:
		return nil, ui.Trouble("", "reading git config modelsign.*: %w", err)
	}
	return &Config{URL: url, values: values}, nil
}

// dir is the folder whose git config holds: the repository's, or none.
func dir(repo *gitrepo.Repository) string {
	if repo == nil {
		return ""
	}
	return repo.Top
}

// Get returns the values of modelsign.<name>, the strongest last. The name is
// in lower case and without hyphens.
func (c *Config) Get(name string) []string { return c.values[name] }

// pathFlags are the options whose values are files.
var pathFlags = map[string]bool{
	"private-key": true, "signing-certificate": true, "certificate-chain": true,
	"trust-config": true, "trusted-root": true, "signing-config": true,
}

// Fill gives the flags that were not set on the command line the values that
// config has for them. A file must be named by an absolute path, because a
// relative one could name a file that came with the repository.
func (c *Config) Fill(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if flags.Changed(name) {
			continue
		}
		flag := flags.Lookup(name)
		key := camelCase(name)
		for _, value := range c.Get(strings.ReplaceAll(name, "-", "")) {
			if pathFlags[name] && !filepath.IsAbs(value) {
				return ui.Usage("write an absolute path, or one that begins with ~/", "git config modelsign.%s is %q, a relative path", key, value)
			}
			if flag.Value.Type() == "bool" {
				value = gitBool(value)
			}
			if err := flag.Value.Set(value); err != nil {
				return ui.Usage("", "git config modelsign.%s: %w", key, err)
			}
		}
	}
	return nil
}

// camelCase spells an option as git config spells its keys.
func camelCase(name string) string {
	parts := strings.Split(name, "-")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// gitBool turns git's further spellings of a boolean into Go's.
func gitBool(s string) string {
	switch strings.ToLower(s) {
	case "yes", "on":
		return "true"
	case "no", "off", "":
		return "false"
	}
	return strings.ToLower(s)
}

// CacheDir is where metadata of Sigstore instances is kept between runs.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "git-model-sign")
	}
	return filepath.Join(dir, "git-model-sign")
}
