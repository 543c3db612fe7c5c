package pkcs11_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/softhsm"
	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
)

// badModule builds the module testdata/bad.c, and returns a URI of its key. What the module writes down is in the file notes.
func badModule(t *testing.T) (u *pkcs11.URI, notes string) {
	t.Helper()
	dir := t.TempDir()
	library := filepath.Join(dir, "bad.so")
	build := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", library, filepath.Join("testdata", "bad.c"))
	if out, err := build.CombinedOutput(); err != nil {
		needs.Missing(t, "a C compiler: %v: %s", err, bytes.TrimSpace(out))
	}
	u, err := pkcs11.ParseURI("pkcs11:token=bad;object=key?module-path=" + library)
	if err != nil {
		t.Fatal(err)
	}
	notes = filepath.Join(dir, "notes")
	t.Setenv("NOTES", notes)
	return u, notes
}

// use opens the key and signs twice, as long as there is no error.
func use(ctx context.Context, u *pkcs11.URI, o pkcs11.Options) (signatures [2][]byte, err error) {
	s, err := pkcs11.Open(ctx, u, o)
	if err != nil {
		return signatures, err
	}
	defer s.Close()
	key, err := s.PrivateKey(ctx)
	if err != nil {
		return signatures, err
	}
	for i := range signatures {
		if signatures[i], err = key.SignDigest(ctx, make([]byte, 32)); err != nil {
			return signatures, err
		}
	}
	return signatures, nil
}

// A module that fails in whichever way takes nothing with it but the helper; what it prints is not taken for an answer.
func TestBadModules(t *testing.T) {
	u, _ := badModule(t)
	for behaviour, want := range map[string]struct {
		err  error
		text string
	}{
		"":               {nil, ""},
		"read-input":     {nil, ""},
		"crash":          {pkcs11.ErrFailed, "it crashed: SIGSEGV"},
		"leave":          {pkcs11.ErrFailed, "ended the program"},
		"tell":           {pkcs11.ErrFailed, "it crashed: SIGSEGV: segmentation violation"},
		"chatter":        {pkcs11.ErrModule, "C_Initialize: CKR_GENERAL_ERROR"},
		"no-functions":   {pkcs11.ErrModule, "C_GetFunctionList returned nothing"},
		"empty":          {pkcs11.ErrModule, "C_Initialize: CKR_FUNCTION_NOT_SUPPORTED"},
		"sessions":       {pkcs11.ErrFailed, "C_OpenSession: CKR_SESSION_COUNT"},
		"removed-login":  {pkcs11.ErrFailed, "C_Login: CKR_DEVICE_REMOVED"},
		"wrong-pin":      {pkcs11.ErrPIN, "CKR_PIN_INCORRECT; it was not tried again"},
		"sizes":          {pkcs11.ErrObject, "does not say of which type"},
		"counts":         {pkcs11.ErrToken, "256 tokens match"},
		"endless":        {pkcs11.ErrObject, "1024 objects"},
		"removed":        {pkcs11.ErrFailed, "C_SignInit: CKR_DEVICE_REMOVED"},
		"no-signature":   {pkcs11.ErrFailed, "signature has 0 bytes"},
		"long-signature": {pkcs11.ErrFailed, "signature has 256 bytes"},
		"no-login":       {pkcs11.ErrPIN, "wants its PIN for each signature"},
	} {
		t.Setenv("BEHAVIOUR", behaviour)
		o, _ := options(t, "module", softhsm.PIN)
		_, err := use(t.Context(), u, o)
		if !errors.Is(err, want.err) || !strings.Contains(fmt.Sprint(err), want.text) || strings.Contains(fmt.Sprint(err), softhsm.PIN) {
			t.Errorf("%q: %v, want %v with %q", behaviour, err, want.err, want.text)
		}
	}
}

// A module that hangs is given up, by whoever waits for it or after a while, and so is one whose child keeps the pipes open.
func TestHangingModules(t *testing.T) {
	u, _ := badModule(t)
	for _, behaviour := range []string{"hang", "fork", "hang-sign"} {
		t.Setenv("BEHAVIOUR", behaviour)
		o, _ := options(t, "module", softhsm.PIN)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("interrupted"))
		start := time.Now()
		_, err := use(ctx, u, o)
		cancel()
		if fmt.Sprint(err) != "interrupted" || time.Since(start) > 20*time.Second {
			t.Errorf("%s: %v after %s", behaviour, err, time.Since(start))
		}
		o.Patience = 500 * time.Millisecond
		if _, err := use(t.Context(), u, o); !errors.Is(err, pkcs11.ErrFailed) || !strings.Contains(fmt.Sprint(err), "did not answer for 500ms") {
			t.Errorf("%s: %v, want that it did not answer", behaviour, err)
		}
	}
}

// A helper ends when nobody is left to answer, whatever its module does.
func TestHelperDoesNotStay(t *testing.T) {
	u, notes := badModule(t)
	for _, behaviour := range []string{"", "hang", "hang-finalize"} {
		t.Setenv("BEHAVIOUR", behaviour)
		o, _ := options(t, "module", "")
		helper := exec.CommandContext(t.Context(), o.Helper)
		stdin, err := helper.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := helper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := helper.Start(); err != nil {
			t.Fatal(err)
		}
		if err := pkcs11.WriteLine(stdin, pkcs11.Request{Op: pkcs11.OpOpen, URI: u}); err != nil {
			t.Fatal(err)
		}
		if behaviour != "hang" {
			if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.Contains(line, `"token"`) {
				t.Fatalf("%q: the helper answers %q, %v", behaviour, line, err)
			}
		}
		stdin.Close()
		late := time.AfterFunc(20*time.Second, func() {
			t.Errorf("%q: the helper stays", behaviour)
			helper.Process.Kill()
		})
		helper.Wait()
		late.Stop()
	}
	if written, _ := os.ReadFile(notes); strings.Count(string(written), "finalized") != 1 {
		t.Errorf("a module that does not hang was not left properly: %s", written)
	}
}

// A token locks itself after a few wrong PINs: one is tried once, for the token and for a signature, however often it is needed.
func TestWrongPINIsTriedOnce(t *testing.T) {
	u, notes := badModule(t)
	for behaviour, want := range map[string]string{"wrong-pin": "login\n", "signature-pin": "login\nsignature login\n"} {
		t.Setenv("BEHAVIOUR", behaviour)
		o, asked := options(t, "module", softhsm.PIN)
		s, err := pkcs11.Open(t.Context(), u, o)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(notes)
		for range 3 {
			key, err := s.PrivateKey(t.Context())
			for range 3 {
				if err == nil {
					_, err = key.SignDigest(t.Context(), make([]byte, 32))
				}
				if !errors.Is(err, pkcs11.ErrPIN) {
					t.Errorf("%s: %v, want a wrong PIN", behaviour, err)
				}
				if key != nil {
					err = nil
				}
			}
		}
		s.Close()
		written, _ := os.ReadFile(notes)
		if got := strings.TrimSuffix(string(written), "finalized\n"); got != want || *asked != 1 {
			t.Errorf("%s: %q after %d questions, want %q", behaviour, got, *asked, want)
		}
	}
}

// A module looks for configuration in its current folder. That is not ours, which may be a clone of anybody's.
func TestModuleIsNotInOurFolder(t *testing.T) {
	u, notes := badModule(t)
	o, _ := options(t, "module", softhsm.PIN)
	t.Chdir(t.TempDir())
	if _, err := use(t.Context(), u, o); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(notes)
	folder, _, _ := strings.Cut(string(written), "\n")
	if err != nil || folder != filepath.Dir(o.Helper) {
		t.Errorf("the module runs in %q, %v", folder, err)
	}
}
