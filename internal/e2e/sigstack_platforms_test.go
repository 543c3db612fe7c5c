package e2e

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/platform"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// TestSigstackReferencePlatforms has both signers sign as a job of each platform, in the same environment, and verify what the other has
// signed. The reference signer finds Google Cloud by names that only its network has.
func TestSigstackReferencePlatforms(t *testing.T) {
	s := newStackSession(t)
	p := &peers{s.session, needs.Python(t, venv.ReferenceSigner())}
	trust := s.file("trust.json")
	mint := func(name string) platform.Mint {
		return func(claims map[string]any) (string, error) { return s.token("/"+name, pairs(claims)...) }
	}
	s.mustSign(trust, "model", "first.sig") // the proof of a log's only entry has no hashes, which the reference signer does not read
	for name, c := range map[string]struct {
		environment        func() []string
		identity, provider string
	}{
		"github": {func() []string {
			server := httptest.NewServer(platform.GitHub(mint("github"), jobSecret))
			t.Cleanup(server.Close)
			return []string{"GITHUB_ACTIONS=true", "ACTIONS_ID_TOKEN_REQUEST_URL=" + server.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + jobSecret}
		}, "https://github.com/org/model/.github/workflows/release.yml@refs/heads/main", issuer.GitHubURL},
		"gitlab": {func() []string {
			return []string{"GITLAB_CI=true", "SIGSTORE_ID_TOKEN=" + s.minted(mint("gitlab"))}
		}, "https://gitlab.com/org/model//.gitlab-ci.yml@refs/heads/main", issuer.GitLabURL},
		"buildkite": {func() []string {
			dir := t.TempDir()
			if err := writeAgent(dir, s.minted(mint("buildkite"))); err != nil {
				t.Fatal(err)
			}
			return []string{"BUILDKITE=true", "PATH=" + dir + string(os.PathListSeparator) + s.Lookup("PATH")}
		}, "https://buildkite.com/org/model", issuer.BuildkiteURL},
	} {
		// in runs a program in the environment of a job.
		in := func(program string, args ...string) result {
			return s.run("env", append(append(c.environment(), program), args...)...)
		}
		if r := in("git-model-sign", "--use-ambient-credentials", "--trust-config", trust, "--signature", s.path("ours.sig"), s.path("model")); r.status != 0 {
			t.Errorf("%s: we do not sign\n%s", name, r.said())
			continue
		}
		if r := in(p.theirProgram(), "sign", "sigstore", "--use_ambient_credentials", "--trust_config", trust, "--signature", s.path("theirs.sig"), s.path("model")); r.status != 0 {
			t.Errorf("%s: the reference signer does not sign\n%s", name, r.said())
			continue
		}
		for _, identity := range []string{c.identity, c.identity + "x"} {
			want := identity == c.identity
			r := s.run(p.theirProgram(), "verify", "sigstore", "--signature", s.path("ours.sig"), "--identity", identity,
				"--identity_provider", c.provider, "--trust_config", trust, s.path("model"))
			if (r.status == 0) != want {
				t.Errorf("%s: the reference signer verifies ours as %s with status %d\n%s", name, identity, r.status, r.said())
			}
			r = s.run("git-model-sign", "verify", "--signature", s.path("theirs.sig"), "--identity", identity,
				"--identity-provider", c.provider, "--trust-config", trust, s.path("model"))
			if (r.status == 0) != want {
				t.Errorf("%s: we verify the reference signer's as %s with status %d\n%s", name, identity, r.status, r.said())
			}
		}
	}
}

// minted is a token for Sigstore.
func (s *stackSession) minted(mint platform.Mint) string {
	s.t.Helper()
	token, err := mint(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}
