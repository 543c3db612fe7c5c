package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
	"github.com/git-model-sign/git-model-sign/internal/e2e/platform"
)

// A minter makes a token of a platform's issuer, for one of its jobs with these claims besides the usual.
type minter func(ts *testscript.TestScript, name string, claims map[string]any) (string, error)

// jobSecret is what a job shows to be given a token.
const jobSecret = "secret-of-the-job"

// platformCommand makes the command that has a platform give tokens to a job of it:
//
//	platform github [CLAIM=VALUE...]      at $ACTIONS_ID_TOKEN_REQUEST_URL, to who shows $ACTIONS_ID_TOKEN_REQUEST_TOKEN
//	platform gitlab [CLAIM=VALUE...]      $JOB_TOKEN is one
//	platform buildkite [CLAIM=VALUE...]   by the buildkite-agent in the folder $AGENT
//	platform google [CLAIM=VALUE...]      by a metadata server at $METADATA, of a machine with a service account
//	platform google none                  the same, of a machine without
func platformCommand(mint minter) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: platform github|gitlab|buildkite|google [CLAIM=VALUE...|none]")
		}
		none := len(args) == 2 && args[1] == "none"
		give := func(claims map[string]any) (string, error) {
			all := make(map[string]any)
			for _, pair := range args[1:] {
				name, value, _ := strings.Cut(pair, "=")
				all[name] = value
			}
			maps.Copy(all, claims)
			return mint(ts, args[0], all)
		}
		switch args[0] {
		case "github":
			ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://"+serveSession(ts, platform.GitHub(give, jobSecret))+"/token?api-version=2.0")
			ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", jobSecret)
		case "gitlab":
			token, err := give(nil)
			ts.Check(err)
			ts.Setenv("JOB_TOKEN", token)
		case "buildkite":
			token, err := give(nil)
			ts.Check(err)
			dir := filepath.Join(ts.Getenv("WORK"), "agent")
			ts.Check(writeAgent(dir, token))
			ts.Setenv("AGENT", dir)
		case "google":
			if none {
				give = nil
			}
			ts.Setenv("METADATA", serveSession(ts, platform.Metadata(give)))
		default:
			ts.Fatalf("platform: %q is not understood", args)
		}
	}
}

// serveSession serves until the session ends, and returns where.
func serveSession(ts *testscript.TestScript, handler http.Handler) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
	return listener.Addr().String()
}

// writeAgent writes an agent into a folder, that gives a token when it is asked as https://buildkite.com/docs/agent/v3/cli-oidc has it.
func writeAgent(dir, token string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'oidc request-token --audience sigstore' ] || { echo \"fatal: $*\" >&2; exit 1; }\necho %s\n", token)
	return os.WriteFile(filepath.Join(dir, "buildkite-agent"), []byte(script), 0o777)
}

// jobs are the jobs of the platforms in sessions without servers, which have their instances believe every issuer.
var jobs = map[string]map[string]any{
	"github":    with("iss", issuer.GitHubURL, issuer.GitHub("org/model", "refs/heads/main")),
	"gitlab":    with("iss", issuer.GitLabURL, issuer.GitLab("org/model", "main")),
	"buildkite": with("iss", issuer.BuildkiteURL, issuer.Buildkite("org", "model")),
	"google":    with("iss", issuer.GoogleURL, issuer.Google("signer@project.iam.gserviceaccount.com")),
}

// mintHere makes a token by the session's own issuer.
func mintHere(ts *testscript.TestScript, name string, claims map[string]any) (string, error) {
	all := map[string]any{"email": nil, "email_verified": nil} // jobs are no people
	maps.Copy(all, jobs[name])
	maps.Copy(all, claims)
	return ts.Value(signInKey{}).(*signIn).issuer.Mint(all)
}

// with is claims and one more.
func with(name string, value any, claims map[string]any) map[string]any {
	claims[name] = value
	return claims
}
