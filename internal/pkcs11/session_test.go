package pkcs11_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/softhsm"
	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
	"github.com/git-model-sign/git-model-sign/internal/pkcs11/module"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// helperVariable has the test's own program be a helper: the real one, or one that answers with the variable's text.
const helperVariable = "PKCS11_TEST_HELPER"

func TestMain(m *testing.M) {
	switch answer := os.Getenv(helperVariable); answer {
	case "":
		os.Exit(m.Run())
	case "module":
		if err := module.Serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	default:
		for lines := pkcs11.NewLines(os.Stdin); lines.Read(new(pkcs11.Request)) == nil; {
			next, rest, _ := strings.Cut(answer, "\n")
			secret := os.Getenv("MODELSIGN_PIN") + os.Getenv("MODELSIGN_PASSPHRASE") + os.Getenv("SIGSTORE_ID_TOKEN")
			fmt.Println(strings.NewReplacer("FLOOD", strings.Repeat("a", 2<<20), "SECRETS", secret).Replace(next))
			answer = rest
		}
	}
}

// options have a session start this program as its helper, and give PINs out, which are counted.
func options(t *testing.T, helper string, pin string) (pkcs11.Options, *int) {
	t.Helper()
	t.Setenv(helperVariable, helper)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	asked := new(int)
	return pkcs11.Options{Helper: program, PIN: func(context.Context, string, bool) ([]byte, error) {
		*asked++
		return []byte(pin), nil
	}}, asked
}

// softHSM makes the tokens "release" and "other". The first has keys of every curve and some that are of no use.
func softHSM(t *testing.T) *softhsm.Tokens {
	t.Helper()
	tokens := needs.SoftHSM(t)
	t.Setenv("SOFTHSM2_CONF", tokens.Config)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(tokens.Init(t.Context(), "release"))
	check(tokens.Init(t.Context(), "other"))
	check(tokens.Generate(t.Context(), "release", "EC:prime256v1", "p256", "01"))
	check(tokens.Generate(t.Context(), "release", "EC:secp384r1", "p384", "02"))
	check(tokens.Generate(t.Context(), "release", "EC:secp521r1", "p521", "03"))
	check(tokens.Generate(t.Context(), "release", "rsa:2048", "rsa", "04"))
	check(tokens.Generate(t.Context(), "release", "EC:edwards25519", "ed25519", "05"))
	check(tokens.Generate(t.Context(), "release", "EC:prime256v1", "twins", "06"))
	check(tokens.Generate(t.Context(), "release", "EC:prime256v1", "twins", "07"))
	check(tokens.Generate(t.Context(), "release", "EC:prime256v1", "always", "08", "--always-auth"))
	return tokens
}

// open parses a URI, without its module, and opens a session.
func open(t *testing.T, tokens *softhsm.Tokens, uri string, o pkcs11.Options) (*pkcs11.Session, error) {
	t.Helper()
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	u, err := pkcs11.ParseURI(uri + separator + "module-path=" + tokens.Module)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pkcs11.Open(t.Context(), u, o)
	if err == nil {
		t.Cleanup(s.Close)
	}
	return s, err
}

func TestSign(t *testing.T) {
	tokens := softHSM(t)
	o, asked := options(t, "module", softhsm.PIN)
	pinFile := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pinFile, []byte(softhsm.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uri, c := range map[string]struct {
		curve string
		asked int
	}{
		"pkcs11:token=release;object=p256":                                                                     {"P-256", 1},
		"pkcs11:token=release;object=p384;type=private":                                                        {"P-384", 1},
		"pkcs11:token=release;id=%03":                                                                          {"P-521", 1},
		"pkcs11:token=release;object=twins;id=%07":                                                             {"P-256", 1},
		"pkcs11:token=release;object=always":                                                                   {"P-256", 1},
		"pkcs11:token=release;object=p256?pin-source=" + pinFile:                                               {"P-256", 0},
		"pkcs11:token=release;object=p256?pin-value=" + softhsm.PIN:                                            {"P-256", 0},
		"pkcs11:model=SoftHSM%20v2;token=release;object=p256;library-description=Implementation%20of%20PKCS11": {"P-256", 1},
	} {
		*asked = 0
		s, err := open(t, tokens, uri, o)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		key, err := s.PrivateKey(t.Context())
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		public := key.Public().(*ecdsa.PublicKey)
		if name := public.Curve.Params().Name; name != c.curve || *asked != c.asked {
			t.Errorf("%s is on %s after %d questions, want %s after %d", uri, name, *asked, c.curve, c.asked)
		}
		hash, _ := verify.Hash(public)
		digest := hash.New().Sum(nil)
		for range 2 { // a key that wants a login for each signature gets one for each
			signature, err := key.SignDigest(t.Context(), digest)
			if err != nil || !ecdsa.VerifyASN1(public, digest, signature) {
				t.Errorf("%s: signature %x does not verify: %v", uri, signature, err)
			}
		}
	}
}

// A token is named by its slot as well, and a slot that has another token than the one that is named is no match.
func TestSlots(t *testing.T) {
	tokens := softHSM(t)
	o, _ := options(t, "module", softhsm.PIN)
	_, err := open(t, tokens, "pkcs11:token=gone", o)
	var none *pkcs11.NoMatchError
	if !errors.As(err, &none) || len(none.Choices) != 2 {
		t.Fatalf("%v, want two choices", err)
	}
	for _, choice := range none.Choices {
		name, slot, _ := strings.Cut(choice, ";slot-id=")
		release := strings.HasPrefix(name, "token=release;")
		for uri, want := range map[string]bool{
			"pkcs11:" + choice:                     true, // as it is offered
			"pkcs11:slot-id=" + slot:               true,
			"pkcs11:token=release;slot-id=" + slot: release,
			"pkcs11:token=other;slot-id=" + slot:   !release,
		} {
			s, err := open(t, tokens, uri, o)
			if want && (err != nil || s.Describe() == "token release" != release) || !want && !errors.Is(err, pkcs11.ErrToken) {
				t.Errorf("%s: %v, want a match: %t", uri, err, want)
			}
		}
	}
}

func TestNotFound(t *testing.T) {
	tokens := softHSM(t)
	o, _ := options(t, "module", softhsm.PIN)
	for uri, c := range map[string]struct {
		err     error
		text    string
		choices []string // beginnings, in any order
	}{
		"pkcs11:token=gone;object=p256":                  {pkcs11.ErrToken, "token=gone", []string{"token=release;", "token=other;"}},
		"pkcs11:object=p256":                             {pkcs11.ErrToken, "2 tokens match", []string{"token=release;", "token=other;"}},
		"pkcs11:token=release;serial=0":                  {pkcs11.ErrToken, "serial=0", []string{"token=release;"}},
		"pkcs11:token=release;slot-id=99":                {pkcs11.ErrToken, "slot-id=99", []string{"token=release;"}},
		"pkcs11:token=release;object=gone":               {pkcs11.ErrObject, "object=gone on token release", []string{"object=p256;id=%01", "object=twins;id=%06"}},
		"pkcs11:token=release;object=p256;id=%02":        {pkcs11.ErrObject, "object=p256;id=%02", []string{"object=p384;id=%02"}},
		"pkcs11:token=release;object=twins":              {pkcs11.ErrObject, "2 objects", []string{"object=twins;id=%06", "object=twins;id=%07"}},
		"pkcs11:token=other;object=p256":                 {pkcs11.ErrObject, "on token other", nil},
		"pkcs11:token=release;object=rsa":                {pkcs11.ErrKey, "of type RSA", nil},
		"pkcs11:token=release;object=ed25519":            {pkcs11.ErrKey, "of type Ed25519", nil},
		"pkcs11:token=release;object=p256;type=cert":     {pkcs11.ErrURI, "its type is cert", nil},
		"pkcs11:token=release;library-description=other": {pkcs11.ErrModule, "which the URI does not mean", nil},
	} {
		s, err := open(t, tokens, uri, o)
		if err == nil {
			_, err = s.PrivateKey(t.Context())
		}
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v with %q", uri, err, c.err, c.text)
			continue
		}
		var none *pkcs11.NoMatchError
		errors.As(err, &none)
		for _, choice := range c.choices {
			if none == nil || !strings.Contains("\n"+strings.Join(none.Choices, "\n"), "\n"+choice) {
				t.Errorf("%s: %s is not offered: %+v", uri, choice, none)
			}
		}
	}
}

// A wrong PIN is tried once, and not shown.
func TestWrongPIN(t *testing.T) {
	tokens := needs.SoftHSM(t)
	t.Setenv("SOFTHSM2_CONF", tokens.Config)
	if err := errors.Join(tokens.Init(t.Context(), "release"), tokens.Generate(t.Context(), "release", "EC:prime256v1", "p256", "01")); err != nil {
		t.Fatal(err)
	}
	pinFile := func(text string) string {
		name := filepath.Join(t.TempDir(), "pin")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for name, c := range map[string]struct{ uri, typed, text string }{
		"typed":           {"pkcs11:token=release;object=p256", "wrong-pin", "CKR_PIN_INCORRECT"},
		"in URI":          {"pkcs11:token=release;object=p256?pin-value=wrong-pin", "", "CKR_PIN_INCORRECT"},
		"empty":           {"pkcs11:token=release;object=p256", "", ", and was not tried"},
		"no file":         {"pkcs11:token=release;object=p256?pin-source=/nowhere/pin", "", "reading the PIN"},
		"two lines":       {"pkcs11:token=release;object=p256?pin-source=" + pinFile(softhsm.PIN+"\nwrong-pin\n"), "", ", and was not tried"},
		"byte order mark": {"pkcs11:token=release;object=p256?pin-source=" + pinFile("\ufeffwrong-pin"), "", ", and was not tried"},
		"no text":         {"pkcs11:token=release;object=p256?pin-source=" + pinFile("wrong-pin\xff"), "", ", and was not tried"},
		"nothing":         {"pkcs11:token=release;object=p256?pin-source=" + pinFile("\r\n"), "", ", and was not tried"},
		"too much":        {"pkcs11:token=release;object=p256?pin-source=" + pinFile(strings.Repeat("wrong-pin", 1000)), "", "too large"},
	} {
		o, asked := options(t, "module", c.typed)
		s, err := open(t, tokens, c.uri, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.PrivateKey(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "wrong-pin") || *asked > 1 {
			t.Errorf("%s: %v after %d questions, want %q", name, err, *asked, c.text)
		}
	}
}

// A PIN that nobody types is not what locks a token.
func TestLastTry(t *testing.T) {
	token := func(more string) string {
		return `{"token":{"module":"/m","label":"release"` + more + `}}` + "\n" + `{}` + "\n" + `{"failure":{"kind":"object","message":"none"}}`
	}
	u, err := pkcs11.ParseURI("pkcs11:?pin-value=1&module-path=" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	typed := *u
	typed.PINValue = ""
	for name, c := range map[string]struct {
		uri   *pkcs11.URI
		more  string
		want  error
		asked int
	}{
		"tries left":      {u, `,"loginRequired":true`, pkcs11.ErrObject, 0},
		"last, stored":    {u, `,"loginRequired":true,"finalTry":true`, pkcs11.ErrLocked, 0},
		"last, typed":     {&typed, `,"loginRequired":true,"finalTry":true`, pkcs11.ErrObject, 1},
		"locked":          {&typed, `,"loginRequired":true,"locked":true`, pkcs11.ErrLocked, 0},
		"on the token":    {&typed, `,"loginRequired":true,"keypad":true`, pkcs11.ErrObject, 0},
		"no login needed": {&typed, `,"loginRequired":false`, pkcs11.ErrFailed, 0},
	} {
		o, asked := options(t, token(c.more), "1234")
		announced := false
		o.Keypad = func(label string) { announced = label == "release" }
		s, err := pkcs11.Open(t.Context(), c.uri, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.PrivateKey(t.Context()); !errors.Is(err, c.want) || *asked != c.asked || announced != (name == "on the token") {
			t.Errorf("%s: %v after %d questions, want %v after %d; a keypad was announced: %t", name, err, *asked, c.want, c.asked, announced)
		}
		s.Close()
	}
}

// A module runs in the helper, and finds none of our secrets there.
func TestHelperHasNoSecrets(t *testing.T) {
	u, err := pkcs11.ParseURI("pkcs11:?module-path=" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, `{"failure":{"kind":"module","message":"found [SECRETS]"}}`, "")
	for _, name := range []string{"MODELSIGN_PIN", "MODELSIGN_PASSPHRASE", "SIGSTORE_ID_TOKEN"} {
		t.Setenv(name, "hunter2")
	}
	if _, err := pkcs11.Open(t.Context(), u, o); err == nil || !strings.Contains(err.Error(), "found []") {
		t.Errorf("%v", err)
	}
}

// Where the public half is in a certificate only, it has to be in one.
func TestCertifiedKey(t *testing.T) {
	u, err := pkcs11.ParseURI("pkcs11:?module-path=" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	root := verifytest.NewRoot(t, "root")
	var certificates [2]string
	for i := range certificates {
		certificates[i] = `"` + base64.StdEncoding.EncodeToString(root.Issue(t, "signer", verifytest.NewKey(t, elliptic.P256())).Raw) + `"`
	}
	for found, want := range map[string]error{certificates[0]: nil, certificates[0] + "," + certificates[1]: pkcs11.ErrObject} {
		o, _ := options(t, strings.Join([]string{`{"token":{"label":"release"}}`, `{"object":{"label":"k","id":"AQ==","keyType":3}}`,
			`{"failure":{"kind":"object","message":"none"}}`, `{"certificates":[` + found + `]}`}, "\n"), "")
		s, err := pkcs11.Open(t.Context(), u, o)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := s.PrivateKey(t.Context()); !errors.Is(err, want) || (key != nil) != (want == nil) {
			t.Errorf("%v, %v, want %v", key, err, want)
		}
		s.Close()
	}
}

// What a helper answers is foreign.
func TestHostileAnswers(t *testing.T) {
	u, err := pkcs11.ParseURI("pkcs11:?module-path=" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		"nonsense": "no sensible answer",
		"{}":       "names no token",
		"FLOOD":    "no sensible answer",
		"null":     "names no token",
		`{"token":{"label":"a"},"token":{"label":"b"}}`:           "no sensible answer",
		`{"token":{"label":"a"},"colour":"red"}`:                  "no sensible answer",
		`{"Token":{"label":"a"}}`:                                 "no sensible answer",
		`{"token":{"label":"\xff"}}`:                              "no sensible answer",
		`{"token":{"label":"` + strings.Repeat("a", 1000) + `"}}`: "names no token",
		`{"failure":{"kind":"token","message":"","choices":["a"` + strings.Repeat(`,"a"`, 1000) + `]}}`: "exactly one token",
		`{"token":{"label":"a"}} {}`:                                                    "no sensible answer",
		`{"failure":{"kind":"module","message":"a\u001b[31m\nb"}}`:                      `a\x1b[31m b`,
		`{"failure":{"kind":"token","message":"none","choices":["\u001b[31mtoken=a"]}}`: "exactly one token",
	} {
		o, _ := options(t, answer, "")
		_, err := pkcs11.Open(t.Context(), u, o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.40q: %v, want %q", answer, err, want)
		}
		var none *pkcs11.NoMatchError
		if errors.As(err, &none) && (strings.Contains(none.Choices[0], "\x1b") || len(none.Choices) > pkcs11.MaxChoices) {
			t.Errorf("%.40q: %d choices, one of which may move the cursor: %q", answer, len(none.Choices), none.Choices)
		}
	}
}

func TestModuleNotThere(t *testing.T) {
	o, _ := options(t, "module", "")
	for uri, want := range map[string]string{
		"pkcs11:token=a":                       "the URI names none",
		"pkcs11:?module-path=/nowhere/a.so":    "/nowhere/a.so",
		"pkcs11:?module-path=" + t.TempDir():   "not a regular file",
		"pkcs11:?module-name=no-such-module":   "libno-such-module",
		"pkcs11:?module-path=" + sourceFile(t): "session_test.go",
		"pkcs11:?module-path=" + foreign(t):    "for-another-machine.so",
	} {
		u, err := pkcs11.ParseURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pkcs11.Open(t.Context(), u, o); !errors.Is(err, pkcs11.ErrModule) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", uri, err, want)
		}
	}
}

// foreign is a shared library for another kind of machine: what ELF says of that is changed.
func foreign(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(needs.SoftHSM(t).Module)
	if err != nil {
		t.Fatal(err)
	}
	const machine = 18 // the place of e_machine
	b[machine] ^= 0xff
	name := filepath.Join(t.TempDir(), "for-another-machine.so")
	if err := os.WriteFile(name, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// The helper is found on PATH, but never in the current folder, and its absence is told.
func TestHelperIsFound(t *testing.T) {
	tokens := softHSM(t)
	o, _ := options(t, "module", softhsm.PIN)
	dir := t.TempDir()
	if err := os.Symlink(o.Helper, filepath.Join(dir, pkcs11.HelperName)); err != nil {
		t.Fatal(err)
	}
	o.Helper = ""
	t.Chdir(dir)
	for path, want := range map[string]error{dir: nil, ".": pkcs11.ErrHelper, "": pkcs11.ErrHelper, ".:" + dir: pkcs11.ErrHelper, "../" + filepath.Base(dir): pkcs11.ErrHelper} {
		t.Setenv("PATH", path)
		if _, err := open(t, tokens, "pkcs11:token=release", o); !errors.Is(err, want) {
			t.Errorf("PATH=%s: %v, want %v", path, err, want)
		}
	}
}

// Where the public half is looked for in several places, a module that crashes there is not taken for one that lacks it.
func TestCrashWhileLookingFurther(t *testing.T) {
	u, err := pkcs11.ParseURI("pkcs11:?module-path=" + os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, `{"token":{"label":"release"}}
{"object":{"keyType":3,"id":"AQ=="}}
{"failure":{"kind":"object","message":"none"}}
nonsense`, "")
	s, err := pkcs11.Open(t.Context(), u, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.PrivateKey(t.Context()); !errors.Is(err, pkcs11.ErrFailed) {
		t.Errorf("%v, want that the module failed", err)
	}
}

// sourceFile is a file that is no shared library.
func sourceFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("session_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
