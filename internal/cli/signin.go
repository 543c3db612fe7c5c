package cli

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/idtoken"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/signin"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/workload"
)

// clientSecretVariable is the environment variable that a client's secret is taken from.
const clientSecretVariable = "MODELSIGN_CLIENT_SECRET"

// signIn holds the options of where an identity token comes from.
type signIn struct {
	token, tokenFile string
	useAmbient       bool
	oob, device      bool
	provider         string
	clientID         string
	secret           string
	secretFile       string
	ambient          signin.Ambient
}

// wayFlags are the options that say how to get at a token; signInFlags are all that have to do with it.
var (
	wayFlags    = []string{"identity-token", "identity-token-file", "use-ambient-credentials", "oauth-force-oob", "oauth-force-device"}
	signInFlags = append(slices.Clone(wayFlags), "identity-provider", "client-id", "client-secret", "client-secret-file")
)

func (s *signIn) register(flags *pflag.FlagSet) {
	flags.StringVar(&s.token, "identity-token", "", "sign with Sigstore as the identity of this OpenID Connect `TOKEN`")
	flags.StringVar(&s.tokenFile, "identity-token-file", "", "sign with Sigstore as the identity of the token in `FILE`")
	flags.BoolVar(&s.useAmbient, "use-ambient-credentials", false, "sign with Sigstore as the identity that the platform of a CI job or machine vouches for")
	flags.BoolVar(&s.oob, "oauth-force-oob", false, "sign in with any browser and copy the code that it shows")
	flags.BoolVar(&s.device, "oauth-force-device", false, "sign in with any browser and enter a code there")
	flags.StringVar(&s.provider, "identity-provider", "", "sign in with the identity provider at `URL`")
	flags.StringVar(&s.clientID, "client-id", signin.DefaultClientID, "sign in as the OpenID Connect client `ID`, for which tokens are")
	flags.StringVar(&s.secret, "client-secret", "", "the client's `SECRET`; better in MODELSIGN_CLIENT_SECRET or a file")
	flags.StringVar(&s.secretFile, "client-secret-file", "", "the client's secret is in `FILE`")
}

// fillFrom takes options that were not given from config. Which way leads to a token is said in one place: the command line's
// has no other of the configuration beside it.
func (s *signIn) fillFrom(config *Config, flags *pflag.FlagSet) error {
	if err := config.Fill(flags, "client-id", "client-secret-file"); err != nil {
		return err
	}
	if values := config.Get("signinprovider"); len(values) > 0 && !flags.Changed("identity-provider") {
		s.provider = values[len(values)-1]
	}
	ambient := flags.Changed("use-ambient-credentials")
	if !slices.ContainsFunc(wayFlags, flags.Changed) {
		if err := config.Fill(flags, wayFlags[1:]...); err != nil {
			return err
		}
		ambient = len(config.Get("useambientcredentials")) > 0
	}
	if ambient {
		s.ambient = signin.AmbientNever
		if s.useAmbient {
			s.ambient = signin.AmbientAlways
		}
	}
	return nil
}

// contradiction tells of options that do not go together, whether they were given or configured.
func (s *signIn) contradiction() error {
	given := []struct {
		name string
		set  bool
	}{
		{"--identity-token", s.token != ""}, {"--identity-token-file", s.tokenFile != ""}, {"--use-ambient-credentials", s.useAmbient},
		{"--oauth-force-oob", s.oob}, {"--oauth-force-device", s.device},
	}
	first := ""
	for _, g := range given {
		if g.set && first != "" {
			return ui.Usage("", "%s does not go with %s", g.name, first)
		}
		if g.set {
			first = g.name
		}
	}
	if s.secret != "" && s.secretFile != "" {
		return ui.Usage("", "--client-secret does not go with --client-secret-file")
	}
	return nil
}

// source is where the token comes from.
func (s *signIn) source(t *ui.Terminal) (*signin.Source, error) {
	if err := s.contradiction(); err != nil {
		return nil, err
	}
	o := signin.Options{
		Token: s.token, Ambient: s.ambient, Attended: ui.Attended(), People: ui.SignIn{Terminal: t}, Provider: s.provider,
		ClientID: s.clientID, ClientSecret: s.secret,
	}
	switch {
	case s.oob:
		o.Flow = signin.FlowCode
	case s.device:
		o.Flow = signin.FlowDevice
	}
	for _, f := range []struct {
		name, what string
		into       *string
	}{{s.tokenFile, "identity token", &o.Token}, {s.secretFile, "client secret", &o.ClientSecret}} {
		if f.name == "" {
			continue
		}
		b, err := readInput(f.name, f.what)
		if err != nil {
			return nil, err
		}
		if *f.into = strings.TrimSpace(string(b)); *f.into == "" {
			return nil, ui.Usage("", "%s %s: it is empty", f.what, ui.Quote(f.name))
		}
	}
	if secret := os.Getenv(clientSecretVariable); o.ClientSecret == "" {
		o.ClientSecret = secret
	}
	source, err := signin.New(o)
	// What was read is not for the programs that are run later on, such as the hooks of a commit.
	os.Unsetenv(clientSecretVariable)
	os.Unsetenv(workload.GitLabVariable)
	return source, signInError(err)
}

// signInError gives an error of signing in its exit code and its hint.
func signInError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, signin.ErrNoWay):
		return ui.Usage("--private-key FILE signs with a key; git model-sign keygen makes one\n"+signin.Hint(err), "no way to sign was given: %w", err)
	case errors.Is(err, idtoken.ErrToken), errors.Is(err, signin.ErrProvider), errors.Is(err, workload.ErrNoToken), errors.Is(err, signin.ErrInsecure):
		return ui.Usage(signin.Hint(err), "signing with Sigstore: %w", err)
	case errors.Is(err, sign.ErrConfig):
		return ui.Usage(sign.Hint(err), "signing with Sigstore: %w", err)
	}
	return ui.Trouble(signin.Hint(err), "signing with Sigstore: %w", err)
}
