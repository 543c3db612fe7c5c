package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/hook"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

func setupInstall(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	server := flags.Bool("server", false, "check what is pushed to here (pre-receive), instead of what lands in worktrees")
	return setupHooks(flags, t, func(ctx context.Context, o hook.InstallOptions) (*hook.Result, error) {
		o.Server = *server
		result, err := hook.Install(ctx, o)
		if err == nil {
			noteRequire(ctx, result, o)
		}
		return result, err
	})
}

// noteRequire says it where pushes are checked now and the configuration refuses each of
// them. One that is wrong is the hook's and doctor's to tell.
func noteRequire(ctx context.Context, r *hook.Result, o hook.InstallOptions) {
	var repo *gitrepo.Repository
	if o.Scope == hook.Local {
		var err error
		if repo, err = gitrepo.Open(ctx, "."); err != nil {
			return
		}
	}
	if !o.Server && (repo == nil || !repo.Bare) {
		return
	}
	if requires, _, err := cli.RequiresOfNobody(ctx, repo); err == nil && requires {
		r.Notes = append(r.Notes, hook.RefusesPushes)
		r.Hints = append(r.Hints, hook.NameSigner)
	}
}

func setupUninstall(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	return setupHooks(flags, t, hook.Uninstall)
}

// setupHooks is install or uninstall: both change one scope.
func setupHooks(flags *pflag.FlagSet, t *ui.Terminal, change func(context.Context, hook.InstallOptions) (*hook.Result, error)) func(context.Context, []string) error {
	scopes := []hook.Scope{hook.Local, hook.Global, hook.System}
	chosen := map[hook.Scope]*bool{
		hook.Local:  flags.Bool("local", false, "only for the repository of the current folder"),
		hook.Global: flags.Bool("global", false, "for everything that you clone from now on (the default)"),
		hook.System: flags.Bool("system", false, "for everything that anybody on this machine clones"),
	}
	quiet := flags.BoolP("quiet", "q", false, "print errors only")

	return func(ctx context.Context, args []string) error {
		if err := cli.NoArgument(args, ""); err != nil {
			return err
		}
		t.Quiet = *quiet
		scope, given := hook.Global, 0
		for _, s := range scopes {
			if *chosen[s] {
				scope = s
				given++
			}
		}
		if given > 1 {
			return ui.Usage("", "--local, --global and --system do not go together")
		}
		o, err := installOptions(scope)
		if err != nil {
			return err
		}
		result, err := change(ctx, o)
		if err != nil {
			return hookError(err)
		}
		printResult(t, result)
		return nil
	}
}

func installOptions(scope hook.Scope) (hook.InstallOptions, error) {
	o := hook.InstallOptions{Scope: scope}
	var err error
	if o.Executable, err = os.Executable(); err != nil {
		return o, ui.Trouble("", "finding this program: %w", err)
	}
	return o, nil
}

// hookError gives an error of package hook its exit code: what stands in the
// way of the hooks is configuration, what cannot be read or written is trouble.
func hookError(err error) error {
	var refused *hook.Error
	switch {
	case errors.As(err, &refused):
		return &ui.Error{Code: ui.ExitUsage, Err: err, Hints: refused.Hints}
	case errors.Is(err, gitrepo.ErrNoGit):
		return ui.Trouble("install git", "%w", err)
	}
	return ui.Trouble("", "%w", err)
}

func printResult(t *ui.Terminal, r *hook.Result) {
	if t.Quiet {
		return
	}
	if len(r.Done) == 0 {
		t.Result("nothing to do: everything is as it has to be")
	}
	for _, line := range r.Done {
		t.Result("%s", line)
	}
	for _, note := range r.Notes {
		t.Note("note: %s", note)
	}
	for _, h := range r.Hints {
		t.Hint(h)
	}
}

func setupDoctor(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if err := cli.NoArgument(args, ""); err != nil {
			return err
		}
		executable, err := os.Executable()
		if err != nil {
			return ui.Trouble("", "finding this program: %w", err)
		}
		o := hook.DoctorOptions{Executable: executable}
		if o.Configuration, o.ConfigurationHint, err = brokenConfig(ctx); err != nil {
			return err
		}
		if o.Configuration == nil {
			if o.RequiresOfNobody, o.NoPins, err = requiresOfNobody(ctx); err != nil {
				return err
			}
		}
		checks, err := hook.Doctor(ctx, o)
		if err != nil {
			return hookError(err)
		}
		checks = append(checks, hashingCheck(ctx))
		failed := false
		for _, c := range checks {
			t.Check(string(c.State), c.Name, c.Detail, c.Hint)
			failed = failed || c.State == hook.Fail
		}
		if failed {
			return cli.Exit(ui.ExitFailed)
		}
		return nil
	}
}

// requiresOfNobody says whether signatures are required where the command runs, and no
// signer is named or, with noPins, can be pinned.
func requiresOfNobody(ctx context.Context) (requires, noPins bool, err error) {
	repo, err := gitrepo.Open(ctx, ".")
	if err != nil {
		repo = nil
	}
	requires, pins, err := cli.RequiresOfNobody(ctx, repo)
	return requires, !pins, err
}

// brokenConfig says what is wrong with git config modelsign.* where the command runs.
func brokenConfig(ctx context.Context) (broken error, hint string, err error) {
	repo, err := gitrepo.Open(ctx, ".")
	if err != nil {
		repo = nil // the general configuration matters all the same
	}
	err = cli.CheckConfig(ctx, repo)
	var wrong *ui.Error
	if errors.As(err, &wrong) && wrong.Code == ui.ExitUsage {
		return wrong, strings.Join(wrong.Hints, "\n"), nil
	}
	return nil, "", err
}
