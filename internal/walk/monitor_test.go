package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/monitor"
	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Which logs are read, and which from their beginning, as an instance's logs begin and end between two runs.
func TestChooseLogs(t *testing.T) {
	now := time.Now()
	const before, after = -time.Hour, time.Hour // of the first run
	log := func(name string, begun time.Duration, ended bool) monitor.Log {
		return monitor.Log{URL: "https://" + name + ".example.com", Begun: now.Add(begun), Ended: ended}
	}
	const reading, finished, damaged = `"finished":false`, `"finished":true`, `"finished":7`
	const listing = `"listed":["https://a.example.com","https://ended.example.com"]`
	a, ended := log("a", before, false), log("ended", before, true)
	tests := []struct {
		name string
		all  []monitor.Log
		kept map[string]string // what was kept of them, by name
		o    MonitorOptions
		want string
	}{
		{"the first run", []monitor.Log{a, ended}, nil, MonitorOptions{Since: -1}, "a"},
		{"the first run, of everything", []monitor.Log{a, ended}, nil, MonitorOptions{}, "a ended"},
		{"by name", []monitor.Log{ended}, nil, MonitorOptions{Log: ended.URL, Since: -1}, "ended"},
		{"none", []monitor.Log{ended}, nil, MonitorOptions{Since: -1}, ""},
		{"it has ended since", []monitor.Log{a, ended}, map[string]string{"a": reading, "ended": reading}, MonitorOptions{Since: -1}, "a ended"},
		{"it was read to its end", []monitor.Log{a, ended}, map[string]string{"a": reading, "ended": finished}, MonitorOptions{Since: -1}, "a"},
		{"and by name", []monitor.Log{ended}, map[string]string{"ended": finished}, MonitorOptions{Log: ended.URL, Since: -1}, "ended"},
		{"another has begun", []monitor.Log{a, log("b", after, false)}, map[string]string{"a": reading}, MonitorOptions{Since: -1}, "a b:new"},
		{"another was there already", []monitor.Log{a, log("b", before, false)}, map[string]string{"a": reading}, MonitorOptions{Since: -1}, "a b"},
		{"it was watched since", []monitor.Log{a, log("b", after, false)}, map[string]string{"a": reading, "b": reading}, MonitorOptions{Since: -1}, "a b"},
		{"one of another start has come", []monitor.Log{a, log("b", before, false)}, map[string]string{"a": listing}, MonitorOptions{Since: -1}, "a b:new"},
		{"it is the one that is asked for", []monitor.Log{a, log("b", before, false)}, map[string]string{"a": listing},
			MonitorOptions{Since: -1, Log: "https://b.example.com"}, "b:new"},
		{"it has come and ended", []monitor.Log{a, log("b", before, true), ended}, map[string]string{"a": listing}, MonitorOptions{Since: -1}, "a b:new"},
		{"only one was asked for at first", []monitor.Log{a, log("ended", after, false)}, map[string]string{"a": listing}, MonitorOptions{Since: -1}, "a ended"},
		{"others have come since", []monitor.Log{log("b", before, false), a, log("c", before, false)},
			map[string]string{"a": listing, "b": `"listed":["https://a.example.com"],"begun":"` + now.Add(time.Minute).Format(time.RFC3339Nano) + `"`},
			MonitorOptions{Since: -1}, "b a c:new"},
		{"logs of another instance", []monitor.Log{log("b", before, false)}, map[string]string{"a": listing}, MonitorOptions{Since: -1}, "b"},
		{"what was kept is damaged", []monitor.Log{a, ended}, map[string]string{"a": reading, "ended": damaged}, MonitorOptions{Since: -1}, "a ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Folder = t.TempDir()
			for _, l := range tt.all {
				name, _, _ := strings.Cut(strings.TrimPrefix(l.URL, "https://"), ".")
				if tt.kept[name] == "" {
					continue
				}
				state := fmt.Sprintf(`{"version":1,"log":%q,%s,"next":1,"trees":[{"offset":0,"checkpoint":"x"}]`, l.URL, tt.kept[name])
				if !strings.Contains(state, `"begun"`) {
					state += fmt.Sprintf(`,"begun":%q`, now.Format(time.RFC3339Nano))
				}
				state += "}"
				if err := os.MkdirAll(tt.o.folder(l), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(tt.o.folder(l), "state.json"), []byte(state), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			asked := slices.Clone(tt.all)
			if tt.o.Log != "" {
				asked = slices.DeleteFunc(asked, func(l monitor.Log) bool { return l.URL != tt.o.Log })
			}
			chosen, listed, err := tt.o.choose(tt.all, asked)
			if (err != nil) != (tt.want == "") {
				t.Fatalf("error %v", err)
			}
			var got []string
			for _, l := range chosen {
				name, _, _ := strings.Cut(l.String(), ".")
				if l.isNew {
					name += ":new"
				}
				if err == nil && slices.Contains(listed, l.URL) == l.isNew {
					t.Errorf("listed %q", listed)
				}
				got = append(got, name)
			}
			if !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Every log and every repository has a folder of its own, whatever the log's address is.
func TestMonitorFolder(t *testing.T) {
	seen := map[string]string{}
	for _, u := range []string{"https://log.example.com", "http://log.example.com", "https://LOG.example.com", "https://log.example.com/../x",
		"https://log.example.com:443", `https://log.example.com/a\b`, "https://log.example.com/a/b"} {
		folder := MonitorOptions{Folder: "/state"}.folder(monitor.Log{URL: u})
		if seen[folder] != "" {
			t.Errorf("%s and %s have one folder", u, seen[folder])
		}
		seen[folder] = u
		if rest, ok := strings.CutPrefix(filepath.ToSlash(folder), "/state/anywhere/"); !ok || strings.ContainsAny(rest, `/\:`) {
			t.Errorf("%s: %s", u, folder)
		}
	}
}

// Who is given by options is watched by a state of their own, in whatever order they are given.
func TestMonitorFolderOfSigners(t *testing.T) {
	a, b := verify.Identity{ID: "a"}, verify.Identity{Regexp: "a"}
	seen := map[string]bool{}
	for _, ids := range [][]verify.Identity{nil, {a}, {b}, {a, b}, {{ID: "a", Issuer: "b"}}, {{ID: "a", IssuerRegexp: "b"}}} {
		seen[MonitorOptions{Folder: "/state", Identities: ids}.folder(monitor.Log{URL: "https://log.example.com"})] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d folders, want 6: %v", len(seen), seen)
	}
	if !seen[MonitorOptions{Folder: "/state", Identities: []verify.Identity{b, a}}.folder(monitor.Log{URL: "https://log.example.com"})] {
		t.Error("the order matters")
	}
}

// What a round has found counts as reported once somebody was told, also where it was interrupted or where there was no telling.
func TestMonitorCollect(t *testing.T) {
	const issuer = "https://accounts.example.com"
	first, second := monitortest.New(t), monitortest.New(t)
	if first.Server.URL > second.Server.URL { // they are read in this order
		first, second = second, first
	}
	for _, l := range []*monitortest.Log{first, second} {
		l.Add(monitortest.Body("dsse 0.0.2", l.Certificate(t, "alice@example.com", issuer), l.Server.URL))
	}
	m, err := NewMonitor(MonitorOptions{Identities: []verify.Identity{{ID: "alice@example.com"}}, Folder: t.TempDir(),
		Policy: policy.Policy{Trust: policy.Trust{TrustedRoot: trustedRoots(t, first, second)}}})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	collect := func(ctx context.Context, tell error, logs int, want ...string) (*ui.MonitorReport, error) {
		t.Helper()
		got := []string{"not told"}
		report, err := m.Collect(ctx, func(r *ui.MonitorReport) error {
			got = nil
			for _, e := range r.Entries {
				got = append(got, e.Log)
			}
			if len(r.Logs) != logs {
				t.Errorf("%d logs, want %d", len(r.Logs), logs)
			}
			return tell
		})
		if !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		return report, err
	}
	if _, err := collect(t.Context(), full, 2, first.Server.URL, second.Server.URL); !errors.Is(err, full) {
		t.Errorf("where it cannot be told: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees who goes
		<-r.Context().Done()
		return true
	})
	report, err := collect(ctx, nil, 2, first.Server.URL)
	if !errors.Is(err, context.Canceled) || report.ExitCode() != ui.ExitTrouble || report.Logs[1].Err == nil {
		t.Errorf("interrupted: %+v, %v", report, err)
	}
	second.Hook(nil)
	for _, want := range [][]string{{second.Server.URL}, nil} {
		if _, err := collect(t.Context(), nil, 2, want...); err != nil {
			t.Error(err)
		}
	}
}

// A log that comes later is read from its beginning, from whenever on the trusted root says that it takes entries.
func TestMonitorLogComesLater(t *testing.T) {
	first, second := monitortest.New(t), monitortest.New(t)
	for i, l := range []*monitortest.Log{first, second} {
		l.Add(monitortest.Body("dsse 0.0.2", l.Certificate(t, "alice@example.com", "https://accounts.example.com"), fmt.Sprint(i)))
	}
	folder := t.TempDir()
	for _, round := range []struct {
		name  string
		roots string
		want  []string
	}{
		{"the first", trustedRoots(t, first), nil},
		{"with another log", trustedRoots(t, first, second), []string{second.Server.URL}},
		{"once more", trustedRoots(t, first, second), nil},
	} {
		m, err := NewMonitor(MonitorOptions{Identities: []verify.Identity{{ID: "alice@example.com"}}, Folder: folder, Since: -1,
			Policy: policy.Policy{Trust: policy.Trust{TrustedRoot: round.roots}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		report, err := m.Round(t.Context(), func(l monitor.Log, _ monitor.Entry) error {
			got = append(got, l.URL)
			return nil
		})
		if err != nil || ui.Code(report.Logs[0].Err) != ui.ExitOK || !slices.Equal(got, round.want) {
			t.Errorf("%s: found in %q, want %q (%+v, %v)", round.name, got, round.want, report, err)
		}
	}
}

// trustedRoots writes the trusted root of an instance that has several logs, and returns its file.
func trustedRoots(t *testing.T, logs ...*monitortest.Log) string {
	t.Helper()
	listed := map[string]*root.TransparencyLog{}
	var authorities []root.CertificateAuthority
	for _, l := range logs {
		r := l.TrustedRoot(t)
		maps.Copy(listed, r.RekorLogs())
		authorities = append(authorities, r.FulcioCertificateAuthorities()...)
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, nil, nil, listed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
