package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/workload"
)

const (
	google = "https://accounts.google.com"
	gitHub = "https://github.com/login/oauth"
)

// person signs in as asked, by a browser of its own.
type person struct {
	mu     sync.Mutex
	shown  []string
	paste  func(url string) (string, error)
	opened bool
}

func (p *person) show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, text)
}

func (p *person) Browse(url string, opened bool) { p.show(url); p.opened = opened }
func (p *person) Enter(url, code string)         { p.show(url + " " + code) }
func (p *person) Paste(_ context.Context, url string) (string, error) {
	p.show(url)
	return p.paste(url)
}

// visit is what a browser does, in the background as browsers do.
func visit(url string) error {
	go func() {
		if a, err := http.Get(url); err == nil {
			a.Body.Close()
		}
	}()
	return nil
}

// read is what a person reads in a browser.
func read(url string) (string, error) {
	a, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	_, code, _ := strings.Cut(string(b), "<code>")
	code, _, _ = strings.Cut(code, "</code>")
	return code, err
}

// noDevice has an issuer offer no flow for devices.
func noDevice(i *testIssuer) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/.well-known/openid-configuration": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["ES256"]}`,
			i.URL, i.URL+"/auth", i.URL+"/token", i.URL+"/keys")
	}}
}

func environment(pairs ...string) workload.Environment {
	return workload.Environment{Pause: time.Millisecond, Machine: "/nonexistent", Getenv: func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}}
}

// unmet is how long is waited for what does not come, where something else has to come before: busy machines take their time.
const unmet = 5 * time.Second

// options are those of somebody at a terminal with a browser.
func options() Options {
	return Options{Attended: true, People: &person{paste: read}, Environment: environment(), open: visit, wait: time.Minute}
}

// at is the issuer of an instance.
func at(issuer string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return issuer, nil }
}

// run signs in from the beginning to the end.
func run(t *testing.T, o Options, issuer string) (string, error) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		return "", err
	}
	if err := s.Prepare(t.Context(), at(issuer)); err != nil {
		return "", err
	}
	return s.Token(t.Context())
}

func TestSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		issuer func(*testIssuer)
		o      func(*Options)
		shown  string
	}{
		"browser":                        {nil, nil, "redirect_uri=http%3A%2F%2Flocalhost%3A"},
		"browser, Google":                {nil, func(o *Options) { o.Provider = google }, "connector_id=" + url.QueryEscape(google)},
		"browser, GitHub":                {nil, func(o *Options) { o.Provider = gitHub }, "connector_id=" + url.QueryEscape(gitHub)},
		"browser that is opened by hand": {nil, func(o *Options) { o.open = func(url string) error { visit(url); return errNoBrowser } }, "/auth?"},
		"code":                           {nil, func(o *Options) { o.Flow = FlowCode }, "redirect_uri=urn%3Aietf"},
		"device":                         {func(i *testIssuer) { i.Pending = 1 }, func(o *Options) { o.Flow = FlowDevice }, "/device?user_code="},
		"device, nobody at a terminal":   {nil, func(o *Options) { o.Flow, o.Attended = FlowDevice, false }, "/device?user_code="},
		"over ssh":                       {nil, func(o *Options) { o.open, o.Environment = nil, environment("SSH_CONNECTION", "1", "DISPLAY", ":1") }, "/device?user_code="},
		"over ssh, no device flow":       {func(i *testIssuer) { i.answers = noDevice(i) }, func(o *Options) { o.open, o.Environment = nil, environment("SSH_TTY", "1") }, "redirect_uri=urn%3Aietf"},
		"client with a secret":           {func(i *testIssuer) { i.Clients["sigstore"] = "hunter2" }, func(o *Options) { o.ClientSecret = "hunter2" }, "/auth?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			if c.issuer != nil {
				c.issuer(i)
			}
			o := options()
			if c.o != nil {
				c.o(&o)
			}
			raw, err := run(t, o, i.URL)
			if err != nil {
				t.Fatal(err)
			}
			token, err := idtoken.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if identity, issuer := token.Certificate(); identity != "alice@example.com" || issuer != i.URL {
				t.Errorf("signed in as %s via %s", identity, issuer)
			}
			if shown := o.People.(*person).shown; len(shown) != 1 || !strings.Contains(shown[0], c.shown) || strings.Contains(shown[0], "hunter2") {
				t.Errorf("shown is %q, want one with %q", shown, c.shown)
			}
			asked := i.requests()
			if len(asked) != 1 || asked[0].Get("code_challenge") == "" || asked[0].Get("scope") != "openid email" {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}

// TestIssuerUnused asks for the instance's issuer only where somebody has to sign in there, as one that cannot be used is an error.
func TestIssuerUnused(t *testing.T) {
	i := newIssuer(t)
	token, err := i.Mint(nil)
	if err != nil {
		t.Fatal(err)
	}
	unusable := errors.New("no issuer that can be used")
	for name, c := range map[string]struct {
		edit func(*Options)
		want error
	}{
		"browser":            {func(*Options) {}, unusable},
		"device":             {func(o *Options) { o.Flow = FlowDevice }, unusable},
		"one of its own":     {func(o *Options) { o.Provider = gitHub }, unusable},
		"a token":            {func(o *Options) { o.Token = token }, nil},
		"a provider instead": {func(o *Options) { o.Provider = i.URL }, nil},
	} {
		o := options()
		c.edit(&o)
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Prepare(t.Context(), func(context.Context) (string, error) { return "", unusable })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestProviderItself signs in at a provider that the instance's issuer does not stand for.
func TestProviderItself(t *testing.T) {
	i, elsewhere := newIssuer(t), newIssuer(t)
	o := options()
	o.Provider = elsewhere.URL
	for _, issuer := range []string{i.URL, "", elsewhere.URL} {
		if _, err := run(t, o, issuer); err != nil {
			t.Errorf("%q: %v", issuer, err)
		}
	}
	if len(i.requests()) != 0 || elsewhere.requests()[0].Has("connector_id") {
		t.Error("somebody else was asked")
	}
	o.Provider = ""
	if _, err := run(t, o, ""); err == nil || !strings.Contains(Hint(err), "--identity-provider") {
		t.Errorf("without an issuer: %v", err)
	}
}

// TestSignInFails has every step fail. The error says where and what to do, and repeats no secret.
func TestSignInFails(t *testing.T) {
	const secret = "hunter2+secret"
	leak := regexp.MustCompile(`(code|device_code|code_verifier|client_secret)=[^(&]|[A-Z2-7]{26}|[\w-]{43}`)
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			w.WriteHeader(code)
			fmt.Fprint(w, body, r.PostForm.Get("code"), r.PostForm.Get("code_verifier"))
		}
	}
	for name, c := range map[string]struct {
		issuer func(*testIssuer)
		o      func(*Options)
		want   error
		text   string
		hint   string
	}{
		"refused":           {func(i *testIssuer) { i.Refuse("access_denied") }, nil, ErrRefused, `access_denied: the user\x1b[2J said no`, "sign again"},
		"server trouble":    {func(i *testIssuer) { i.Refuse("server_error") }, nil, nil, "server_error", "sign again"},
		"another state":     {func(i *testIssuer) { i.state = "x" }, func(o *Options) { o.wait = unmet }, ErrState, "state", "sign again"},
		"another nonce":     {func(i *testIssuer) { i.claims = map[string]any{"nonce": "x"} }, nil, ErrState, "nonce", "sign again"},
		"another issuer":    {func(i *testIssuer) { i.claims = map[string]any{"iss": "https://other.test"} }, nil, nil, "different provider", ""},
		"another audience":  {func(i *testIssuer) { i.claims = map[string]any{"aud": "other"} }, nil, idtoken.ErrAudience, `"other", expected "sigstore"`, "--client-id"},
		"unverified e-mail": {func(i *testIssuer) { i.claims = map[string]any{"email_verified": false} }, nil, idtoken.ErrEmail, "alice@example.com", "verify the address"},
		"another signature": {func(i *testIssuer) {
			other := newIssuer(t)
			i.answers = map[string]http.HandlerFunc{"/keys": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/keys", http.StatusFound) }}
		}, nil, nil, "signature", ""},
		"our clock is ahead": {func(i *testIssuer) {
			i.ahead = -time.Hour
			i.claims = map[string]any{"exp": time.Now().Add(-55 * time.Minute).Unix()}
		}, nil, idtoken.ErrExpired, "expired", "1h0m0s ahead of"},
		"our clock is behind": {func(i *testIssuer) {
			i.ahead = time.Hour
			i.claims = map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}
		}, nil, idtoken.ErrNotYet, "not valid", "1h0m0s behind that of"},
		"expired token":       {func(i *testIssuer) { i.claims = map[string]any{"exp": 1} }, nil, idtoken.ErrExpired, "1970", "new token"},
		"wrong provider":      {nil, func(o *Options) { o.Provider = gitHub; o.open = otherAccount }, ErrProvider, "expected " + gitHub, "choose the account"},
		"wrong client":        {nil, func(o *Options) { o.ClientID = "unknown"; o.Flow = FlowDevice }, nil, "invalid_client", "--client-id"},
		"wrong client secret": {func(i *testIssuer) { i.Clients["sigstore"] = "x" }, func(o *Options) { o.ClientSecret = secret }, nil, "invalid_client", "--client-secret-file"},
		"wrong code": {nil, func(o *Options) {
			o.Flow = FlowCode
			o.People = &person{paste: func(string) (string, error) { return secret, nil }}
		}, nil, "invalid_grant: it was", "sign again"},
		"no code": {nil, func(o *Options) {
			o.Flow = FlowCode
			o.People = &person{paste: func(string) (string, error) { return "", nil }}
		}, ErrRefused, "no code", ""},
		"nobody comes":   {nil, func(o *Options) { o.wait = 50 * time.Millisecond; o.open = func(string) error { return nil } }, ErrTimeout, "50ms", "sign again"},
		"device refused": {func(i *testIssuer) { i.Refuse("access_denied") }, func(o *Options) { o.Flow = FlowDevice }, ErrRefused, "access_denied", "sign again"},
		"device expired": {func(i *testIssuer) { i.Refuse("expired_token") }, func(o *Options) { o.Flow = FlowDevice }, ErrTimeout, "expired_token", "sign again"},
		"no devices":     {func(i *testIssuer) { i.answers = noDevice(i) }, func(o *Options) { o.Flow = FlowDevice }, nil, "RFC 8628", "--oauth-force-oob"},
		"odd device answer": {func(i *testIssuer) { i.answers = map[string]http.HandlerFunc{"/device/code": status(200, `{}`)} },
			func(o *Options) { o.Flow = FlowDevice }, nil, "what to enter where", ""},
		"device in a hurry": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/device/code": status(200, `{"device_code":"device-code","user_code":"u","verification_uri":"https://issuer.test/","interval":-5}`)}
		}, func(o *Options) { o.Flow = FlowDevice }, nil, "invalid_grant", "sign again"},
		"device page in the clear": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/device/code": status(200, `{"device_code":"d","user_code":"u","verification_uri":"http://issuer.test/"}`)}
		}, func(o *Options) { o.Flow = FlowDevice }, ErrInsecure, "http://issuer.test/", ""},
		"overloaded": {func(i *testIssuer) { i.answers = map[string]http.HandlerFunc{"/token": status(503, "later ")} }, nil, nil, "503", ""},
		"junk":       {func(i *testIssuer) { i.answers = map[string]http.HandlerFunc{"/token": status(200, "<html>")} }, nil, nil, "json", ""},
		"no discovery": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": status(404, "nothing\nhere")}
		}, nil, nil, "404 Not Found: nothing here", ""},
		"moved": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": status(302, "")}
		}, nil, nil, "302", ""},
		"token in the clear": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": status(200, `{"issuer":"`+i.URL+`","authorization_endpoint":"`+i.URL+`","token_endpoint":"http://issuer.test/token"}`)}
		}, nil, ErrInsecure, "http://issuer.test/token", ""},
		"keys in the clear": {func(i *testIssuer) {
			i.answers = map[string]http.HandlerFunc{"/.well-known/openid-configuration": status(200, `{"issuer":"`+i.URL+`","authorization_endpoint":"`+i.URL+`","token_endpoint":"`+i.URL+`/token","jwks_uri":"http://issuer.test/keys"}`)}
		}, nil, ErrInsecure, "http://issuer.test/keys", ""},
		"another access token": {func(i *testIssuer) { i.claims = map[string]any{"at_hash": "x"} }, nil, ErrState, "do not belong together", "sign again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			if c.issuer != nil {
				c.issuer(i)
			}
			o := options()
			if c.o != nil {
				c.o(&o)
			}
			token, err := run(t, o, i.URL)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), i.URL) {
				t.Fatalf("error is %v, want %v with %q at %s", err, c.want, c.text, i.URL)
			}
			if !strings.Contains(Hint(err), c.hint) {
				t.Errorf("%v: hint is %q, want %q in it", err, Hint(err), c.hint)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error is not one printable line: %q", err)
			}
			if token != "" || strings.Contains(err.Error(), "hunter2") || leak.MatchString(err.Error()) {
				t.Errorf("there is a token %q, or the error repeats a secret: %v", token, err)
			}
		})
	}
}

// otherAccount comes back from another provider than the one that was asked for.
func otherAccount(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := u.Query()
	query.Del("connector_id")
	u.RawQuery = query.Encode()
	return visit(u.String())
}

func TestNoNetwork(t *testing.T) {
	_, err := run(t, options(), "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:1") || !strings.Contains(Hint(err), "network") {
		t.Errorf("%v, hint %q", err, Hint(err))
	}
	if _, err := run(t, options(), "http://issuer.test"); !errors.Is(err, ErrInsecure) {
		t.Errorf("in the clear: %v", err)
	}
}

// TestInterrupted ends each flow while somebody is awaited.
func TestInterrupted(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"browser": func(o *Options) { o.open = func(string) error { return nil } },
		"device":  func(o *Options) { o.Flow = FlowDevice },
	} {
		i := newIssuer(t)
		i.Refuse("authorization_pending")
		o := options()
		edit(&o)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Prepare(ctx, at(i.URL)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := s.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNew chooses between the ways, before anything is sent.
func TestNew(t *testing.T) {
	token, err := newIssuer(t).Mint(nil)
	if err != nil {
		t.Fatal(err)
	}
	variable := environment(workload.GitLabVariable, token)
	actions := environment("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", "https://actions.test", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")
	for name, c := range map[string]struct {
		o    Options
		way  string
		want error
	}{
		"given":                           {Options{Token: token, Environment: actions}, "token", nil},
		"given, bad":                      {Options{Token: "x"}, "", idtoken.ErrToken},
		"given, for somebody else":        {Options{Token: token, ClientID: "other"}, "", idtoken.ErrAudience},
		"given, of another provider":      {Options{Token: token, Provider: gitHub}, "", ErrProvider},
		"variable":                        {Options{Attended: true, Environment: variable}, "token", nil},
		"variable, switched off":          {Options{Attended: true, Ambient: AmbientNever, Environment: variable}, "person", nil},
		"variable where there are people": {Options{Attended: true, Flow: FlowCode, Environment: variable}, "person", nil},
		"variable asked for":              {Options{Ambient: AmbientAlways, Environment: variable}, "token", nil},
		"bad variable":                    {Options{Environment: environment(workload.GitLabVariable, "x")}, "", idtoken.ErrToken},
		"platform":                        {Options{Environment: actions}, "platform", nil},
		"platform with a terminal":        {Options{Attended: true, Environment: actions}, "person", nil},
		"platform asked for":              {Options{Attended: true, Ambient: AmbientAlways, Environment: actions}, "platform", nil},
		"platform, switched off":          {Options{Ambient: AmbientNever, Environment: actions}, "", ErrNoWay},
		"platform without tokens":         {Options{Environment: environment("GITHUB_ACTIONS", "true")}, "", workload.ErrNoToken},
		"no platform":                     {Options{Attended: true, Ambient: AmbientAlways}, "", ErrNoWay},
		"nobody":                          {Options{}, "", ErrNoWay},
		"nobody to copy a code":           {Options{Flow: FlowCode}, "", ErrNoWay},
		"a device elsewhere":              {Options{Flow: FlowDevice}, "person", nil},
	} {
		if c.o.Environment.Getenv == nil {
			c.o.Environment = environment()
		}
		s, err := New(c.o)
		if !errors.Is(err, c.want) || c.want != nil && Hint(err) == "" && !errors.Is(err, idtoken.ErrToken) {
			t.Errorf("%s: error is %v, want %v; hint %q", name, err, c.want, Hint(err))
		}
		if err != nil {
			continue
		}
		way := "person"
		switch {
		case s.o.Token != "":
			way = "token"
		case s.platform != nil:
			way = "platform"
		}
		if way != c.way || (s.flow != nil) != (way == "person") {
			t.Errorf("%s: by %s, want %s", name, way, c.way)
		}
	}
}
