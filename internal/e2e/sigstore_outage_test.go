package e2e

import (
	"context"
	"maps"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/platform"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// Secrets of a session that nothing may print.
const (
	clientSecret  = "hunter2-of-the-client"
	proxyPassword = "hunter2-of-the-proxy"
)

// A way is one by which a service is needed to sign.
type way struct {
	service string // as errors call it
	front   string // at which of the fronts it is; that of a URL in an error
	path    string // of its requests
	args    []string
	env     map[string]string
	plain   bool // it is never reached by TLS, nor by a name
}

// ways are those of all services.
var ways = map[string]way{
	"Fulcio":                   {service: "Fulcio", front: "fulcio"},
	"timestamp authority":      {service: "timestamp authority", front: "timestamps"},
	"Rekor":                    {service: "Rekor", front: "rekor"},
	"issuer":                   {service: "signing in at", front: "issuer", path: "/.well-known/", args: []string{"--oauth-force-device"}},
	"issuer, for a code":       {service: "signing in at", front: "issuer", path: "/device/", args: []string{"--oauth-force-device"}, plain: true},
	"issuer, for a token":      {service: "signing in at", front: "issuer", path: "/token", args: []string{"--oauth-force-device"}, plain: true},
	"issuer, for its keys":     {service: "signing in at", front: "issuer", path: "/keys", args: []string{"--oauth-force-device"}, plain: true},
	"GitHub Actions":           {service: "GitHub Actions", front: "github", args: []string{"--use-ambient-credentials"}, env: map[string]string{"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": jobSecret}},
	"metadata of Google Cloud": {service: "Google Cloud", front: "google", args: []string{"--use-ambient-credentials"}, plain: true},
}

// A signing is a session with a model that is signed already, and has changed since, and with everything that signing by Sigstore needs.
type signing struct {
	*session
	instance *verifytest.Server
	issuer   *issuer.Issuer
	fronts   map[string]*front
	tls      encryption
	token    string
	before   snapshot
	signed   string // the signature that is there
}

func newSigning(t *testing.T) *signing {
	t.Helper()
	s := &signing{session: newSession(t, needs.GitLFS(t)), instance: verifytest.NewInstance(t).Serve(t), fronts: make(map[string]*front)}
	s.tls = encryption{verifytest.NewRoot(t, "trusted"), verifytest.NewRoot(t, "foreign")}
	s.write("authorities.pem", string(verifytest.PEM(s.tls.trusted.Certificate)), "model/weights.txt", "weights\n")
	s.Env = append(s.Env, "NO_PROXY=*", "no_proxy=*", "SSL_CERT_FILE="+s.path("authorities.pem"), "SSL_CERT_DIR="+s.path("none"),
		"HTTPS_PROXY=http://user:"+proxyPassword+"@127.0.0.1:9")
	mux := http.NewServeMux()
	for _, name := range []string{"fulcio", "timestamps", "rekor"} {
		s.fronts[name] = newFront(t, s.instance)
	}
	s.fronts["issuer"] = newFront(t, mux)
	var err error
	if s.issuer, err = issuer.New(s.fronts["issuer"].URL, issuer.Person("alice@example.com")); err != nil {
		t.Fatal(err)
	}
	s.issuer.Clients["sigstore"] = clientSecret
	mux.Handle("/", s.issuer.Handler())
	job := func(claims map[string]any) platform.Mint {
		return func(more map[string]any) (string, error) {
			all := map[string]any{"email": nil, "email_verified": nil}
			maps.Copy(all, claims)
			maps.Copy(all, more)
			return s.issuer.Mint(all)
		}
	}
	s.fronts["github"] = newFront(t, platform.GitHub(job(issuer.GitHub("org/model", "refs/heads/main")), jobSecret))
	s.fronts["google"] = newFront(t, platform.Metadata(job(issuer.Google("signer@project.iam.gserviceaccount.com"))))
	if s.token, err = s.issuer.Mint(nil); err != nil {
		t.Fatal(err)
	}
	s.write("token", s.token)
	s.keyPair("key", "P-256")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "Add the model"}} {
		s.exits(0, "git", append([]string{"-C", "model"}, args...)...)
	}
	s.exits(0, "git-model-sign", "--private-key", "key.pem", "model")
	s.write("model/weights.txt", "other weights\n")
	s.exits(0, "git", "-C", "model", "commit", "-qam", "Other weights")
	s.before, s.signed = s.snapshot("model"), string(s.read("model/model.sig"))
	return s
}

// command is how the model is signed by a way, with one of the fronts somewhere else unless that is "".
func (s *signing) command(w way, elsewhere string) (env, args []string) {
	s.t.Helper()
	at := make(map[string]string)
	for name, f := range s.fronts {
		at[name] = f.URL
	}
	if elsewhere != "" {
		at[w.front] = elsewhere
	}
	s.write("trust.json", string(s.instance.TrustConfigOf(s.t, verifytest.Services{
		Fulcio: at["fulcio"], Rekor: at["rekor"], Timestamps: at["timestamps"], Issuer: at["issuer"],
	})))
	args = []string{"--no-commit", "--trust-config", "trust.json", "model"}
	if args = append(args, w.args...); w.args == nil {
		args = append(args, "--identity-token-file", "token")
	}
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	switch w.front {
	case "github":
		env = append(env, "ACTIONS_ID_TOKEN_REQUEST_URL="+at["github"]+"/token?api-version=2.0")
	case "google":
		env = append(env, "GCE_METADATA_HOST="+strings.TrimPrefix(at["google"], "http://"))
	case "issuer":
		env = append(env, "MODELSIGN_CLIENT_SECRET="+clientSecret)
	}
	return env, args
}

// sign signs by a way.
func (s *signing) sign(w way, elsewhere string) result {
	s.t.Helper()
	env, args := s.command(w, elsewhere)
	whole := s.Env
	defer func() { s.Env = whole }()
	s.Env = append(whole[:len(whole):len(whole)], env...)
	r := s.run("git-model-sign", args...)
	for _, secret := range append(strings.Split(s.token, ".")[1:], s.token, clientSecret, proxyPassword, jobSecret) {
		if strings.Contains(r.said(), secret) {
			s.t.Errorf("a secret is shown: %s\n%s", secret, r.said())
		}
	}
	return r
}

// failed wants a run to have failed with these words, and to have left everything as it was. logged is how many entries there are to be in the log.
func (s *signing) failed(r result, status, logged int, hint string, words ...string) {
	s.t.Helper()
	if r.status != status {
		s.t.Errorf("exit status %d, want %d\n%s", r.status, status, r.said())
	}
	failure, hints := "", ""
	for line := range strings.Lines(r.stderr) {
		switch {
		case strings.HasPrefix(line, "error: "):
			failure += line
		case strings.HasPrefix(line, "hint: "):
			hints += line
		}
	}
	for _, word := range words {
		if !strings.Contains(failure, word) {
			s.t.Errorf("the error says nothing of %q\n%s", word, r.said())
		}
	}
	if hints == "" || !strings.Contains(hints, hint) {
		s.t.Errorf("there is no hint with %q\n%s", hint, r.said())
	}
	if strings.ContainsRune(r.said(), '\x1b') || len(r.said()) > 2000 {
		s.t.Errorf("what is said is not fit for a terminal\n%q", r.said())
	}
	if diff := s.before.diff(s.snapshot("model")); diff != "" {
		s.t.Errorf("something is left behind\n%s", diff)
	}
	if n := s.instance.Logged(); n != logged {
		s.t.Errorf("%d entries are logged, want %d\n%s", n, logged, r.said())
	}
}

// works wants a way to lead to a signature that verifies, and takes it away again.
func (s *signing) works(w way) {
	s.t.Helper()
	logged := s.instance.Logged()
	if r := s.sign(w, ""); r.status != 0 {
		s.t.Errorf("it cannot be repeated: exit status %d\n%s", r.status, r.said())
	}
	if n := s.instance.Logged(); n != logged+1 {
		s.t.Errorf("%d entries are logged by one signature", n-logged)
	}
	if logged > 0 {
		s.write("model/model.sig", s.signed)
		return // it is verified by who signs, too
	}
	r := s.run("git-model-sign", "verify", "--identity-regexp", ".*", "--identity-provider-regexp", ".*", "--trust-config", "trust.json", "model")
	if r.status != 0 {
		s.t.Errorf("what is signed then does not verify\n%s", r.said())
	}
	s.write("model/model.sig", s.signed)
	s.before = s.snapshot("model") // to verify remembers digests
}

// TestOutages has each service fail in every way. The error names the service, says what happened and what to do, nothing is left
// behind and nothing logged; and once it is over the same command signs.
func TestOutages(t *testing.T) {
	t.Parallel()
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigning(t)
			for i, o := range outages {
				if o.certificate != nil && runtime.GOOS != "linux" || o.answer == nil && w.plain || testing.Short() && i%4 != len(name)%4 {
					continue // elsewhere SSL_CERT_FILE is not asked
				}
				t.Run(o.name, func(t *testing.T) {
					outer := s.t
					s.t = t
					defer func() { s.t = outer }()
					f, elsewhere := s.fronts[w.front], o.url
					if o.certificate != nil {
						elsewhere = s.tls.serve(t, f.behind, o)
					}
					f.set(w.path, o.answer)
					logged := s.instance.Logged()
					r := s.sign(w, elsewhere)
					f.set("", nil)
					at := f.URL
					if elsewhere != "" {
						at = elsewhere
					}
					s.failed(r, 4, logged, o.hint, w.service, strings.TrimPrefix(at, "http://"), o.text)
					s.works(w)
				})
			}
		})
	}
}

// TestInterruptedAtServices presses ^C while each service is at work.
func TestInterruptedAtServices(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no terminal to press ^C in")
	}
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigning(t)
			asked := make(chan struct{}, 10)
			f := s.fronts[w.front]
			f.set(w.path, func(_ http.ResponseWriter, r *http.Request) { asked <- struct{}{}; <-r.Context().Done() })
			env, args := s.command(w, "")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var said strings.Builder
			cmd := s.Command(ctx, s.Dir, "git-model-sign", args...)
			cmd.Env = append(cmd.Env, env...)
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-asked:
			case <-ctx.Done():
				t.Fatal("the service is not asked\n", said.String())
			}
			pressed := time.Now()
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if took := time.Since(pressed); took > 5*time.Second {
				t.Errorf("it goes on for %s", took)
			}
			if cmd.ProcessState.ExitCode() != 4 || !strings.Contains(said.String(), "interrupted") {
				t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), said.String())
			}
			if diff := s.before.diff(s.snapshot("model")); diff != "" {
				t.Errorf("something is left behind\n%s", diff)
			}
			f.set("", nil)
			s.works(w)
		})
	}
}

// TestSlowServices has services answer a byte at a time, for ever. They are given up.
func TestSlowServices(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute to be given up")
	}
	for _, name := range []string{"Fulcio", "timestamp authority", "issuer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSigning(t), ways[name]
			s.fronts[w.front].set(w.path, func(rw http.ResponseWriter, r *http.Request) {
				for {
					if _, err := rw.Write([]byte(" ")); err != nil || http.NewResponseController(rw).Flush() != nil {
						return
					}
					select {
					case <-r.Context().Done():
						return
					case <-time.After(100 * time.Millisecond):
					}
				}
			})
			begun := time.Now()
			r := s.sign(w, "")
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("it is given up after %s", took)
			}
			s.fronts[w.front].set("", nil)
			s.failed(r, 4, 0, "again", w.service, s.fronts[w.front].URL, "in time")
			s.works(w)
		})
	}
}
