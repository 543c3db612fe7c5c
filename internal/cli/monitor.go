package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// shortestRound is the shortest time between two rounds of a monitor: logs are shared by many.
const shortestRound = time.Second

// Monitor holds the options of watching logs.
type Monitor struct {
	identities, expressions []string
	issuer, issuers         string
	log, state              string
	since, limit            int64
	all                     bool
	every                   time.Duration
	instance                Instance
	changed                 func(name string) bool
}

// Register declares the options.
func (o *Monitor) Register(flags *pflag.FlagSet) {
	o.changed = flags.Changed
	flags.StringArrayVar(&o.identities, "identity", nil, "watch the Sigstore `IDENTITY`, an e-mail address or a URI; may be repeated")
	flags.StringArrayVar(&o.expressions, "identity-regexp", nil, "watch identities that match the whole of `EXPRESSION`, in RE2's syntax; may be repeated")
	flags.StringVar(&o.issuer, "identity-provider", "", "count only what the provider at `URL` has vouched for")
	flags.StringVar(&o.issuers, "identity-provider-regexp", "", "count only what providers have vouched for whose URL matches the whole of `EXPRESSION`")
	flags.StringVar(&o.log, "log", "", "watch only the log at `URL`, which the trusted root has to list")
	flags.Int64Var(&o.since, "since-index", 0, "read from the entry with index `N` on")
	flags.BoolVar(&o.all, "all", false, "read from the first entry on")
	flags.Int64Var(&o.limit, "limit", 100_000, "read at most `N` entries of a log in one run, 0 for all")
	flags.DurationVar(&o.every, "every", 0, "keep going, and read again after each `DURATION`, such as 10m")
	flags.StringVar(&o.state, "state", "", "keep what was read in `FOLDER`, for this repository and these signers only")
	o.instance.Register(flags)
}

// Every is the time between two rounds, 0 for a single one.
func (o *Monitor) Every() time.Duration { return o.every }

// Options checks the options and puts them together with a policy.
func (o *Monitor) Options(p policy.Policy) (walk.MonitorOptions, error) {
	out := walk.MonitorOptions{Log: o.log, Limit: o.limit, Since: -1, Folder: o.state, Own: o.state != "", UserAgent: "git-model-sign/" + Version()}
	switch {
	case o.changed("since-index") && o.all:
		return out, ui.Usage("", "--since-index and --all exclude each other")
	case o.since < 0 || o.limit < 0:
		return out, ui.Usage("", "--since-index and --limit take a number of entries, found %d", min(o.since, o.limit))
	case o.changed("every") && o.every < shortestRound:
		return out, ui.Usage("", "--every %s: expected %s or more", o.every, shortestRound)
	case o.changed("since-index"):
		out.Since = o.since
	case o.all:
		out.Since = 0
	}
	for _, id := range o.identities {
		out.Identities = append(out.Identities, verify.Identity{ID: id, Issuer: o.issuer, IssuerRegexp: o.issuers})
	}
	for _, expression := range o.expressions {
		out.Identities = append(out.Identities, verify.Identity{Regexp: expression, Issuer: o.issuer, IssuerRegexp: o.issuers})
	}
	switch named := o.changed("identity-provider") || o.changed("identity-provider-regexp"); {
	case o.issuer != "" && o.issuers != "":
		return out, ui.Usage("", "--identity-provider does not go with --identity-provider-regexp")
	case named && len(out.Identities) == 0:
		return out, ui.Usage("", "--identity-provider and --identity-provider-regexp go with --identity or --identity-regexp")
	}
	if err := o.instance.Apply(&p.Trust); err != nil {
		return out, err
	}
	out.Policy = p
	if out.Folder == "" {
		dir, err := StateDir()
		if err != nil {
			return out, ui.Trouble("--state names another folder", "finding the place for what was read: %w", err)
		}
		out.Folder = filepath.Join(dir, "monitor")
	}
	return out, nil
}

// StateDir is the user's folder for what has to outlive a run and cannot be had again, as a cache can.
func StateDir() (string, error) {
	var dir string
	var err error
	switch runtime.GOOS {
	case "darwin", "ios":
		dir, err = os.UserConfigDir()
	case "windows":
		dir, err = os.UserCacheDir()
	default:
		if dir = os.Getenv("XDG_STATE_HOME"); !filepath.IsAbs(dir) {
			dir, err = os.UserHomeDir()
			dir = filepath.Join(dir, ".local", "state")
		}
	}
	return filepath.Join(dir, "git-model-sign"), err
}
