package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupSign(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	method := cli.SignMethod{Terminal: t}
	var content cli.Content
	var place cli.Place
	var hashing cli.Hashing
	var output cli.Output
	var message []string
	method.Register(flags)
	place.Register(flags, "write the signature to `FILE` instead of model.sig in the model's folder")
	content.Register(flags, "sign what symbolic links point to")
	hashing.Register(flags)
	promised := flags.Bool("promised", false, "sign LFS files by their committed pointers, without reading or having them")
	coSign := flags.String("co-sign", "", "sign beside others: write model.`NAME`.sig, and leave their signatures")
	noCommit := flags.Bool("no-commit", false, "write the signature and do not commit it")
	amend := flags.Bool("amend", false, "put the signature into the last commit instead of a new one")
	flags.StringArrayVarP(&message, "message", "m", nil, "use `TEXT` as the commit message; each -m is a paragraph")
	output.Register(flags)

	return func(ctx context.Context, args []string) error {
		output.Apply(t)
		forCommit := *amend || len(message) > 0
		if *noCommit && forCommit {
			return ui.Usage("", "--no-commit does not go with --amend and --message")
		}
		if len(message) > 0 && strings.TrimSpace(strings.Join(message, "")) == "" {
			return ui.Usage("without --message it says what was signed", "--message: the commit message is empty")
		}
		path, err := onePath(args)
		if err != nil {
			return err
		}
		p, err := walk.Locate(ctx, path, place.Signature, place.NoGit)
		if err != nil {
			return err
		}
		if forCommit {
			if err := p.CheckCommits(); err != nil {
				return err
			}
		}
		if flags.Changed("co-sign") {
			if place.Signature != "" {
				return ui.Usage("", "--co-sign does not go with --signature")
			}
			if err := p.CoSign(*coSign); err != nil {
				return err
			}
		}
		config, err := cli.LoadConfig(ctx, p.Repo)
		if err != nil {
			return err
		}
		if err := config.Fill(flags, "allow-symlinks", "hash", "shards", "no-commit"); err != nil {
			return err
		}
		if *noCommit && forCommit {
			return ui.Usage("--no-commit=false commits", "git config modelsign.noCommit does not go with --amend and --message")
		}
		if err := method.FillFrom(config, flags); err != nil {
			return err
		}
		serialization, err := content.Serialization(p)
		if err != nil {
			return err
		}
		hasher, err := hashing.Hasher(config)
		if err != nil {
			return err
		}
		signer, err := method.Signer(ctx, flags)
		if err != nil {
			return err
		}
		signed, err := walk.Sign(ctx, p, walk.SignOptions{
			Signer: signer, Serialization: serialization, Promised: *promised, Commit: !*noCommit, Amend: *amend,
			Hasher: hasher, Message: strings.Join(message, "\n\n"), Input: os.Stdin, Output: os.Stderr, Terminal: t,
		})
		if err != nil {
			return err
		}
		if output.JSON {
			return ui.WriteJSON(t.Out, signed.JSON())
		}
		t.Signed(signed)
		return nil
	}
}
