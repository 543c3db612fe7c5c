package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// maxConfigFile is the largest configuration file that is looked through without
// git, in bytes.
const maxConfigFile = 4 << 20

// mayConfigure names a file of the user's or the system's git configuration that may
// have something to say of a section, in lower case; "" if there is none. It is for
// a machine without git, where nobody can read such a file: what a user has
// configured must not be passed over. A file that cannot be looked through, or
// includes others, may have something to say of anything.
func mayConfigure(section string) (file string) {
	for _, name := range configFiles() {
		b, err := bounded.ReadFile(name, maxConfigFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		b = bytes.ToLower(b)
		if err != nil || bytes.Contains(b, []byte(section)) || bytes.Contains(b, []byte("include")) {
			return name
		}
	}
	return ""
}

// configFiles are the files that git reads outside of a repository, as git-config(1)
// lists them.
func configFiles() []string {
	files := []string{"/etc/gitconfig"}
	if name, set := os.LookupEnv("GIT_CONFIG_SYSTEM"); set {
		files = []string{name}
	}
	if name, set := os.LookupEnv("GIT_CONFIG_GLOBAL"); set {
		return append(files, name)
	}
	home, err := os.UserHomeDir()
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" && err == nil {
		config = filepath.Join(home, ".config")
	}
	if config != "" {
		files = append(files, filepath.Join(config, "git", "config"))
	}
	if err == nil {
		files = append(files, filepath.Join(home, ".gitconfig"))
	}
	return files
}
