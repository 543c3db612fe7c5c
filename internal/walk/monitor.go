package walk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// MonitorOptions say what of the world a monitor is for.
type MonitorOptions struct {
	// Repo is the repository whose signatures are known, which may be bare; nil for none.
	Repo *gitrepo.Repository
	// Policy and URL say who signs the repository, where Identities names nobody, and which Sigstore instance is watched.
	Policy policy.Policy
	URL    string
	// Identities are the signers to watch. One without an issuer is watched whoever has vouched for it.
	Identities []verify.Identity
	// Log is the address of the one log to watch, "" for all of the instance.
	Log string
	// Folder is where the state is kept. It holds that of every repository, unless Own says that it is for this one only.
	Folder string
	Own    bool
	// Since and Limit are those of [monitor.Options].
	Since, Limit int64
	UserAgent    string
}

// Monitor watches the logs of a Sigstore instance.
type Monitor struct {
	o        MonitorOptions
	instance sigstore.Options
	// begun are the logs, by address, that were read by this process: [MonitorOptions.Since] is done with.
	begun map[string]bool
	// trusted is the instance's trusted root, and asked when it was.
	trusted *root.TrustedRoot
	asked   time.Time
}

// trustedFor is for how long a process that keeps going takes what an instance has said of itself for news.
const trustedFor = time.Hour

// NewMonitor chooses the instance to watch. Nothing is asked of it yet: what it does not answer now it may answer a later round.
func NewMonitor(o MonitorOptions) (*Monitor, error) {
	s, err := o.Policy.Trust.Sigstore()
	if err != nil {
		return nil, trustError(err)
	}
	return &Monitor{o: o, begun: map[string]bool{}, instance: sigstore.Options{
		TrustedRoot: s.TrustedRoot, TrustConfig: s.TrustConfig, Staging: s.Staging, CacheDir: s.CacheDir, UserAgent: o.UserAgent}}, nil
}

// watches are the logs to read now, and how. A process that keeps going asks each time: signers are pinned, logs end and others begin.
func (m *Monitor) watches(ctx context.Context) ([]monitor.Options, error) {
	watched, err := m.o.watched()
	if err != nil {
		return nil, err
	}
	if err := m.ask(ctx); err != nil {
		return nil, err
	}
	all, err := monitor.Logs(m.trusted, "", time.Now())
	asked := all
	if err == nil && m.o.Log != "" {
		asked, err = monitor.Logs(m.trusted, m.o.Log, time.Now())
	}
	if err != nil {
		return nil, ui.Usage("--log takes the address of a log that the trusted root lists", "%w", err)
	}
	logs, listed, err := m.o.choose(all, asked)
	if err != nil {
		return nil, err
	}
	if m.o.Since > 0 && len(logs) > 1 {
		return nil, ui.Usage("name one of them by --log: "+logNames(logs), "--since-index is for one log, and there are %d", len(logs))
	}
	var out []monitor.Options
	for _, l := range logs {
		w := monitor.Options{Log: l.Log, New: l.isNew, Listed: listed, Trusted: m.trusted, Watched: watched, Folder: m.o.folder(l.Log),
			Since: m.o.Since, Limit: m.o.Limit, Client: &monitor.Client{UserAgent: m.o.UserAgent}}
		if m.begun[l.URL] {
			w.Since = -1
		}
		out = append(out, w)
	}
	return out, nil
}

// ask has the instance say whom to trust.
func (m *Monitor) ask(ctx context.Context) error {
	if m.trusted != nil && time.Since(m.asked) < trustedFor {
		return nil
	}
	instance, err := sigstore.Open(m.instance)
	if err != nil {
		return ui.Usage("", "%w", err)
	}
	trusted, err := instance.TrustedRoot(ctx)
	if err != nil {
		return ui.Trouble(sigstore.Hint(err), "%w", err)
	}
	m.trusted, m.asked = trusted, time.Now()
	return nil
}

// chosenLog is a log to watch. One that is new has come after others of the instance were watched.
type chosenLog struct {
	monitor.Log
	isNew bool
}

// choose leaves out those of the logs that were asked for which take no entries any more, unless one is asked for by name, is new, or
// was watched and is not read to its end. Listed are the addresses of all logs that are not new.
func (o MonitorOptions) choose(all, asked []monitor.Log) (chosen []chosenLog, listed []string, err error) {
	kept := map[string]monitor.Kept{}
	var first monitor.Kept // of the log that was watched first
	for _, l := range all {
		k, err := monitor.Before(o.folder(l), l)
		if err != nil {
			k.Begun = time.Now() // reading the log will say what is wrong
		} else if !k.Begun.IsZero() && (first.Begun.IsZero() || k.Begun.Before(first.Begun)) {
			first = k
		}
		kept[l.URL] = k
	}
	for _, l := range all {
		isNew := kept[l.URL].Begun.IsZero() && cameAfter(l, first)
		if !isNew {
			listed = append(listed, l.URL)
		}
		wanted := !l.Ended || isNew || !kept[l.URL].Begun.IsZero() && !kept[l.URL].Finished || o.Log != "" || o.Since >= 0
		if wanted && slices.ContainsFunc(asked, func(a monitor.Log) bool { return a.URL == l.URL }) {
			chosen = append(chosen, chosenLog{l, isNew})
		}
	}
	if len(chosen) == 0 {
		return nil, nil, ui.Usage("--log takes the address of one that has ended", "the trusted root lists no log that takes entries now")
	}
	return chosen, listed, nil
}

// cameAfter says whether a log that was never watched has come to the instance after the first of its logs was watched. Where it is not
// known which there were by then, it is from when on it takes entries.
func cameAfter(l monitor.Log, first monitor.Kept) bool {
	switch {
	case first.Begun.IsZero():
		return false
	case first.Listed == nil:
		return l.Begun.After(first.Begun)
	}
	return !slices.Contains(first.Listed, l.URL)
}

func logNames(logs []chosenLog) string {
	var names []string
	for _, l := range logs {
		names = append(names, l.String())
	}
	return strings.Join(names, ", ")
}

// watched are the signers that were given, or else those of the policy and those that are pinned.
func (o MonitorOptions) watched() (monitor.Watched, error) {
	out := monitor.Watched(o.Identities)
	if len(out) == 0 {
		out = append(out, o.Policy.Trust.Identities...)
		normal, err := gitrepo.NormalURL(o.URL)
		if err == nil && normal != "" {
			store, err := pins.StoreOf(o.Policy)
			if err != nil {
				return nil, ui.Usage("", "%w", err)
			}
			known, err := store.Load()
			if err != nil {
				return nil, ui.Usage("", "%w", err)
			}
			for _, p := range known.Of(normal) {
				out = append(out, verify.Identity{ID: p.Identity, Issuer: p.Issuer})
			}
		}
	}
	if len(out) == 0 {
		return nil, ui.Usage("name them by --identity or --identity-regexp, or in git config by modelsign.identity and modelsign.identityProvider",
			"nobody is to be watched: neither policy nor pins name a Sigstore signer of this repository")
	}
	return out, nil
}

// folder is where the state of a log is kept, which is a repository's own: what one of them knows, another does not. So is that of
// signers who were given: a look at somebody's entries is no reason to pass over those of who is watched day by day.
func (o MonitorOptions) folder(l monitor.Log) string {
	where := o.Folder
	if !o.Own {
		of := "anywhere"
		if o.Repo != nil {
			sum := sha256.Sum256([]byte(resolved(filepath.Join(o.Repo.CommonDir, "x"))))
			of = hex.EncodeToString(sum[:8])
		}
		where = filepath.Join(where, of)
		if len(o.Identities) > 0 {
			var names []string
			for _, id := range o.Identities {
				names = append(names, fmt.Sprintf("%q", id))
			}
			slices.Sort(names)
			sum := sha256.Sum256([]byte(strings.Join(names, " ")))
			where = filepath.Join(where, "signers-"+hex.EncodeToString(sum[:8]))
		}
	}
	plain := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}
	sum := sha256.Sum256([]byte(l.URL))
	return filepath.Join(where, strings.Map(plain, strings.ToLower(l.String()))+"-"+hex.EncodeToString(sum[:4]))
}

// Round reads every log once, and calls each for an entry as soon as it is found. The error is about the repository or the trusted
// root; what went wrong with a log is in the report.
func (m *Monitor) Round(ctx context.Context, each func(monitor.Log, monitor.Entry) error) (*ui.MonitorReport, error) {
	return m.round(ctx, monitor.Run, each)
}

// Collect is [Monitor.Round] for who tells of everything together. It calls tell with the report, which is of a part where the round
// was interrupted, and only what tell returns without an error for counts as reported: the next round finds the rest again.
func (m *Monitor) Collect(ctx context.Context, tell func(*ui.MonitorReport) error) (*ui.MonitorReport, error) {
	var held []*monitor.Held
	collect := func(ctx context.Context, o monitor.Options, found func(monitor.Entry) error) (monitor.Result, error) {
		result, h, err := monitor.Collect(ctx, o, found)
		held = append(held, h)
		return result, err
	}
	report, err := m.round(ctx, collect, func(monitor.Log, monitor.Entry) error { return nil })
	if report == nil {
		return nil, err
	}
	told := tell(report)
	err = errors.Join(err, told)
	for _, h := range held {
		if told == nil {
			err = errors.Join(err, h.Told())
		} else {
			err = errors.Join(err, h.Drop())
		}
	}
	return report, err
}

// round reads every log once by a way to read one. The report is nil where none could be read.
func (m *Monitor) round(ctx context.Context, read func(context.Context, monitor.Options, func(monitor.Entry) error) (monitor.Result, error),
	each func(monitor.Log, monitor.Entry) error) (*ui.MonitorReport, error) {
	watches, err := m.watches(ctx)
	if err != nil {
		return nil, err
	}
	report := &ui.MonitorReport{Shallow: m.o.Repo != nil && m.o.Repo.Shallow()}
	for _, o := range watches {
		o.Known = m.known
		result, err := read(ctx, o, func(e monitor.Entry) error {
			report.Entries = append(report.Entries, e)
			return each(o.Log, e)
		})
		m.begun[o.Log.URL] = m.begun[o.Log.URL] || result.Begun
		report.Logs = append(report.Logs, ui.MonitoredLog{Log: o.Log, Result: result, Err: ui.MonitorFailed(err)})
		if ctx.Err() != nil {
			report.Interrupted = true
			return report, ctx.Err()
		}
	}
	return report, nil
}

// known are the entries of every signature that the history of any branch or tag has held, or that is staged: a signature
// that is about to be committed is no stranger's.
func (m *Monitor) known(ctx context.Context) (monitor.Known, error) {
	known := monitor.Known{}
	if m.o.Repo == nil {
		return known, nil
	}
	var blobs []string
	err := m.o.Repo.VisitHistory(ctx, gitrepo.HistoryOptions{All: true, Suffix: ".sig"}, func(v gitrepo.Visit) error {
		for _, change := range v.Paths {
			if change.New != "" {
				blobs = append(blobs, change.New)
			}
		}
		return nil
	})
	if err != nil {
		return nil, ui.Trouble("", "reading the history: %w", err)
	}
	if m.o.Repo.Top != "" {
		staged, err := m.o.Repo.Index(ctx, "")
		if err != nil {
			return nil, ui.Trouble("", "reading what is staged: %w", err)
		}
		for _, e := range staged {
			if strings.HasSuffix(e.Path, ".sig") && e.Mode != gitrepo.ModeSubmodule && !e.IntentToAdd {
				blobs = append(blobs, e.OID)
			}
		}
	}
	if err := m.o.Repo.Blobs(ctx, blobs, oms.MaxBundleSize, func(_ string, content []byte, _ int64) error {
		if claimsToBeBundle(content) {
			_ = known.AddBundle(content) // one that cannot be read makes nothing known
		}
		return nil
	}); err != nil {
		return nil, ui.Trouble("", "reading signatures of the history: %w", err)
	}
	return known, nil
}
