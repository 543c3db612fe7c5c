package cli

import (
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

func TestCheckKeys(t *testing.T) {
	for _, c := range []struct {
		place, name string
		hint        string // part of it, "" if the key is fine
	}{
		{"", "require", ""},
		{"https://example.com/org", "identityregexp", ""},
		{"https://*.example.com", "publickey", ""},
		{"https://user@example.com/org", "publickey", ""},
		{"ssh://git@example.com:2222/org", "mode", ""},
		{"file:///srv", "hashbackend", ""},
		{"", "requires", "modelsign.require "},
		{"", "identityregex", "modelsign.identityRegexp "},
		{"https://example.com/org", "publickeys", "modelsign.publicKey "},
		{"", "trustroot", "modelsign.trustedRoot "},
		{"huggingface.co/org", "require", "scheme"},
		{"git@example.com:org", "require", "scheme"},
		{"/srv/models", "require", "scheme"},
		{"https://me:secret@example.com/", "require", "password"},
		{"https://", "require", "scheme"},
	} {
		key := gitrepo.Key{Full: "modelsign." + c.place + "." + c.name, Place: c.place, Name: c.name}
		err := checkKeys([]gitrepo.Key{{Full: "modelsign.mode", Name: "mode"}, key})
		if c.hint == "" {
			if err != nil {
				t.Errorf("%s: %v", key.Full, err)
			}
			continue
		}
		refused, ok := err.(*ui.Error)
		if !ok || refused.Code != ui.ExitUsage || !strings.Contains(err.Error(), key.Full) || !strings.Contains(strings.Join(refused.Hints, "\n"), c.hint) {
			t.Errorf("%s: %#v; want the key named, and %q in the hint", key.Full, err, c.hint)
		}
	}
}
