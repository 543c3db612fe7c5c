package hub_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// env makes a getenv of pairs; HF_HOME is an empty folder unless it is given.
func env(t *testing.T, pairs ...string) func(string) string {
	t.Helper()
	vars := map[string]string{"HF_HOME": t.TempDir()}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return vars[name] }
}

func TestFolders(t *testing.T) {
	user := t.TempDir()
	t.Setenv("HOME", user)
	t.Setenv("USERPROFILE", user)
	for _, test := range []struct {
		env         []string
		home, cache string
	}{
		{[]string{"HF_HUB_CACHE", "/a", "HF_HOME", "/b"}, "/b", "/a"},
		{[]string{"HF_HUB_CACHE", "/a", "HUGGINGFACE_HUB_CACHE", "/c", "HF_HOME", "/b"}, "/b", "/a"},
		{[]string{"HUGGINGFACE_HUB_CACHE", "/c", "HF_HOME", "/b"}, "/b", "/c"},
		{[]string{"HF_HOME", "/b", "XDG_CACHE_HOME", "/x"}, "/b", "/b/hub"},
		{[]string{"HF_HOME", "", "XDG_CACHE_HOME", "/x"}, "/x/huggingface", "/x/huggingface/hub"},
		{[]string{"HF_HOME", ""}, user + "/.cache/huggingface", user + "/.cache/huggingface/hub"},
		{[]string{"HF_HOME", "~/hf"}, user + "/hf", user + "/hf/hub"},
		{[]string{"HF_HOME", "$SCRATCH/hf", "SCRATCH", "/s"}, "/s/hf", "/s/hf/hub"},
		{[]string{"HF_HOME", "/b", "HF_HUB_CACHE", "${SCRATCH}/$NONE", "SCRATCH", "/s"}, "/b", "/s/$NONE"},
	} {
		e, err := hub.FromEnvironment(env(t, test.env...))
		if err != nil {
			t.Errorf("%v: %v", test.env, err)
		}
		if want := abs(t, test.home); e.Home != want {
			t.Errorf("%v: home %q, want %q", test.env, e.Home, want)
		}
		if want := abs(t, test.cache); e.Cache != want {
			t.Errorf("%v: cache %q, want %q", test.env, e.Cache, want)
		}
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSwitches(t *testing.T) {
	for _, test := range []struct {
		env                 []string
		offline, noSymlinks bool
	}{
		{nil, false, false},
		{[]string{"HF_HUB_OFFLINE", "1"}, true, false},
		{[]string{"HF_HUB_OFFLINE", "yes"}, true, false},
		{[]string{"HF_HUB_OFFLINE", "On"}, true, false},
		{[]string{"TRANSFORMERS_OFFLINE", "true"}, true, false},
		{[]string{"HF_HUB_OFFLINE", "0", "TRANSFORMERS_OFFLINE", "1"}, false, false}, // the first that is set counts
		{[]string{"HF_HUB_OFFLINE", "2"}, false, false},
		{[]string{"HF_HUB_OFFLINE", " 1"}, false, false},
		{[]string{"HF_HUB_DISABLE_SYMLINKS", "1"}, false, true},
	} {
		e, err := hub.FromEnvironment(env(t, test.env...))
		if err != nil || e.Offline != test.offline || e.NoSymlinks != test.noSymlinks {
			t.Errorf("%v: offline %t, no symlinks %t, %v", test.env, e.Offline, e.NoSymlinks, err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for _, test := range []struct {
		value, want, err string
	}{
		{"", hub.DefaultEndpoint, ""},
		{"https://hub.example.com//", "https://hub.example.com", ""},
		{"http://127.0.0.1:8080/hf/", "http://127.0.0.1:8080/hf", ""},
		{"hub.example.com", "", "no address"},
		{"file:///etc", "", "no address"},
		{"https://", "", "no address"},
		{"https://u:hunter2@hub.example.com", "", `no user, password, query or fragment, found one for "hub.example.com"`},
		{"https://hub.example.com?key=hunter2", "", "no user, password"},
		{"https://hunter2%zz.example.com", "", "no address"},
	} {
		e, err := hub.FromEnvironment(env(t, "HF_ENDPOINT", test.value))
		if test.err == "" {
			if err != nil || e.Endpoint != test.want {
				t.Errorf("%q: %q, %v; want %q", test.value, e.Endpoint, err, test.want)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v, want one with %q that quotes no secret", test.value, err, test.err)
		}
	}
}

func TestFindToken(t *testing.T) {
	home := cache(t, map[string]string{"token": "hf_file\n", "other": "\r\n hf_\nother \n", "bad": "hf_\x01secret", "empty": "\n"})
	for _, test := range []struct {
		name string
		env  []string
		want string // "" is no token
		err  string
	}{
		{"file", nil, "hf_file", ""},
		{"variable", []string{"HF_TOKEN", " hf_a\n"}, "hf_a", ""},
		{"old variable", []string{"HUGGING_FACE_HUB_TOKEN", "hf_b"}, "hf_b", ""},
		{"both", []string{"HF_TOKEN", "hf_a", "HUGGING_FACE_HUB_TOKEN", "hf_b"}, "hf_a", ""},
		{"blank variable", []string{"HF_TOKEN", " \n", "HUGGING_FACE_HUB_TOKEN", "hf_b"}, "hf_file", ""},
		{"other file", []string{"HF_TOKEN_PATH", filepath.Join(home, "other")}, "hf_other", ""},
		{"empty file", []string{"HF_TOKEN_PATH", filepath.Join(home, "empty")}, "", ""},
		{"no file", []string{"HF_TOKEN_PATH", filepath.Join(home, "none")}, "", ""},
		{"forbidden", []string{"HF_TOKEN", "hf_a", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}, "", ""},
		{"offline", []string{"HF_TOKEN_PATH", home, "HF_HUB_OFFLINE", "1"}, "", ""},
		{"folder", []string{"HF_TOKEN_PATH", home}, "", "reading the Hugging Face token"},
		{"not ASCII", []string{"HF_TOKEN_PATH", filepath.Join(home, "bad")}, "", "visible ASCII"},
		{"not ASCII in a variable", []string{"HF_TOKEN", "hf_sécret"}, "", "visible ASCII"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := hub.FromEnvironment(env(t, append([]string{"HF_HOME", home}, test.env...)...))
			if test.err != "" && err == nil {
				err = firstCall(t, e)
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "cret") {
					t.Fatalf("error %v, want one with %q that quotes no secret", err, test.err)
				}
				return
			}
			if got := tokenSent(t, e.Token); err != nil || got != test.want {
				t.Errorf("token %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestUnreadableTokenFile(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := hub.FromEnvironment(env(t, "HF_HOME", home))
	if err != nil {
		t.Errorf("what needs no token fails: %v", err)
	}
	if err := firstCall(t, e); err == nil || !strings.Contains(err.Error(), "reading the Hugging Face token") {
		t.Errorf("a token file of 1 MiB is read: %v", err)
	}
}

// firstCall asks a Hub that nobody may ask.
func firstCall(t *testing.T, e hub.Environment) error {
	refused := transport(func(*http.Request) (*http.Response, error) {
		t.Error("the Hub is asked")
		return nil, errors.New("no network")
	})
	_, err := hub.NewClient(e, hub.ClientOptions{Transport: refused}).Resolve(t.Context(), hub.Repo{Type: hub.Model, ID: "org/model"}, "main")
	return err
}
