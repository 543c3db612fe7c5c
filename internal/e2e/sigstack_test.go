package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// sigstack is the Sigstore instance that package sigstack has started around the tests.
type sigstack struct {
	dir     string // its folder: client trust configurations, and the logs' files
	issuer  string // the address of its OpenID Connect provider
	proxy   string // and of the proxy behind which the platforms' servers are
	control string
	long    bool
}

// needSigstack skips the test where there is no such instance. CI has one in a step of its own.
func needSigstack(t testing.TB) *sigstack {
	t.Helper()
	s := &sigstack{
		dir: os.Getenv("MODELSIGN_SIGSTACK"), issuer: os.Getenv("MODELSIGN_SIGSTACK_ISSUER"),
		proxy: os.Getenv("MODELSIGN_SIGSTACK_PROXY"), control: os.Getenv("MODELSIGN_SIGSTACK_CONTROL"),
		long: os.Getenv("MODELSIGN_SIGSTACK_LONG") != "",
	}
	if s.dir == "" {
		t.Skip("run it with real servers: go run ./internal/e2e/sigstack")
	}
	return s
}

// needLong skips a test that takes minutes, or what only the long form builds.
func (s *sigstack) needLong(t testing.TB) {
	t.Helper()
	if !s.long {
		t.Skip("run it with: go run ./internal/e2e/sigstack -long")
	}
}

// file is the path of a file of the instance, such as trust.json.
func (s *sigstack) file(name string) string { return filepath.Join(s.dir, name) }

// token is a fresh identity token with claims as "email=alice@example.com", from the provider or one under a path of it.
func (s *sigstack) token(path string, claims ...string) (string, error) {
	q := make(url.Values)
	for _, c := range claims {
		name, value, _ := strings.Cut(c, "=")
		q.Set(name, value)
	}
	r, err := http.Get(s.issuer + path + "/mint?" + q.Encode())
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("minting a token: %s: %s", r.Status, b)
	}
	return string(b), err
}

// TestSigstackScripts runs the sessions of testdata/sigstack, in which these commands are there besides those of TestScripts:
//
//	token [PATH] CLAIM=VALUE...   put a fresh token into $TOKEN, of the provider under PATH of $ISSUER, such as /github
//	server kill|start NAME        end a server of the instance at once, or start it again
//	landed REPORT                 print the page that a sign-in by Chromium led to, which must not tell anything
//	platform ...                  see platformCommand; tokens are those of the instance's /github, /gitlab, /buildkite and /google
//
// $STACK is the instance's folder, $ISSUER its provider and $PROXY the proxy to other servers. $CHROMIUM is a command for
// BROWSER, followed by a person, "sign-in" or "cancel", and the file for a report, which landed reads. [long] is whether the long form
// runs, [chromium] whether there is one.
func TestSigstackScripts(t *testing.T) {
	runSigstackScripts(t, filepath.Join("testdata", "sigstack"))
}

// TestSigstackAlone runs the sessions in which servers die, when no others need them.
func TestSigstackAlone(t *testing.T) {
	runSigstackScripts(t, filepath.Join("testdata", "sigstack", "alone"))
}

func runSigstackScripts(t *testing.T, dir string) {
	stack := needSigstack(t)
	lfs := needs.GitLFS(t)
	commands := maps.Clone(scriptCommands(t))
	commands["token"] = func(ts *testscript.TestScript, neg bool, args []string) {
		path := ""
		if len(args) > 0 && strings.HasPrefix(args[0], "/") {
			path, args = args[0], args[1:]
		}
		token, err := stack.token(path, args...)
		ts.Check(err)
		ts.Setenv("TOKEN", token)
	}
	commands["server"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: server kill|start NAME")
		}
		ts.Check(stack.server(args[0], args[1]))
	}
	commands["landed"] = landed
	commands["platform"] = platformCommand(func(_ *testscript.TestScript, name string, claims map[string]any) (string, error) {
		return stack.token("/"+name, pairs(claims)...)
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "STACK="+stack.dir, "ISSUER="+stack.issuer, "PROXY="+stack.proxy, "CHROMIUM="+self+" "+chromiumCommand)
			return setupScript(env, lfs)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "long":
				return stack.long, nil
			case "chromium":
				return haveChromium()
			}
			return condition(cond)
		},
		Cmds: commands,
	})
}

// pairs are claims as token takes them: one that is nil is left out of the token.
func pairs(claims map[string]any) []string {
	var out []string
	for name, value := range claims {
		if value == nil {
			value = ""
		}
		out = append(out, fmt.Sprintf("%s=%v", name, value))
	}
	return out
}

// server has a server killed or started.
func (s *sigstack) server(do, name string) error {
	r, err := http.Post(s.control+"/"+do+"/"+name, "", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(r.Body)
		return fmt.Errorf("%s %s: %s: %s", do, name, r.Status, bytes.TrimSpace(b))
	}
	return nil
}

// A stackSession is a private HOME with a model in the folder "model", to be signed at the instance.
type stackSession struct {
	*session
	*sigstack
}

func newStackSession(t testing.TB) *stackSession {
	t.Helper()
	s := &stackSession{newSession(t), needSigstack(t)}
	s.write("model/config.json", `{"a": 1}`, "model/weights.bin", string(weights(10_000, t.Name())))
	return s
}

// sign signs the model as alice by a trust configuration, and returns what became of it.
func (s *stackSession) sign(trust, model, signature string) result {
	s.t.Helper()
	token, err := s.token("", "email=alice@example.com")
	if err != nil {
		s.t.Fatal(err)
	}
	return s.run("git-model-sign", "--identity-token", token, "--trust-config", trust, "--signature", s.path(signature), s.path(model))
}

// mustSign is sign, which has to succeed.
func (s *stackSession) mustSign(trust, model, signature string) {
	s.t.Helper()
	if r := s.sign(trust, model, signature); r.status != 0 {
		s.t.Fatalf("signing exits with %d\n%s", r.status, r.said())
	}
}

// verify verifies the model as alice's, by a trust configuration.
func (s *stackSession) verify(trust, signature string) result {
	s.t.Helper()
	return s.run("git-model-sign", "verify", "--identity", "alice@example.com", "--identity-provider", s.issuer,
		"--trust-config", trust, "--signature", s.path(signature), s.path("model"))
}
