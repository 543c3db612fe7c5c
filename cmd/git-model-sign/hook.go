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
		switch event {
		case hook.PostIndexChange:
			return repair(ctx)
		case hook.PrePush, hook.PreReceive:
			return checkPush(ctx, event, args[1:], t)
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

// checkPush checks what is about to be pushed, or was pushed here.
func checkPush(ctx context.Context, event hook.Event, args []string, t *ui.Terminal) error {
	updates, args, err := updatesOf(event, args)
	if err != nil {
		return ui.Usage("", "%w", err)
	}
	var tips []walk.Tip
	for _, u := range updates {
		if u.New != "" {
			tips = append(tips, walk.Tip(u))
		}
	}
	if len(tips) == 0 {
		return nil
	}
	repo, err := gitrepo.Open(ctx, ".")
	if err != nil {
		return ui.Trouble("", "%w", err)
	}
	o, err := cli.PushOptions(ctx, repo, event == hook.PreReceive, args)
	if err != nil {
		return err
	}
	o.Terminal = t
	return exit(walk.CheckPush(ctx, repo, tips, o))
}

// updatesOf is what a push changes, and the arguments that git gives to pre-push.
func updatesOf(event hook.Event, args []string) ([]hook.Update, []string, error) {
	if event == hook.PrePush && len(args) == 0 {
		updates, args := hook.PreCommitPush(os.Getenv)
		return updates, args, nil
	}
	updates, err := hook.ReadUpdates(event, os.Stdin)
	return updates, args, err
}

// exit ends a hook that has said everything.
func exit(code int, err error) error {
	if err == nil && code != ui.ExitOK {
		return cli.Exit(code)
	}
	return err
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
	if config.Unmatched != "" {
		t.UnmatchedRemote(config.Unmatched)
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
	return exit(code, err)
}
