package cli

import (
	"context"
	"os"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// Known is what holds for a URL, and where signers of it are pinned.
type Known struct {
	// URL is in the form in which it is pinned; "" where no URL is known.
	URL    string
	Policy policy.Policy
	Store  pins.Store
}

// LoadKnown reads what holds for an address, as people give it to git clone, or
// where it is empty for the repository that the current folder is in.
func LoadKnown(ctx context.Context, address string) (*Known, error) {
	repo, err := walk.RepositoryHere(ctx)
	if err != nil {
		return nil, err
	}
	var config *Config
	if address == "" {
		config, err = LoadConfig(ctx, repo)
	} else {
		var match string
		if match, err = matched(address); err == nil {
			config, err = LoadConfigFor(ctx, repo, match)
		}
	}
	if err != nil {
		return nil, err
	}
	known := new(Known)
	if known.Policy, err = config.Policy(); err != nil {
		return nil, err
	}
	if known.Store, err = pins.StoreOf(known.Policy); err != nil {
		return nil, ui.Usage("git config modelsign.knownSigners names another file", "%w", err)
	}
	if config.URL == "" {
		return known, nil
	}
	if known.URL, err = gitrepo.NormalURL(config.URL); err != nil && address != "" {
		return nil, ui.Usage("", "%s: %w", ui.Quote(config.URL), err)
	}
	return known, nil
}

// matched is the URL, without secrets, that stands for an address.
func matched(address string) (string, error) {
	remote, err := gitrepo.ParseRemote(address)
	if err != nil {
		return "", ui.Trouble("", "%w", err)
	}
	if remote.Match == "" {
		return "", ui.Usage("", "%s is no URL", ui.Quote(remote.Display))
	}
	if strings.HasPrefix(remote.Match, "file:") && !strings.Contains(address, "://") {
		// Else what is no URL, such as example.com/org, passes for the path of a repository.
		if _, err := os.Stat(address); err != nil {
			return "", ui.Usage("a URL begins with its scheme, such as https://", "%s is neither a URL nor a folder", ui.Quote(remote.Display))
		}
	}
	return remote.Match, nil
}
