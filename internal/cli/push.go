package cli

import (
	"context"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// PushOptions are how a push is checked: by the configuration that holds for
// where it goes, or by that of the repository that it was received in. The
// arguments are those that git gives to pre-push: the name of the remote and its
// address; without any it is where the current branch would go.
func PushOptions(ctx context.Context, repo *gitrepo.Repository, received bool, args []string) (walk.PushOptions, error) {
	o := walk.PushOptions{Received: received}
	var origins []gitrepo.Remote
	var err error
	sure := true
	switch {
	case received:
	case len(args) == 0:
		origins, sure, err = repo.Origins(ctx)
	case len(args) == 2:
		origins, err = repo.PushOrigins(ctx, args[0], args[1])
	default:
		return o, ui.Usage("git calls it; git model-sign install sets it up", "pre-push: expected the remote and its address, found %s", ui.QuoteAll(args))
	}
	if err != nil {
		return o, configError("finding the remote's URL", err)
	}
	section, err := readSection(ctx, repo, true)
	if err != nil {
		return o, err
	}
	if o.URL, err = weightiest(ctx, section, origins, sure); err != nil {
		return o, err
	}
	config, err := newConfig(ctx, section, o.URL)
	if err != nil {
		return o, err
	}
	if received {
		if o.Refs, err = receiveRefs(config); err != nil {
			return o, err
		}
	}
	if o.Policy, err = config.Policy(); err != nil {
		return o, err
	}
	o.Hasher, err = HookHasher(config)
	return o, err
}

// RequiresOfNobody says whether the configuration that holds for every URL, with that of a
// repository if there is one, requires signatures and names no signer, and whether
// somebody may be pinned then, as happens in worktrees and not where pushes arrive.
func RequiresOfNobody(ctx context.Context, repo *gitrepo.Repository) (requires, pins bool, err error) {
	section, err := readSection(ctx, repo, repo != nil)
	if err != nil {
		return false, false, err
	}
	config, err := newConfig(ctx, section, "")
	if err != nil {
		return false, false, err
	}
	p, err := config.Policy()
	return p.Require && p.Trust.Empty(), p.FirstUse != policy.NoPins, err
}

// receiveRefs are the patterns of the refs that are checked when they are
// received: branches, unless modelsign.receiveRefs says otherwise. As elsewhere
// in git's configuration an empty value takes back those before it.
// A value that no ref's full name could match is refused: nothing would be checked.
func receiveRefs(config *Config) ([]string, error) {
	values := config.Get("receiverefs")
	if len(values) == 0 {
		return []string{"refs/heads/*"}, nil
	}
	refs := []string{}
	for _, v := range values {
		if v == "" {
			refs = refs[:0]
			continue
		}
		if !strings.HasPrefix(v, "refs/") && !strings.HasPrefix(v, "*") {
			return nil, ui.Usage("a branch is refs/heads/"+v+", a tag refs/tags/"+v+"; a star stands for any text",
				"git config modelsign.receiveRefs %s: expected the full name of a ref", ui.Quote(v))
		}
		refs = append(refs, v)
	}
	if len(refs) == 0 {
		return []string{""}, nil // no ref has this name
	}
	return refs, nil
}

// VerifyOptions are those of a command that verifies by the policy in git config
// alone.
func VerifyOptions(ctx context.Context, repo *gitrepo.Repository, t *ui.Terminal) (walk.VerifyOptions, error) {
	o := walk.VerifyOptions{Terminal: t}
	config, err := LoadConfig(ctx, repo)
	if err != nil {
		return o, err
	}
	o.URL = config.URL
	if o.Policy, err = config.Policy(); err != nil {
		return o, err
	}
	o.Hasher, err = HookHasher(config)
	return o, err
}
