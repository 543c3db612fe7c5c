package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupStatus(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	porcelain := flags.Bool("porcelain", false, "print records for scripts, in a form that stays")
	null := flags.BoolP("null", "z", false, "end records with NUL instead of a line end, and quote nothing; implies --porcelain")
	asJSON := flags.Bool("json", false, "print the result as one JSON object")

	return func(ctx context.Context, args []string) error {
		if *asJSON && (*porcelain || *null) {
			return ui.Usage("", "--json does not go with --porcelain or -z")
		}
		path, err := onePath(args)
		if err != nil {
			return err
		}
		repo, under, err := walk.FindInRepository(ctx, path)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			under = "" // all of the worktree, as git status does
		}
		s, err := walk.Status(ctx, repo, walk.StatusOptions{Under: under, Verify: func(ctx context.Context) (walk.VerifyOptions, error) {
			return cli.VerifyOptions(ctx, repo, t)
		}})
		if err != nil {
			return err
		}
		switch {
		case *asJSON:
			return ui.WriteJSON(t.Out, s.JSON())
		case *porcelain || *null:
			t.Porcelain(s, *null)
		default:
			t.Status(s)
		}
		return nil
	}
}
