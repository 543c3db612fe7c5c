package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/hook"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupBench(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	const least, most = 1, 600
	var hashing cli.Hashing
	seconds := flags.Int("seconds", 3, "measure for `N` seconds")
	hashing.RegisterBackend(flags)
	asJSON := flags.Bool("json", false, "print the result as one JSON object")

	return func(ctx context.Context, args []string) error {
		if err := cli.NoArgument(args, ""); err != nil {
			return err
		}
		if *seconds < least || *seconds > most {
			return ui.Usage("", "--seconds %d: expected %d to %d", *seconds, least, most)
		}
		config, err := configHere(ctx)
		if err != nil {
			return err
		}
		if _, err := hashing.Hasher(config); err != nil {
			return err // before the user has waited
		}
		b := &ui.Bench{Cores: runtime.GOMAXPROCS(0)}
		if b.Speeds, err = digest.Measure(ctx, time.Duration(*seconds)*time.Second); err != nil {
			return err
		}
		if b.Choice, err = hashing.Choose(config, false); err != nil {
			return err
		}
		if *asJSON {
			return ui.WriteJSON(t.Out, b.JSON())
		}
		t.Bench(b)
		return nil
	}
}

// hashingCheck is what doctor says of hashing.
func hashingCheck(ctx context.Context) hook.Check {
	choice, err := func() (digest.Choice, error) {
		config, err := configHere(ctx)
		if err != nil {
			return digest.Choice{}, err
		}
		return new(cli.Hashing).Choose(config, false)
	}()
	if err != nil {
		return hook.Check{Name: "hashing", State: hook.Fail, Detail: err.Error(), Hint: "git model-sign bench --hash-backend=auto lists the backends"}
	}
	return hook.Check{Name: "hashing", State: hook.OK, Detail: fmt.Sprintf("sha256 by %s, %s", choice.Used, choice.Reason)}
}

// configHere is the configuration that holds in the current folder.
func configHere(ctx context.Context) (*cli.Config, error) {
	p, err := walk.Locate(ctx, ".", "", false)
	if err != nil {
		return nil, err
	}
	return cli.LoadConfig(ctx, p.Repo)
}
