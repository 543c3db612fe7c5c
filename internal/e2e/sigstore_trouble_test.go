package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// mint makes a token with other claims the session's.
func (s *signing) mint(claims map[string]any) {
	s.t.Helper()
	token, err := s.issuer.Mint(claims)
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = token
	s.write("token", token+"\n")
}

// TestTroubles meets everything else that comes between somebody and a signature: what the token says, what the issuer says, and
// what the clocks say. What is for the log to say is logged, and nothing else.
func TestTroubles(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	lasting := map[string]any{"exp": time.Now().Add(24 * hour).Unix()} // the token outlives the clocks' differences
	everywhere := func(ahead time.Duration) func(*signing) {
		return func(s *signing) {
			for _, service := range []string{"fulcio", "timestamps", "rekor"} {
				s.instance.SetClock(service, ahead)
			}
		}
	}
	clock := func(service string, ahead time.Duration) func(*signing) {
		return func(s *signing) { s.instance.SetClock(service, ahead) }
	}
	for name, c := range map[string]struct {
		way    string
		claims map[string]any
		begin  func(*signing)
		end    func(*signing)
		status int // 0: it signs all the same
		logged int
		hint   string
		words  []string
	}{
		"expired token":               {"Fulcio", map[string]any{"exp": 1000}, nil, nil, 2, 0, "clock of this machine", []string{"it expired at 1970-01-01", "here it is"}},
		"token of tomorrow":           {"Fulcio", map[string]any{"nbf": time.Now().Add(24 * hour).Unix()}, nil, nil, 2, 0, "clock of this machine", []string{"not valid before", "here it is"}},
		"wrong audience":              {"Fulcio", map[string]any{"aud": "sts.example.com"}, nil, nil, 2, 0, "--client-id", []string{`"sts.example.com", expected "sigstore"`, "http://127.0.0.1"}},
		"unverified e-mail":           {"Fulcio", map[string]any{"email_verified": false}, nil, nil, 2, 0, "have the identity provider verify", []string{"alice@example.com", "http://127.0.0.1"}},
		"nobody in it":                {"Fulcio", map[string]any{"sub": nil, "email": nil}, nil, nil, 2, 0, "", []string{"names nobody"}},
		"refused consent":             {"issuer", nil, func(s *signing) { s.issuer.Refuse("access_denied") }, func(s *signing) { s.issuer.Refuse("") }, 4, 0, "nothing was logged", []string{"sign-in was refused: access_denied"}},
		"nobody enters a code":        {"issuer", nil, func(s *signing) { s.issuer.Refuse("expired_token") }, func(s *signing) { s.issuer.Refuse("") }, 4, 0, "nothing was logged", []string{"nobody has signed in"}},
		"another client":              {"issuer", nil, func(s *signing) { delete(s.issuer.Clients, "sigstore") }, func(s *signing) { s.issuer.Clients["sigstore"] = clientSecret }, 4, 0, "--client-id", []string{"invalid_client"}},
		"the log has it":              {"Rekor", nil, func(s *signing) { s.instance.SetTwice(true) }, func(s *signing) { s.instance.SetTwice(false) }, 0, 1, "", nil},
		"our clock is behind":         {"Fulcio", nil, everywhere(hour), everywhere(0), 4, 0, "clock of this machine: it is 1h0m0s behind that of http://", []string{"Fulcio", "400 Bad Request"}},
		"our clock is ahead":          {"Fulcio", lasting, everywhere(-hour), everywhere(0), 4, 0, "clock of this machine: it is 1h0m0s ahead of that of http://", []string{"Fulcio", "400 Bad Request", "not valid"}},
		"behind, and a lasting token": {"Fulcio", lasting, everywhere(hour / 2), everywhere(0), 0, 1, "", nil},
		"authority is ahead":          {"timestamp authority", nil, clock("timestamps", hour), clock("timestamps", 0), 4, 0, "operator", []string{"timestamp authority", "it says that it is", "clock of one of the two"}},
		"authority is behind":         {"timestamp authority", nil, clock("timestamps", -hour), clock("timestamps", 0), 4, 0, "operator", []string{"timestamp authority", "it says that it is"}},
		"log is ahead":                {"Rekor", nil, clock("rekor", hour), clock("rekor", 0), 4, 1, "operator", []string{"Rekor", "it says that it is"}},
		"log is behind":               {"Rekor", nil, clock("rekor", -hour), clock("rekor", 0), 4, 1, "the log may have the signature", []string{"Rekor", "it says that it is"}},
		"answer of the log is lost": {"Rekor", nil, func(s *signing) {
			s.fronts["rekor"].set("", func(_ http.ResponseWriter, r *http.Request) {
				s.instance.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			})
		}, func(s *signing) { s.fronts["rekor"].set("", nil) }, 4, 1, "the log may have the signature", []string{"Rekor", "the connection broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSigning(t), ways[c.way]
			s.mint(c.claims)
			if c.begin != nil {
				c.begin(s)
			}
			r := s.sign(w, "")
			if c.status == 0 {
				if r.status != 0 || s.instance.Logged() != c.logged {
					t.Errorf("exit status %d, %d entries are logged, want %d\n%s", r.status, s.instance.Logged(), c.logged, r.said())
				}
				s.write("model/model.sig", s.signed)
			} else {
				s.failed(r, c.status, c.logged, c.hint, c.words...)
			}
			if c.end != nil {
				c.end(s)
			}
			s.mint(nil)
			s.works(w)
		})
	}
}

// TestProxies has the proxy that the environment names be one that does not work, with a password in its address.
func TestProxies(t *testing.T) {
	t.Parallel()
	refusing := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	s := newSigning(t)
	whole := s.Env
	for name, c := range map[string]struct{ proxy, text string }{
		"cannot be reached": {"http://user:" + proxyPassword + "@127.0.0.1:1", "proxy cannot be reached"},
		"wants a password":  {strings.Replace(refusing.URL, "http://", "http://user:"+proxyPassword+"@", 1), "name and a password"},
	} {
		s.Env = append(whole[:len(whole):len(whole)], "NO_PROXY=", "no_proxy=", "HTTPS_PROXY="+c.proxy, "https_proxy="+c.proxy)
		for _, service := range []string{"Fulcio", "timestamp authority", "Rekor", "issuer", "GitHub Actions"} {
			w := ways[service]
			r := s.sign(w, "https://service.example.com")
			s.failed(r, 4, 0, "HTTPS_PROXY", w.service, "https://service.example.com", c.text)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
	s.Env = whole
	s.works(ways["Fulcio"])
}

// TestForeignConfiguration clones a model that brings along everything by which somebody could be led elsewhere to sign in, and
// looks that nobody there is asked, and nothing of it started.
func TestForeignConfiguration(t *testing.T) {
	s := newSigning(t)
	var asked atomic.Int32
	elsewhere := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.NotFound(w, r) }))
	browser := fmt.Sprintf("#!/bin/sh\ntouch %s\n", s.path("started"))
	config := fmt.Sprintf("[modelsign]\n\tsignInProvider = %[1]s\n\tclientId = mallory\n\ttrustConfig = %[2]s\n\tidentityTokenFile = %[2]s\n[core]\n\tfsmonitor = %[3]s\n[web]\n\tbrowser = %[3]s\n",
		elsewhere.URL, s.path("model/trust.json"), s.path("model/browser"))
	files := map[string]string{
		"browser": browser, "xdg-open": browser, "buildkite-agent": browser, ".gitconfig": config, ".config/git/config": config, "config": config,
		"git-model-sign.toml": config, ".env": "BROWSER=./browser\nACTIONS_ID_TOKEN_REQUEST_URL=" + elsewhere.URL + "\n", ".envrc": "export BROWSER=./browser\n",
		"signing_config.json": strings.ReplaceAll(string(s.instance.TrustConfig(t, elsewhere.URL)), s.instance.URL, elsewhere.URL),
		"trust.json":          strings.ReplaceAll(string(s.instance.TrustConfig(t, elsewhere.URL)), s.instance.URL, elsewhere.URL),
		"HEAD":                "ref: refs/heads/main\n", "objects/keep": "", "refs/keep": "", "inner/HEAD": "ref: refs/heads/main\n", "inner/objects/keep": "", "inner/refs/keep": "", "inner/config": config,
	}
	for name := range maps.Keys(files) {
		s.write("model/"+name, files[name])
	}
	s.exits(0, "chmod", "755", "model/browser", "model/xdg-open", "model/buildkite-agent")
	s.exits(0, "git", "-C", "model", "add", "-A")
	s.exits(0, "git", "-C", "model", "commit", "-qm", "Bring more along")
	s.exits(0, "git", "clone", "-q", "model", "clone")
	for _, w := range []way{ways["Fulcio"], ways["issuer"], ways["GitHub Actions"]} {
		env, args := s.command(w, "")
		for i, arg := range args {
			args[i] = strings.NewReplacer("trust.json", s.path("trust.json"), "token", s.path("token"), "model", ".").Replace(arg)
			if strings.HasPrefix(arg, "--") {
				args[i] = arg
			}
		}
		for _, dir := range []string{"clone", "clone/inner"} {
			cmd := s.Command(t.Context(), s.path(dir), "git-model-sign", args...)
			cmd.Env = append(cmd.Env, env...)
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "mallory") || strings.Contains(string(out), elsewhere.URL) || dir == "clone" && err != nil {
				t.Errorf("%s in %s: %v\n%s", w.service, dir, err, out)
			}
		}
		s.write("clone/model.sig", s.signed)
	}
	if exists(s.path("started")) || asked.Load() > 0 {
		t.Errorf("what the repository brought along is followed: somebody else is asked %d times", asked.Load())
	}
	// The same is followed in a file of the user's own.
	s.write("home/.gitconfig", string(s.read("home/.gitconfig"))+fmt.Sprintf("[modelsign]\n\tsignInProvider = %s\n", elsewhere.URL))
	if r := s.sign(ways["issuer"], ""); r.status == 0 || asked.Load() == 0 {
		t.Errorf("the user's own configuration is not followed: exit status %d\n%s", r.status, r.said())
	}
}
