package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupVerify(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var trust cli.Trust
	var place cli.Place
	var hashing cli.Hashing
	var cache cli.Cache
	var output cli.Output
	var strict check.Options
	trust.Register(flags)
	place.Register(flags, "read the signature from `FILE` instead of model.sig in the model's folder")
	ignore := flags.StringArray("ignore-paths", nil, "leave out `PATH` and what is below it; may be repeated")
	symlinks := flags.Bool("allow-symlinks", false, "follow symbolic links, even where the signature does not say so")
	flags.BoolVar(&strict.IgnoreUnsigned, "ignore-unsigned-files", false, "accept files that the signature does not name")
	flags.BoolVar(&strict.RequireRead, "require-read", false, "fail for files that are not downloaded, though their LFS pointers promise the signed content")
	rev := flags.String("rev", "", "verify `COMMIT`, without its worktree; a branch, a tag, or a range FROM..TO")
	hashing.Register(flags)
	cache.Register(flags)
	output.Register(flags)

	configured := func(ctx context.Context, repo *gitrepo.Repository) (o walk.VerifyOptions, config *cli.Config, err error) {
		o = walk.VerifyOptions{AllowSymlinks: *symlinks, Check: strict, Replay: true, Terminal: t}
		if config, err = cli.LoadConfig(ctx, repo); err != nil {
			return o, nil, err
		}
		o.URL = config.URL
		if o.Policy, err = trust.Resolve(config); err != nil {
			return o, nil, err
		}
		o.Hasher, err = hashing.Hasher(config)
		return o, config, err
	}

	verify := func(ctx context.Context, path string) error {
		if flags.Changed("rev") {
			if place.NoGit {
				return ui.Usage("", "--rev does not go with --no-git")
			}
			if flags.Changed("no-cache") {
				return ui.Usage("nothing is remembered of commits", "--rev does not go with --no-cache")
			}
			r, err := walk.LocateRev(ctx, path, *rev, place.Signature)
			if err != nil {
				return err
			}
			o, _, err := configured(ctx, r.Repo)
			if err != nil {
				return err
			}
			return cli.ConcludeRev(ctx, t, r, *ignore, o, output.JSON)
		}
		p, err := walk.Locate(ctx, path, place.Signature, place.NoGit)
		if err != nil {
			return err
		}
		o, config, err := configured(ctx, p.Repo)
		if err != nil {
			return err
		}
		if o.Ignore, err = p.Ignored(*ignore); err != nil {
			return err
		}
		memory, err := cache.Open(config, p.Repo)
		if err != nil {
			return err
		}
		o.Check.Memory = memory
		v := walk.Verify(ctx, p, o)
		cache.Save(memory, t)
		return cli.Conclude(ctx, t, v, output.JSON)
	}

	return func(ctx context.Context, args []string) error {
		output.Apply(t)
		path, err := onePath(args)
		if err == nil {
			err = verify(ctx, path)
		}
		return cli.ConcludeError(ctx, t, path, err, output.JSON)
	}
}
