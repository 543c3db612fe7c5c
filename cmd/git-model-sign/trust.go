package main

import (
	"context"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// trustCommands are the commands of trust.
func trustCommands() []command {
	return []command{
		{"trust list", "[<url>]", "show the policy for this repository, or a URL, and who is pinned", setupTrustList, nil},
		{"trust add", "<url>", "pin a signer by hand", setupTrustAdd, nil},
		{"trust remove", "<url>", "forget who is pinned for a URL", setupTrustRemove, nil},
		{"trust accept", "[<signature>...]", "pin whoever signs this repository now, in place of the pinned signer", setupTrustAccept, nil},
		{"trust check", "", "say who signs this repository and whether that one is believed, without reading the model", setupTrustCheck, nil},
	}
}

func setupTrustList(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	asJSON := flags.Bool("json", false, "print the result as one JSON object")

	return func(ctx context.Context, args []string) error {
		if len(args) > 1 {
			return ui.Usage("", "expected at most one URL, found %d arguments", len(args))
		}
		known, err := cli.LoadKnown(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		list := &ui.TrustList{URL: known.URL, Policy: known.Policy, Store: known.Store}
		if list.Pins, err = walk.ListPins(known.Store, known.URL); err != nil {
			return err
		}
		if *asJSON {
			return ui.WriteJSON(t.Out, list.JSON())
		}
		t.TrustList(list)
		return nil
	}
}

func setupTrustAdd(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	identity := flags.String("identity", "", "the Sigstore `IDENTITY` to believe: an e-mail address or a URI")
	issuer := flags.String("identity-provider", "", "the `URL` of the provider that vouches for the identity")
	signature := flags.String("signature", walk.SignatureName, "the `PATH` of the signature in the repository")

	return func(ctx context.Context, args []string) error {
		if len(args) != 1 || *identity == "" || *issuer == "" {
			return ui.Usage("git model-sign trust add URL --identity ID --identity-provider URL", "expected one URL, an identity and its provider")
		}
		known, err := cli.LoadKnown(ctx, args[0])
		if err != nil {
			return err
		}
		added, err := walk.AddPin(ctx, known.Store, known.URL, *signature, verify.Identity{ID: *identity, Issuer: *issuer})
		if err != nil {
			return err
		}
		t.Acceptances([]ui.Acceptance{added})
		return nil
	}
}

func setupTrustRemove(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	signature := flags.String("signature", "", "forget the signer of the signature at this `PATH` in the repository only")

	return func(ctx context.Context, args []string) error {
		if len(args) != 1 {
			return ui.Usage("git model-sign trust list shows them", "expected one URL, found %d arguments", len(args))
		}
		known, err := cli.LoadKnown(ctx, args[0])
		if err != nil {
			return err
		}
		removed, err := walk.RemovePins(ctx, known.Store, known.URL, *signature)
		if err != nil {
			return err
		}
		t.Removed(removed)
		return nil
	}
}

func setupTrustAccept(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var instance cli.Instance
	instance.Register(flags)

	return func(ctx context.Context, args []string) error {
		repo, config, err := here(ctx)
		if err != nil {
			return err
		}
		p, err := config.Policy()
		if err != nil {
			return err
		}
		if err := instance.Apply(&p.Trust); err != nil {
			return err
		}
		hasher, err := cli.HookHasher(config)
		if err != nil {
			return err
		}
		accepted, err := walk.AcceptSigners(ctx, repo, args, walk.VerifyOptions{Policy: p, URL: config.URL, Hasher: hasher, Terminal: t})
		if err != nil {
			return err
		}
		t.Acceptances(accepted)
		return nil
	}
}

func setupTrustCheck(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var trust cli.Trust
	trust.Register(flags)
	asJSON := flags.Bool("json", false, "print the result as one JSON object")

	return func(ctx context.Context, args []string) error {
		if err := cli.NoArgument(args, "it looks at every signature of the repository that the current folder is in"); err != nil {
			return err
		}
		repo, config, err := here(ctx)
		if err != nil {
			return err
		}
		p, err := trust.Resolve(config)
		if err != nil {
			return err
		}
		hasher, err := cli.HookHasher(config)
		if err != nil {
			return err
		}
		verdicts, code, err := walk.CheckSigners(ctx, repo, walk.VerifyOptions{Policy: p, URL: config.URL, Hasher: hasher, Terminal: t})
		if err != nil {
			return err
		}
		if *asJSON {
			err = ui.WriteJSON(t.Out, ui.NewSignersJSON(verdicts, config.URL, code))
		} else {
			t.SignerVerdicts(verdicts, p)
		}
		if err == nil && code != ui.ExitOK {
			err = cli.Exit(code)
		}
		return err
	}
}

// here is the repository whose worktree the current folder is in, and its configuration.
func here(ctx context.Context) (*gitrepo.Repository, *cli.Config, error) {
	repo, _, err := walk.FindInRepository(ctx, ".")
	if err != nil {
		return nil, nil, err
	}
	if repo.Top == "" {
		return nil, nil, ui.Usage("git model-sign trust add pins a signer by hand; git model-sign verify --rev looks at what a commit holds", "the current folder is in no worktree of a repository")
	}
	config, err := cli.LoadConfig(ctx, repo)
	return repo, config, err
}
