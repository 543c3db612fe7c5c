package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
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
		for {
			report, err := monitorRound(ctx, m, *asJSON, t)
			if err != nil {
				return err
			}
			code := report.ExitCode()
			switch {
			case code != ui.ExitOK && (options.Every() == 0 || report.Hopeless()):
				return cli.Exit(code)
			case options.Every() == 0:
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(options.Every()):
			}
		}
	}
}

// openMonitor makes the monitor for the repository that the current folder is in, or for none if signers are named.
func openMonitor(ctx context.Context, options *cli.Monitor) (*walk.Monitor, error) {
	p, err := walk.Locate(ctx, ".", "", false)
	if err != nil {
		return nil, err
	}
	config, err := cli.LoadConfig(ctx, p.Repo)
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
	o.Repo, o.URL = p.Repo, config.URL
	return walk.NewMonitor(ctx, o)
}

// monitorRound reads the logs once and prints what it finds.
func monitorRound(ctx context.Context, m *walk.Monitor, asJSON bool, t *ui.Terminal) (*ui.MonitorReport, error) {
	report, err := m.Round(ctx, func(l monitor.Log, e monitor.Entry) error {
		if !asJSON {
			t.MonitorEntry(l, e)
		}
		return t.Broken()
	})
	if err != nil {
		return nil, err
	}
	for _, l := range report.Logs {
		t.MonitoredLog(l)
	}
	if asJSON {
		err = ui.WriteJSON(t.Out, report.JSON())
	}
	return report, err
}
