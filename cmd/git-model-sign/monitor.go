package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

func setupMonitor(flags *pflag.FlagSet, t *ui.Terminal) func(context.Context, []string) error {
	var options cli.Monitor
	options.Register(flags)
	asJSON := flags.Bool("json", false, "print the result as one JSON object, with --every one each time")
	quiet := flags.BoolP("quiet", "q", false, "print entries and errors only")

	return func(ctx context.Context, args []string) error {
		t.Quiet = t.Quiet || *quiet || *asJSON
		if err := cli.NoArgument(args, "it is about the repository that the current folder is in"); err != nil {
			return err
		}
		m, err := openMonitor(ctx, &options)
		if err != nil {
			return err
		}
		return watch(ctx, m, options.Every(), *asJSON, t)
	}
}

// watch reads the logs once, or again and again. What keeps one round from reading may have gone by the next.
func watch(ctx context.Context, m *walk.Monitor, every time.Duration, asJSON bool, t *ui.Terminal) error {
	for {
		report, err := monitorRound(ctx, m, asJSON, t)
		switch {
		case err != nil && (every == 0 || ui.Code(err) != ui.ExitTrouble || t.Broken() != nil || ctx.Err() != nil):
			return err
		case err != nil:
			t.Fail(err)
		case every == 0 || report.Hopeless():
			return cli.Exit(report.ExitCode())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// openMonitor makes the monitor for the repository that the current folder is in, or for none if there is none.
func openMonitor(ctx context.Context, options *cli.Monitor) (*walk.Monitor, error) {
	repo, _, err := walk.FindInRepository(ctx, ".")
	if err != nil && !errors.Is(err, gitrepo.ErrNotRepository) {
		return nil, err
	}
	config, err := cli.LoadConfig(ctx, repo)
	if err != nil {
		return nil, err
	}
	believed, err := config.Policy()
	if err != nil {
		return nil, err
	}
	o, err := options.Options(believed)
	if err != nil {
		return nil, err
	}
	o.Repo, o.URL = repo, config.URL
	return walk.NewMonitor(o)
}

// monitorRound reads the logs once and prints what it finds.
func monitorRound(ctx context.Context, m *walk.Monitor, asJSON bool, t *ui.Terminal) (*ui.MonitorReport, error) {
	if asJSON {
		return m.Collect(ctx, func(report *ui.MonitorReport) error {
			if !report.Interrupted {
				sayMonitored(t, report)
			}
			return ui.WriteJSON(t.Out, report.JSON())
		})
	}
	report, err := m.Round(ctx, func(l monitor.Log, e monitor.Entry) error {
		t.MonitorEntry(l, e)
		return t.Broken()
	})
	if err != nil {
		return nil, err
	}
	sayMonitored(t, report)
	return report, nil
}

// sayMonitored says how the reading of each log went.
func sayMonitored(t *ui.Terminal, report *ui.MonitorReport) {
	for _, l := range report.Logs {
		t.MonitoredLog(l)
	}
	t.MonitorAdvice(report)
}
