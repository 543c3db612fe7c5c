// Package extension has hf, the command line of Hugging Face's client, know of
// hf-model-verify: `hf model-verify …` runs the program that a manifest names.
//
// hf looks into one folder of the user's home and nowhere else, whatever the
// environment says. The package writes and removes that one manifest, and only where it
// is ours: an extension of the same name by somebody else stays as it is. It runs
// nothing.
package extension

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// Name is what comes behind hf.
const Name = "model-verify"

// program is the name of the executable and of the extension's folder.
const program = "hf-" + Name

// ErrForeign says that there is an extension of this name that is not ours.
var ErrForeign = errors.New("an extension of this name is there that is not ours")

// manifest is what hf reads, in the order in which hf writes it.
type manifest struct {
	CommitSHA      *string `json:"commit_sha"`
	Description    string  `json:"description"`
	ExecutablePath string  `json:"executable_path"`
	InstalledAt    string  `json:"installed_at"` // ISO 8601, with an offset
	Owner          string  `json:"owner"`
	Repo           string  `json:"repo"`
	RepoID         string  `json:"repo_id"`
	ShortName      string  `json:"short_name"`
	Type           string  `json:"type"`
}

// owner marks a manifest as ours, and keeps hf from updating what it has not
// installed: it asks GitHub for OWNER/REPO and would install what is there, and no
// owner there can have a dot in his name.
const owner = "installed.locally"

const (
	manifestName = "manifest.json"
	// latestName is where hf notes what it has found when it looked for updates.
	latestName = ".latest_commit"
	// maxManifest is the largest manifest that is read, in bytes; hf's have 500.
	maxManifest = 64 << 10
)

// Dir is the folder of the extension: always the one below the user's home, where
// hf looks.
func Dir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the folder of hf's extensions: %w", err)
	}
	return filepath.Join(home, ".local", "share", "hf", "extensions", program), nil
}

// Executable is the path by which hf is to run this program: the one on PATH, which
// survives an update, or else that of the file that is running.
func Executable() (string, error) {
	running, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return running, nil
	}
	a, err := os.Stat(running)
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	if b, err := os.Stat(found); err != nil || !os.SameFile(a, b) {
		return running, nil
	}
	return filepath.Abs(found)
}

// Installed is the executable that our extension in dir runs; "" where there is no
// extension. The error is ErrForeign for one that is not ours.
func Installed(dir string) (executable string, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	path := filepath.Join(dir, manifestName)
	b, err := bounded.ReadRegular(path, maxManifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			return "", fmt.Errorf("%q has no %s: %w", dir, manifestName, ErrForeign)
		}
		return "", nil
	case err != nil && !errors.Is(err, bounded.ErrTooLarge) && !errors.Is(err, bounded.ErrNotRegular):
		return "", fmt.Errorf("reading the extension's manifest: %w", err)
	}
	var m manifest
	if err != nil || json.Unmarshal(b, &m) != nil || m.Owner != owner || m.Repo != program || m.ExecutablePath == "" {
		return "", fmt.Errorf("%q: %w", path, ErrForeign)
	}
	return m.ExecutablePath, nil
}

// Install writes the manifest into dir, so that hf runs the executable, an absolute
// path. One that is not ours is written over only if force is set, and else the error is
// ErrForeign.
func Install(dir, executable string, now time.Time, force bool) (path string, err error) {
	if _, err := Installed(dir); err != nil && !(force && errors.Is(err, ErrForeign)) {
		return "", err
	}
	if !filepath.IsAbs(executable) || !utf8.ValidString(executable) {
		return "", fmt.Errorf("%q: hf can run no such path: it is not absolute, or not UTF-8", executable)
	}
	b, err := json.MarshalIndent(manifest{
		Description:    "Verify who signed a model, and that every byte is as signed",
		ExecutablePath: executable,
		InstalledAt:    now.UTC().Format("2006-01-02T15:04:05+00:00"),
		Owner:          owner,
		Repo:           program,
		RepoID:         "git-model-sign/" + program,
		ShortName:      Name,
		Type:           "binary",
	}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("writing the extension's manifest: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("making the extension's folder: %w", err)
	}
	path = filepath.Join(dir, manifestName)
	if err := durable.WriteFile(path, []byte(ascii(string(b))+"\n"), 0o666); err != nil {
		return "", fmt.Errorf("writing the extension's manifest: %w", err)
	}
	return path, nil
}

// ascii writes JSON without a character beyond ASCII: hf reads it in the encoding of
// the user's locale.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// Uninstall removes our extension from dir, with what hf has noted there; removed is
// false where there was none. Other files stay, and the folder with them. The error
// is ErrForeign for an extension that is not ours.
func Uninstall(dir string) (removed bool, err error) {
	executable, err := Installed(dir)
	if err != nil || executable == "" {
		return false, err
	}
	for _, name := range []string{latestName, manifestName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("removing the extension: %w", err)
		}
	}
	os.Remove(dir) // which fails if there is anything else in it
	return true, nil
}
