package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// knownKeys are the names of every key of modelsign that anything looks at.
func knownKeys() []string {
	return []string{
		"allowSymlinks", "cache", "certificateChain", "clientId", "clientSecretFile", "firstUse", "githubWorkflowName", "githubWorkflowRef",
		"githubWorkflowRepository", "githubWorkflowSha", "githubWorkflowTrigger", "hash", "hashBackend", "identity",
		"identityProvider", "identityProviderRegexp", "identityRegexp", "identityTokenFile", "knownSigners", "mode", "noCommit", "oauthForceDevice", "oauthForceOob",
		"onFailure", "privateKey", "publicKey", "receiveRefs", "require", "shards", "signInProvider", "signingCertificate", "threads", "threshold",
		"timestampCertificateChain", "timestampServerUrl", "trustConfig", "trustedRoot", "useAmbientCredentials", "useStaging",
	}
}

// CheckConfig says what is wrong with the keys of git config modelsign.*, whether
// or not they hold for the repository, and with the refs that are to be checked where
// a push arrives.
func CheckConfig(ctx context.Context, repo *gitrepo.Repository) error {
	section, err := readSection(ctx, repo, repo != nil)
	if err != nil {
		return err
	}
	config, err := newConfig(ctx, section, "")
	if err != nil {
		return err
	}
	_, err = receiveRefs(config)
	return err
}

// checkKeys refuses keys that nobody would ever look at: a mistake in the name of a
// key must not pass for a softer policy.
func checkKeys(keys []gitrepo.Key) error {
	known := knownKeys()
	for _, k := range keys {
		if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, k.Name) }) {
			hint := "modelsign." + nearest(k.Name, known) + " is one; git model-sign --help lists them"
			return ui.Usage(hint, "git config %s: no such key", ui.Quote(k.Full))
		}
		if gitrepo.CheckPlace(k.Place) != nil {
			return ui.Usage("a URL begins with its scheme, such as https:// or ssh://, and has no password",
				"git config %s: expected modelsign.<name> or modelsign.<url>.<name>", ui.Quote(k.Full))
		}
	}
	return nil
}

// nearest is the name that takes the fewest changes to make of another.
func nearest(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int {
		return changes(name, strings.ToLower(a)) - changes(name, strings.ToLower(b))
	})
}

// changes is how many letters have to be put in, taken out or replaced to make b of a.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
