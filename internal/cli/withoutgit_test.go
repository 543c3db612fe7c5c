package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMayConfigure(t *testing.T) {
	for _, test := range []struct {
		name, file, content string
		want                bool
	}{
		{"nothing", "", "", false},
		{"other keys", ".gitconfig", "[user]\n\tname = A\n", false},
		{"section", ".gitconfig", "[ModelSign]\n\trequire\n", true},
		{"by URL", ".config/git/config", "[modelsign \"https://huggingface.co\"]\n", true},
		{"an include", ".gitconfig", "[includeIf \"gitdir:~/work/\"]\n\tpath = work\n", true},
		{"no file", ".gitconfig/x", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			t.Setenv("XDG_CONFIG_HOME", "")
			t.Setenv("GIT_CONFIG_SYSTEM", filepath.Join(home, "system"))
			if _, set := os.LookupEnv("GIT_CONFIG_GLOBAL"); set {
				t.Setenv("GIT_CONFIG_GLOBAL", "")
				os.Unsetenv("GIT_CONFIG_GLOBAL")
			}
			want := ""
			if test.file != "" {
				name := filepath.Join(home, filepath.FromSlash(test.file))
				if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(test.content), 0o666); err != nil {
					t.Fatal(err)
				}
				if test.want {
					want = name
				}
				if test.name == "no file" {
					want = filepath.Dir(name)
				}
			}
			if got := mayConfigure("modelsign"); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}
