package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// Config is what git config says under modelsign, matched by a URL.
type Config struct {
	// URL is the URL that the repository was cloned from, without credentials;
	// empty where there is none.
	URL string
	// Unmatched is the repository's address where it is none that keys for a URL
	// could be matched with, although there are some.
	Unmatched string
	values    map[string][]string
	// policy holds the values of the keys that are matched together.
	policy map[string][]string
}

// LoadConfig reads the configuration that holds for a repository: that of the
// URL that it was cloned from, or the general one outside a repository. Where that
// URL has several spellings, or one of several remotes may have it, it is the first
// for which something is configured, or else the first by which a signer is pinned,
// or else the one in the configuration.
func LoadConfig(ctx context.Context, repo *gitrepo.Repository) (*Config, error) {
	if repo == nil {
		return LoadConfigFor(ctx, nil, "")
	}
	origins, sure, err := repo.Origins(ctx)
	if err != nil {
		return nil, configError("finding the remote's URL", err)
	}
	section, err := sectionOf(ctx, repo)
	if err != nil {
		return nil, err
	}
	url, err := weightiest(ctx, section, origins, sure)
	if err != nil {
		return nil, err
	}
	config, err := newConfig(ctx, section, url)
	if err == nil && sure && origins[0].Match == "" && section.ByURL() {
		config.Unmatched = origins[0].Display
	}
	return config, err
}

// LoadConfigFor reads the configuration that holds for url.
func LoadConfigFor(ctx context.Context, repo *gitrepo.Repository, url string) (*Config, error) {
	section, err := sectionOf(ctx, repo)
	if err != nil {
		return nil, err
	}
	return newConfig(ctx, section, url)
}

// LoadConfigs reads the configuration once, for many URLs: config is the one that
// holds for each.
func LoadConfigs(ctx context.Context) (config func(ctx context.Context, url string) (*Config, error), err error) {
	section, err := readSection(ctx, nil, false)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, url string) (*Config, error) { return newConfig(ctx, section, url) }, nil
}

// LoadConfigAt reads the configuration that holds for a model: that of the repository
// on the Hub for one that is there or in the local cache, and else LoadConfig's.
func LoadConfigAt(ctx context.Context, p *walk.Place) (*Config, error) {
	switch {
	case p.OnHub():
		return LoadConfigFor(ctx, nil, p.HubURL())
	case p.Cached != nil:
		return LoadConfigFor(ctx, nil, p.Cached.URL())
	}
	return LoadConfig(ctx, p.Repo)
}

// sectionOf reads git config modelsign.* as it holds for a repository, or outside of one
// for nil. What looks like a repository in the worktree of another one may have come with
// that: it brings no policy, and one that has any is refused, since what its owner wants
// to be asked for must not go unasked either.
func sectionOf(ctx context.Context, repo *gitrepo.Repository) (*gitrepo.Section, error) {
	if repo == nil {
		return readSection(ctx, nil, false)
	}
	around, err := walk.Around(ctx, repo)
	if err != nil {
		return nil, err
	}
	if around == nil {
		return readSection(ctx, repo, true)
	}
	own, err := repo.OwnKeys(ctx, "modelsign")
	if err != nil {
		return nil, configError("reading git config modelsign.*", err)
	}
	if len(own) > 0 {
		return nil, ui.Usage(ui.OwnConfigHowTo(repo.GitDir), "git config %s is set by the repository %s, which lies in the worktree %s and may have come with it",
			ui.Quote(own[0].Full), ui.Quote(repo.GitDir), ui.Quote(around.Top))
	}
	return readSection(ctx, repo, false)
}

// readSection reads git config modelsign.*, with that of the repository if its own
// counts, and refuses what it has that nobody would look at.
func readSection(ctx context.Context, repo *gitrepo.Repository, own bool) (section *gitrepo.Section, err error) {
	if own {
		section, err = repo.ConfigSection(ctx, "modelsign")
	} else {
		section, err = gitrepo.ConfigSection(ctx, "", "modelsign")
	}
	switch {
	case errors.Is(err, gitrepo.ErrNoGit) && repo == nil:
		if file := mayConfigure("modelsign"); file != "" {
			return nil, ui.Trouble("install git, which reads it", "reading git config modelsign.*: %w, and %s may hold some", err, ui.Quote(file))
		}
		return new(gitrepo.Section), nil // no git, no git config
	case err != nil:
		return nil, configError("reading git config modelsign.*", err)
	}
	return section, checkKeys(section.Keys())
}

// weightiest chooses among the addresses that a repository may have come from. Of
// several remotes of which none stands out, and about which nothing is known, it is
// none: "".
func weightiest(ctx context.Context, section *gitrepo.Section, origins []gitrepo.Remote, sure bool) (string, error) {
	for _, o := range origins {
		own, err := section.Own(ctx, o.Match)
		if err != nil {
			return "", configError("reading git config modelsign.*", err)
		}
		if own {
			return o.Match, nil
		}
	}
	if len(origins) > 1 {
		for _, o := range origins {
			if known, err := hasPins(ctx, section, o.Match); err != nil || known {
				return o.Match, err
			}
		}
	}
	if sure {
		for _, o := range slices.Backward(origins) { // as it is written, if that is a URL
			if o.Match != "" {
				return o.Match, nil
			}
		}
	}
	return "", nil
}

// hasPins says whether a signer is pinned for a URL, by the policy that holds for it.
func hasPins(ctx context.Context, section *gitrepo.Section, url string) (bool, error) {
	config, err := newConfig(ctx, section, url)
	if err != nil {
		return false, err
	}
	p, err := config.Policy()
	if err != nil {
		return false, err
	}
	normal, err := gitrepo.NormalURL(url)
	if err != nil {
		return false, nil // for which nobody can be pinned
	}
	judge, err := pins.NewJudge(normal, p)
	if err != nil {
		return false, ui.Usage("", "%w", err)
	}
	return judge != nil && len(judge.Pins()) > 0, nil
}

// newConfig is what a section holds for a URL.
func newConfig(ctx context.Context, section *gitrepo.Section, url string) (*Config, error) {
	values, together, err := section.Match(ctx, url, policy.Groups()...)
	if err != nil {
		return nil, configError("reading git config modelsign.*", err)
	}
	c := &Config{URL: url, values: values, policy: map[string][]string{}}
	for i, names := range policy.Groups() {
		for _, name := range names {
			c.policy[name] = together[i][name]
		}
	}
	for _, m := range []map[string][]string{c.values, c.policy} {
		if err := expandPaths(ctx, m); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// configError gives an error of reading git config its exit code.
func configError(doing string, err error) error {
	if errors.Is(err, gitrepo.ErrWorktreeConfig) {
		return ui.Usage("what comes with a repository decides nothing: put it into a file of your own", "%s: %w", doing, err)
	}
	return ui.Trouble("", "%s: %w", doing, err)
}

// expandPaths expands the values that are files as git does.
func expandPaths(ctx context.Context, values map[string][]string) error {
	for name := range pathKeys {
		for i, value := range values[name] {
			var err error
			if values[name][i], err = gitrepo.ExpandPath(ctx, value); err != nil {
				return ui.Usage("", "git config modelsign.%s: %w", name, err)
			}
		}
	}
	return nil
}

// Policy is the policy that config holds.
func (c *Config) Policy() (policy.Policy, error) {
	p, err := policy.FromConfig(func(name string) []string {
		if values, grouped := c.policy[name]; grouped {
			return values
		}
		return c.values[name]
	})
	if unmet := (*policy.ThresholdError)(nil); errors.As(err, &unmet) {
		return p, ui.Usage("modelsign.<url>.threshold asks for it where signers are named; 0 takes it back", "%w", err)
	}
	if err != nil {
		return p, ui.Usage("", "%w", err)
	}
	p.Trust.CacheDir = CacheDir()
	return p, nil
}

// Get returns the values of modelsign.<name>, the strongest last. The name is
// in lower case and without hyphens.
func (c *Config) Get(name string) []string { return c.values[name] }

// pathKeys are the keys, as git config lists them, whose values are files.
var pathKeys = map[string]bool{
	"privatekey": true, "signingcertificate": true, "certificatechain": true, "publickey": true, "timestampcertificatechain": true,
	"trustconfig": true, "trustedroot": true, "knownsigners": true, "identitytokenfile": true, "clientsecretfile": true,
}

// pathFlags are the options whose values are files.
var pathFlags = map[string]bool{
	"private-key": true, "signing-certificate": true, "certificate-chain": true,
	"trust-config": true, "trusted-root": true, "signing-config": true, "identity-token-file": true, "client-secret-file": true,
}

// Fill gives the flags that were not set on the command line the values that
// config has for them; an empty one takes back those before it. A file must be
// named by an absolute path, because a relative one could name a file that came
// with the repository.
func (c *Config) Fill(flags *pflag.FlagSet, names ...string) error {
	return fill(c.values, flags, names)
}

// FillInstance is Fill for the options of the Sigstore instance to sign at: what
// the command line says of it takes the place of all that config does, and the keys
// of a URL that of those of a wider one. A trusted root alone is there to verify by,
// and names no services to sign at.
func (c *Config) FillInstance(flags *pflag.FlagSet) error {
	if slices.ContainsFunc(instanceFlags, flags.Changed) {
		return nil
	}
	values := c.policy
	if root := c.policy["trustedroot"]; len(standing(root)) > 0 && len(values["trustconfig"])+len(values["usestaging"]) == 0 {
		values = c.values
	}
	return fill(values, flags, []string{"trust-config", "use-staging"})
}

// standing are the values that no empty one behind them takes back.
func standing(values []string) []string {
	for i, v := range slices.Backward(values) {
		if v == "" {
			return values[i+1:]
		}
	}
	return values
}

// fill is Fill with the values of each name, in lower case and without hyphens.
func fill(values map[string][]string, flags *pflag.FlagSet, names []string) error {
	for _, name := range names {
		if flags.Changed(name) {
			continue
		}
		flag := flags.Lookup(name)
		key := camelCase(name)
		values := values[strings.ReplaceAll(name, "-", "")]
		if flag.Value.Type() != "bool" { // of which an empty value is one, as for git: false
			values = standing(values)
		}
		for _, value := range values {
			if pathFlags[name] && !filepath.IsAbs(value) && !namesDevice(name, value) {
				return ui.Usage("write an absolute path, or one that begins with ~/", "git config modelsign.%s is %q, a relative path", key, value)
			}
			var number *strconv.NumError
			if err := set(flag.Value, value); errors.As(err, &number) {
				return ui.Usage("", "git config modelsign.%s is %s: %w", key, ui.Quote(value), errNumber)
			} else if err != nil {
				return ui.Usage("", "git config modelsign.%s: %w", key, err)
			}
		}
	}
	return nil
}

// set gives an option a value as git config spells it.
func set(option pflag.Value, value string) error {
	if option.Type() != "bool" {
		return option.Set(value)
	}
	b, err := gitrepo.ParseBool(value)
	if err != nil {
		return err
	}
	return option.Set(strconv.FormatBool(b))
}

// Bool is the value of modelsign.<name>, a name in lower case, or a default where
// it is not set.
func (c *Config) Bool(name string, otherwise bool) (bool, error) {
	values := c.Get(name)
	if len(values) == 0 {
		return otherwise, nil
	}
	b, err := gitrepo.ParseBool(values[len(values)-1])
	if err != nil {
		return false, ui.Usage("", "git config modelsign.%s: %w", name, err)
	}
	return b, nil
}

// camelCase spells an option as git config spells its keys.
func camelCase(name string) string {
	parts := strings.Split(name, "-")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// CacheDir is where metadata of Sigstore instances is kept between runs.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "git-model-sign")
	}
	return filepath.Join(dir, "git-model-sign")
}
