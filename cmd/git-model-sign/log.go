package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupLog(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	most := flags.IntP("max-count", "n", 0, "tell of at most `N` commits")
	asJSON := flags.Bool("json", false, "print the result as one JSON object")

	return func(ctx context.Context, args []string) error {
		if *most < 0 || flags.Changed("max-count") && *most == 0 {
			return ui.Usage("", "-n %d: expected a number of commits", *most)
		}
		repo, o, err := walk.LocateLog(ctx, args, flags.ArgsLenAtDash())
		if err != nil {
			return err
		}
		o.Max = *most
		if o.Verify, err = cli.VerifyOptions(ctx, repo, t); err != nil {
			return err
		}
		if !*asJSON {
			err := walk.Log(ctx, repo, o, func(e *ui.LogEntry) error {
				t.LogEntry(e)
				return t.Broken()
			})
			t.Fetched(repo.Fetched())
			return err
		}
		all := ui.NewLogJSON()
		if err := walk.Log(ctx, repo, o, func(e *ui.LogEntry) error {
			all.Add(e)
			return nil
		}); err != nil {
			return err
		}
		all.Fetched = repo.Fetched()
		return ui.WriteJSON(t.Out, all)
	}
}
