package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/openbao"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// TestTokens runs the session in which keys lie on a security token. It has what sessions of TestScripts have, tokens in
// software that PKCS #11 programs see by the module $TOKENMODULE, and $BADMODULE, the source in C of one that misbehaves.
func TestTokens(t *testing.T) {
	tokens := needs.SoftHSM(t)
	if err := tokens.Init(t.Context(), "release"); err != nil {
		t.Fatal(err)
	}
	bad, err := filepath.Abs(filepath.Join("..", "pkcs11", "testdata", "bad.c"))
	if err != nil {
		t.Fatal(err)
	}
	runKeySession(t, "token", func(env *testscript.Env) {
		env.Setenv("TOKENMODULE", tokens.Module)
		env.Setenv("BADMODULE", bad)
		addEnv(env, "SOFTHSM2_CONF="+tokens.Config)
	})
}

// TestKeyService runs the session in which keys lie with a key service, a real OpenBao, whose clients are set up. The plugins
// of the folder kms are on PATH.
func TestKeyService(t *testing.T) {
	server := keyService(t)
	plugins := t.TempDir()
	buildPlugins(t, plugins, "sigstore-kms-hashivault", "sigstore-kms-openbao")
	runKeySession(t, "service", func(env *testscript.Env) {
		env.Setenv("PLUGINS", plugins)
		addEnv(env, serviceEnv(server)...)
	})
}

// The programs that everybody installs have neither clouds' libraries in them nor what calls C; those are in programs of their own.
func TestProgramsAreLean(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/git-model-sign", "./cmd/hf-model-verify")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		for _, heavy := range []string{"ebitengine/purego", "aws/aws-sdk-go", "cloud.google.com/", "Azure/azure-sdk", "hashicorp/vault"} {
			if strings.Contains(pkg, heavy) {
				t.Errorf("the programs have %s in them", strings.TrimSpace(pkg))
			}
		}
	}
}

// keyService starts a key service with a key for each of the types that the session's document or script wants.
func keyService(t *testing.T) *openbao.Server {
	t.Helper()
	server, err := openbao.Start(t.Context(), needs.Python(t, venv.OpenBao()), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for name, kind := range map[string]string{"release": "ecdsa-p256", "p384": "ecdsa-p384", "p521": "ecdsa-p521", "rsa": "rsa-2048"} {
		if err := server.Run(t.Context(), "write", "-f", "transit/keys/"+name, "type="+kind); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// serviceEnv sets up clients of the key service.
func serviceEnv(server *openbao.Server) []string {
	return []string{"VAULT_ADDR=" + server.URL, "VAULT_TOKEN=" + openbao.Token, "BAO_ADDR=" + server.URL, "BAO_TOKEN=" + openbao.Token}
}

// buildPlugins builds programs of the folder kms into dir.
func buildPlugins(t *testing.T, dir string, names ...string) {
	t.Helper()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..", "kms")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %v: %v: %s", names, err, out)
	}
}

// runKeySession runs the script testdata/keys/NAME.txtar.
func runKeySession(t *testing.T, name string, setup func(*testscript.Env)) {
	t.Helper()
	lfs := needs.GitLFS(t)
	testscript.Run(t, testscript.Params{
		Files: []string{filepath.Join("testdata", "keys", name+".txtar")},
		Setup: func(env *testscript.Env) error {
			if err := setupScript(env, lfs); err != nil {
				return fmt.Errorf("setting up a session: %w", err)
			}
			setup(env)
			return nil
		},
		Condition: condition,
		Cmds:      scriptCommands(t),
	})
}

// addEnv adds variables for what a session runs, by whichever command.
func addEnv(env *testscript.Env, vars ...string) {
	env.Vars = append(env.Vars, vars...)
	h := env.Values[homeKey{}].(*home.Home)
	h.Env = append(h.Env, vars...)
}

// tokenEnv lets a document's session make tokens of its own: SoftHSM finds their folder by the file that SOFTHSM2_CONF names.
func tokenEnv(t *testing.T) []string {
	t.Helper()
	return []string{"SOFTHSM2_CONF=" + needs.SoftHSM(t).Config}
}
