package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/quarantine"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// quarantineCommands are the commands of quarantine.
func quarantineCommands() []command {
	return []command{
		{"quarantine list", "", "list the files that are in quarantine", setupQuarantineList, nil},
		{"quarantine restore", "[<time> | <path>]...", "put files back: all of this worktree's, or some", setupQuarantineRestore, nil},
	}
}

func setupQuarantineList(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var output cli.Output
	output.RegisterStill(flags)

	return func(ctx context.Context, args []string) error {
		output.Apply(t)
		if err := cli.NoArgument(args, ""); err != nil {
			return err
		}
		repo, _, err := walk.FindInRepository(ctx, ".")
		if err != nil {
			return err
		}
		all, failed := quarantine.All(repo)
		if output.JSON {
			err = ui.WriteJSON(t.Out, ui.NewQuarantinesJSON(all))
		} else {
			t.Quarantines(all)
		}
		if failed != nil {
			return ui.Trouble("", "%w", failed)
		}
		return err
	}
}

func setupQuarantineRestore(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var output cli.Output
	output.RegisterStill(flags)

	return func(ctx context.Context, args []string) error {
		output.Apply(t)
		repo, _, err := walk.FindInRepository(ctx, ".")
		if err != nil {
			return err
		}
		done, err := walk.Restore(ctx, repo, args)
		if err != nil {
			return err
		}
		if !output.JSON {
			t.Restored(done)
		} else if err := ui.WriteJSON(t.Out, done.JSON()); err != nil {
			return err
		}
		return done.Err()
	}
}
