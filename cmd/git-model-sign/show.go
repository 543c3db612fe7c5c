package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupShow(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var output cli.Output
	signature := flags.String("signature", "", "read the signature from `FILE` instead of model.sig in the model's folder")
	output.RegisterStill(flags)

	return func(_ context.Context, args []string) error {
		output.Apply(t)
		path, err := onePath(args)
		if err != nil {
			return err
		}
		claim, err := walk.Show(path, *signature)
		if err != nil {
			return err
		}
		if output.JSON {
			return ui.WriteJSON(t.Out, claim.JSON())
		}
		t.Claim(claim)
		return nil
	}
}

func setupDigest(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var place cli.Place
	var content cli.Content
	var hashing cli.Hashing
	var output cli.Output
	place.Register(flags, "leave out the signature `FILE` instead of model.sig in the model's folder")
	content.Register(flags, "hash what symbolic links point to")
	hashing.Register(flags)
	output.Register(flags)

	return func(ctx context.Context, args []string) error {
		output.Apply(t)
		path, err := onePath(args)
		if err != nil {
			return err
		}
		p, err := walk.Locate(ctx, path, place.Signature, place.NoGit)
		if err != nil {
			return err
		}
		config, err := cli.LoadConfig(ctx, p.Repo)
		if err != nil {
			return err
		}
		if err := config.Fill(flags, "allow-symlinks", "hash", "shards"); err != nil {
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
		m, err := walk.Digest(ctx, p, serialization, hasher, t)
		if err != nil {
			return err
		}
		if output.JSON {
			return ui.WriteJSON(t.Out, ui.NewDigestJSON(m))
		}
		root := m.RootDigest()
		t.Result("sha256:%x", root)
		return nil
	}
}
