package sign

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// aService is a service as a signing config lists it, with its validity in days from now.
type aService struct {
	name     string // of the host, and of the operator where that is not given
	version  int
	from, to int // 0 leaves the end open
	operator string
	url      string // "https://NAME.test" if empty
}

func (s aService) json() map[string]any {
	validity := map[string]any{"start": time.Now().AddDate(0, 0, s.from)}
	if s.to != 0 {
		validity["end"] = time.Now().AddDate(0, 0, s.to)
	}
	operator, url := s.operator, s.url
	if operator == "" {
		operator = s.name + ".test"
	}
	if url == "" {
		url = "https://" + s.name + ".test"
	}
	return map[string]any{"url": url, "majorApiVersion": s.version, "validFor": validity, "operator": operator}
}

func list(services []aService) (out []map[string]any) {
	for _, s := range services {
		out = append(out, s.json())
	}
	return out
}

// chosen is how many services a configuration wants.
type chosen struct {
	selector string
	count    int
}

func (c chosen) json() map[string]any {
	return map[string]any{"selector": c.selector, "count": c.count}
}

// config makes a signing config.
func config(t *testing.T, authorities, logs, stamps []aService, ofLogs, ofStamps chosen) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"mediaType": root.SigningConfigMediaType02, "caUrls": list(authorities), "oidcUrls": list(authorities),
		"rekorTlogUrls": list(logs), "rekorTlogConfig": ofLogs.json(), "tsaUrls": list(stamps), "tsaConfig": ofStamps.json(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestConnectChooses holds the choice of services to what Sigstore's protobuf-specs ask of clients (SigningConfig and Service
// in sigstore_trustroot.proto): of the newest version that is supported, valid now, at most one of each operator and of those
// the newest, and as many as the selector says.
func TestConnectChooses(t *testing.T) {
	any1, all := chosen{"ANY", 0}, chosen{"ALL", 0}
	ca, log1, log2, tsa := aService{name: "ca", version: 1, from: -9}, aService{name: "one", version: 1, from: -9}, aService{name: "two", version: 2, from: -9},
		aService{name: "tsa", version: 1, from: -9}
	for name, c := range map[string]struct {
		authorities, logs, stamps []aService
		ofLogs, ofStamps          chosen
		want                      string // the certificate authority, logs and timestamp authorities that may be chosen
		number                    int    // of logs and timestamp authorities together, where that is not all of them
		text                      string // in the error
	}{
		"one of each":            {nil, []aService{log1}, []aService{tsa}, any1, any1, "ca one tsa", 0, ""},
		"no timestamp authority": {nil, []aService{log1}, nil, any1, chosen{"SERVICE_SELECTOR_UNDEFINED", 0}, "ca one", 0, ""},

		"the newest authority": {[]aService{ca, {name: "new", version: 1, from: -2}, {name: "old", version: 1, from: -20}}, []aService{log1}, nil, any1, any1, "new one", 0, ""},
		"not yet valid":        {[]aService{{name: "new", version: 1, from: 2}, ca}, []aService{log1}, nil, any1, any1, "ca one", 0, ""},
		"no longer valid":      {[]aService{{name: "new", version: 1, from: -3, to: -1}, ca}, []aService{log1}, nil, any1, any1, "ca one", 0, ""},
		"unknown version":      {[]aService{{name: "new", version: 2, from: -1}, ca}, []aService{log1}, nil, any1, any1, "ca one", 0, ""},
		"unreleased":           {[]aService{{name: "new", version: 0, from: -1}, ca}, []aService{log1}, nil, any1, any1, "ca one", 0, ""},
		"none is valid":        {[]aService{{name: "new", version: 1, from: 2}}, []aService{log1}, nil, any1, any1, "", 0, "no certificate authority (Fulcio)"},

		"Rekor v2 before v1":       {nil, []aService{log1, log2}, []aService{tsa}, any1, any1, "ca two tsa", 0, ""},
		"of all, only v2":          {nil, []aService{log1, log2, {name: "too", version: 2, from: -1}}, []aService{tsa}, all, any1, "ca two too tsa", 0, ""},
		"v2 of the future":         {nil, []aService{{name: "two", version: 2, from: 1}, log1}, []aService{tsa}, any1, any1, "ca one tsa", 0, ""},
		"v2 of the past":           {nil, []aService{{name: "two", version: 2, from: -3, to: -1}, log1}, []aService{tsa}, any1, any1, "ca one tsa", 0, ""},
		"v3":                       {nil, []aService{{name: "three", version: 3, from: -1}, log1}, []aService{tsa}, any1, any1, "ca one tsa", 0, ""},
		"v2 without a time":        {nil, []aService{log1, log2}, nil, any1, any1, "", 0, "its log at https://two.test (Rekor v2) makes necessary"},
		"one log of an operator":   {nil, []aService{{name: "old", version: 2, from: -9, operator: "o"}, {name: "new", version: 2, from: -1, operator: "o"}}, []aService{tsa}, all, any1, "ca new tsa", 0, ""},
		"any of several logs":      {nil, []aService{log1, {name: "other", version: 1, from: -1}}, nil, any1, any1, "ca one other", 1, ""},
		"exactly two logs":         {nil, []aService{log1, {name: "b", version: 1, from: -1}, {name: "c", version: 1, from: -1}}, nil, chosen{"EXACT", 2}, any1, "ca one b c", 2, ""},
		"more logs than operators": {nil, []aService{{name: "a", version: 1, from: -2, operator: "o"}, {name: "b", version: 1, from: -1, operator: "o"}}, nil, chosen{"EXACT", 2}, any1, "", 0, "no transparency log (Rekor): "},
		"exactly no log":           {nil, []aService{log1}, nil, chosen{"EXACT", 0}, any1, "", 0, "no transparency log (Rekor): "},
		"no word on how many logs": {nil, []aService{log1}, nil, chosen{"SERVICE_SELECTOR_UNDEFINED", 0}, any1, "", 0, "no transparency log (Rekor): "},
		"no log":                   {nil, []aService{}, nil, any1, any1, "", 0, "no transparency log (Rekor)"},

		"any time":                  {nil, []aService{log2}, []aService{tsa, {name: "b", version: 1, from: -1}}, any1, any1, "ca two tsa b", 2, ""},
		"all times":                 {nil, []aService{log2}, []aService{tsa, {name: "b", version: 1, from: -1}, {name: "c", version: 1, from: -1}}, any1, all, "ca two tsa b c", 0, ""},
		"all that are valid":        {nil, []aService{log2}, []aService{tsa, {name: "b", version: 1, from: 1}, {name: "c", version: 1, from: -3, to: -1}}, any1, all, "ca two tsa", 0, ""},
		"one time of an operator":   {nil, []aService{log2}, []aService{{name: "a", version: 1, from: -3, operator: "o"}, {name: "b", version: 1, from: -1, operator: "o"}, tsa}, any1, all, "ca two tsa b", 0, ""},
		"exactly two times":         {nil, []aService{log2}, []aService{tsa, {name: "b", version: 1, from: -1}, {name: "c", version: 1, from: -1}}, any1, chosen{"EXACT", 2}, "ca two tsa b c", 3, ""},
		"more times than there are": {nil, []aService{log2}, []aService{tsa}, any1, chosen{"EXACT", 2}, "", 0, "no timestamp authority: "},
		"no time is valid":          {nil, []aService{log1}, []aService{{name: "b", version: 1, from: 1}}, any1, any1, "", 0, "no timestamp authority: "},
	} {
		t.Run(name, func(t *testing.T) {
			if c.authorities == nil {
				c.authorities = []aService{ca}
			}
			parsed, err := root.NewSigningConfigFromJSON(config(t, c.authorities, c.logs, c.stamps, c.ofLogs, c.ofStamps))
			if err != nil {
				t.Fatal(err)
			}
			for range 8 { // what is chosen by chance is so each time
				s, err := connect(t.Context(), parsed, "")
				if c.text != "" {
					if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.text) {
						t.Fatalf("error is %v, want %v with %q", err, ErrConfig, c.text)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				check(t, s, strings.Fields(c.want), c.number)
			}
		})
	}
}

// check wants services to be among those that may be chosen, each once; all of them, or a number.
func check(t *testing.T, s *services, want []string, number int) {
	t.Helper()
	host := func(url string) string { return strings.TrimSuffix(strings.TrimPrefix(url, "https://"), ".test") }
	got := []string{host(s.authority.url)}
	for _, l := range s.logs {
		got = append(got, host(l.url))
	}
	for _, a := range s.timestamps {
		got = append(got, host(a.url))
	}
	for i, name := range got {
		if !slices.Contains(want, name) || slices.Contains(got[:i], name) {
			t.Fatalf("chosen are %v, want of %v each once", got, want)
		}
	}
	if number == 0 {
		number = len(want) - 1
	}
	if len(got) != number+1 || got[0] != want[0] {
		t.Fatalf("chosen are %v, want %s and %d of %v", got, want[0], number, want[1:])
	}
}

// TestEveryTimestamp signs at an instance whose signing config names several timestamp authorities.
func TestEveryTimestamp(t *testing.T) {
	instance := verifytest.NewInstance(t)
	known := []*verifytest.TimestampAuthority{
		verifytest.NewTimestampAuthority(t, "a"), verifytest.NewTimestampAuthority(t, "b"), verifytest.NewTimestampAuthority(t, "c"),
	}
	instance.Timestamps = known
	trusted := instance.TrustedRoot(t, false)
	stranger := verifytest.NewTimestampAuthority(t, "stranger")
	stamps := func(by ...http.Handler) (out []aService) {
		for i, h := range by {
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			out = append(out, aService{name: fmt.Sprintf("tsa%d", i), version: 1, from: -1, url: server.URL})
		}
		return out
	}
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	for name, c := range map[string]struct {
		stamps []aService
		of     chosen
		want   int
		text   string // in the error
	}{
		"any":               {stamps(known[0], known[1], known[2]), chosen{"ANY", 0}, 1, ""},
		"all":               {stamps(known[0], known[1], known[2]), chosen{"ALL", 0}, 3, ""},
		"exactly two":       {stamps(known[0], known[1], known[2]), chosen{"EXACT", 2}, 2, ""},
		"none":              {nil, chosen{"ANY", 0}, 0, ""},
		"one is down":       {stamps(known[0], down, known[2]), chosen{"ALL", 0}, 0, "timestamp authority at http://127.0.0.1"},
		"one is a stranger": {stamps(known[0], known[1], stranger), chosen{"ALL", 0}, 0, "a timestamp that the trusted root does not know"},
		"too few":           {stamps(known[0], known[1]), chosen{"EXACT", 3}, 0, "no timestamp authority: "},
	} {
		t.Run(name, func(t *testing.T) {
			server := instance.Serve(t)
			at := []aService{{name: "all", version: 1, from: -1, url: server.URL}}
			s := newSigstore(t, SigstoreOptions{TrustedRoot: trusted, SigningConfig: config(t, at, at, c.stamps, chosen{"ANY", 0}, c.of)})
			raw, err := s.Sign(t.Context(), statement(t))
			if c.text != "" {
				if raw != nil || err == nil || !strings.Contains(err.Error(), c.text) || server.Logged() != 0 {
					t.Errorf("error is %v with %d entries logged, want %q and none", err, server.Logged(), c.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var b protobundle.Bundle
			if err := protojson.Unmarshal(raw, &b); err != nil {
				t.Fatal(err)
			}
			r, err := root.NewTrustedRootFromJSON(trusted)
			if err != nil {
				t.Fatal(err)
			}
			signature, by := b.GetDsseEnvelope().GetSignatures()[0].GetSig(), make(map[int]bool)
			for _, stamp := range b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps() {
				for i, authority := range r.TimestampingAuthorities() {
					if _, err := authority.Verify(stamp.GetSignedTimestamp(), signature); err == nil {
						by[i] = true
					}
				}
			}
			if n := len(b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()); n != c.want || len(by) != c.want {
				t.Errorf("%d timestamps by %d authorities that are trusted, want %d", n, len(by), c.want)
			}
		})
	}
}

// TestRekorVersions has logs of both versions fail, each of which is asked once, by the interface of its version.
func TestRekorVersions(t *testing.T) {
	instance := verifytest.NewInstance(t)
	instance.Timestamps = append(instance.Timestamps, verifytest.NewTimestampAuthority(t, "tsa"))
	stamp := instance.Timestamps[0].Serve(t)
	for version, want := range map[int]string{1: "POST /api/v1/log/entries", 2: "POST /api/v2/log/entries"} {
		t.Run(want, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			log := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, r.Method+" "+r.URL.Path)
				w.WriteHeader(http.StatusInternalServerError)
			}))
			defer log.Close()
			c := config(t, []aService{{name: "ca", version: 1, from: -1, url: instance.Serve(t).URL}},
				[]aService{{name: "log", version: version, from: -1, url: log.URL}},
				[]aService{{name: "tsa", version: 1, from: -1, url: stamp}}, chosen{"ANY", 0}, chosen{"ANY", 0})
			_, err := newSigstore(t, SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false), SigningConfig: c}).Sign(t.Context(), statement(t))
			if !errors.Is(err, ErrService) || !strings.Contains(err.Error(), "Rekor (transparency log) at "+log.URL) {
				t.Errorf("error is %v, want one that names the log", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(asked, []string{want}) {
				t.Errorf("asked was %v, want %s once", asked, want)
			}
		})
	}
}

// TestTimestampIsSmall holds that a timestamp which no bundle takes is refused when it comes, before anything is logged.
func TestTimestampIsSmall(t *testing.T) {
	large := verifytest.NewTimestampAuthority(t, "large", func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 30_000) })
	any1 := chosen{"ANY", 0}
	parsed, err := root.NewSigningConfigFromJSON(config(t, []aService{{name: "ca", version: 1, from: -9}}, []aService{{name: "log", version: 1, from: -9}},
		[]aService{{name: "tsa", version: 1, from: -9, url: large.Serve(t)}}, any1, any1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := connect(t.Context(), parsed, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.timestamps[0].client.GetTimestamp(t.Context(), []byte("signature")); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}
