package main

import (
	"context"
	"os"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/hook"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// setupHook is what git's hooks call: it verifies every signature of the
// worktree. What it says goes to stderr, as all that hooks say.
func setupHook(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	flags.SetInterspersed(false)

	return func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return ui.Usage("git calls it; git model-sign install sets it up", "expected the event that git reports")
		}
		t.Out, t.Prefix = t.Err, "model-sign: "
		event := hook.Event(args[0])
		if event == hook.PostIndexChange {
			return repair(ctx)
		}
		repo, err := gitrepo.Open(ctx, ".")
		if err != nil {
			return ui.Trouble("", "%w", err)
		}
		run, err := hook.Decide(event, args[1:], repo.GitDir)
		if err != nil {
			return ui.Usage("", "%w", err)
		}
		if !run || repo.Top == "" {
			return nil
		}
		return verifyWorktree(ctx, repo, t)
	}
}

// repair mends hooks that another program has written over since they were installed.
func repair(ctx context.Context) error {
	executable, err := os.Executable()
	if err != nil {
		return ui.Trouble("", "finding this program: %w", err)
	}
	if err := hook.Repair(ctx, hook.RepairOptions{Executable: executable}); err != nil {
		return hookError(err)
	}
	return nil
}

// verifyWorktree verifies every signature of a worktree by the policy in git config.
func verifyWorktree(ctx context.Context, repo *gitrepo.Repository, t *ui.Terminal) error {
	config, err := cli.LoadConfig(ctx, repo)
	if err != nil {
		return err
	}
	p, err := config.Policy()
	if err != nil {
		return err
	}
	hasher, err := cli.HookHasher(config)
	if err != nil {
		return err
	}
	var cache cli.Cache
	memory, err := cache.Open(config, repo)
	if err != nil {
		return err
	}
	code, err := walk.VerifyWorktree(ctx, repo, walk.WorktreeOptions{Policy: p, URL: config.URL, Hasher: hasher, Memory: memory, Terminal: t})
	cache.Save(memory, t)
	if err != nil {
		return err
	}
	if code != ui.ExitOK {
		return cli.Exit(code)
	}
	return nil
}
