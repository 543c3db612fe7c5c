package hook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// template is a template folder of our own, which git copies into new repositories. It stands in the place of git's, so
// it holds copies of all that git would have taken from there.
type template struct {
	path string // absolute
	made bool   // it is there, and made by us
	// folders is how many levels of folders were made for it; seeds are the files that were copied, by their
	// paths with slashes, and the hex SHA-256 of their content.
	folders int
	seeds   map[string]string
}

// templateMark is a file that says that the folder is ours and what was copied to it. Git copies no file
// whose name begins with a dot.
const templateMark = ".git-model-sign"

// openTemplate reads the mark of a template folder.
func openTemplate(path string) (*template, error) {
	t := &template{path: path, seeds: make(map[string]string)}
	content, err := readSmall(filepath.Join(path, templateMark))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.made = true
	for line := bufio.NewScanner(bytes.NewReader(content)); line.Scan(); {
		switch kind, rest, _ := strings.Cut(line.Text(), " "); kind {
		case "folders":
			t.folders, _ = strconv.Atoi(rest)
		case "copied":
			if digest, name, ok := strings.Cut(rest, " "); ok && filepath.IsLocal(filepath.FromSlash(name)) {
				t.seeds[name] = digest
			}
		}
	}
	return t, nil
}

// make fills a new template folder with what git takes into a new repository so far: the content of the
// folder inherited or, where that is "", of git's own.
func (t *template) make(ctx context.Context, inherited string) error {
	t.folders = missing(t.path)
	if err := os.MkdirAll(t.path, 0o777); err != nil {
		return err
	}
	// The mark goes first, so that an installation that was cut short is known for ours.
	if err := t.mark(); err != nil {
		return err
	}
	if inherited == "" {
		if err := t.seedUsual(ctx); err != nil {
			return err
		}
	} else if err := t.seed(inherited, func(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") }); err != nil {
		return err
	}
	t.made = true
	return t.mark()
}

// seedUsual copies git's own template. Git does not tell where it is, so a repository made with it is held
// against one made without.
func (t *template) seedUsual(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "git-model-sign-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	usual, bare := filepath.Join(scratch, "usual.git"), filepath.Join(scratch, "bare.git")
	g := git{dir: scratch, env: unconfigured(scratch)}
	if _, err := g.output(ctx, "init", "-q", "--bare", usual); err != nil {
		return err
	}
	if _, err := g.output(ctx, "init", "-q", "--bare", "--template=", bare); err != nil {
		return err
	}
	return t.seed(usual, func(name string) bool {
		_, err := os.Lstat(filepath.Join(bare, name))
		return err == nil && name != "hooks"
	})
}

// unconfigured is an environment in which nobody has configured git. home is an empty folder.
func unconfigured(home string) []string {
	env := slices.DeleteFunc(anywhere(), func(e string) bool {
		return strings.HasPrefix(e, "GIT_TEMPLATE_DIR=") || strings.HasPrefix(e, "GIT_CONFIG")
	})
	return append(env, "HOME="+home, "XDG_CONFIG_HOME="+home, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
}

// seed copies what is in the folder from, apart from what leave says.
func (t *template) seed(from string, leave func(name string) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(t.path, rel)
		switch {
		case leave(rel) && d.IsDir():
			return fs.SkipDir
		case leave(rel):
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o777)
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			t.seeds[filepath.ToSlash(rel)] = digest([]byte(to))
			return os.Symlink(to, target)
		case !d.Type().IsRegular():
			return nil
		}
		return t.seedFile(path, rel)
	})
}

// seedFile copies one file, unless it is a hook of ours from another scope's template.
func (t *template) seedFile(path, rel string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if s, err := parse(content); err != nil || s.ours != nil {
		return nil
	}
	t.seeds[filepath.ToSlash(rel)] = digest(content)
	return replace(filepath.Join(t.path, rel), content, info.Mode().Perm())
}

func digest(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

// mark writes the mark.
func (t *template) mark() error {
	var b strings.Builder
	b.WriteString("Made by git model-sign install. Git copies this folder into new repositories, except for this file.\n")
	fmt.Fprintf(&b, "folders %d\n", t.folders)
	names := make([]string, 0, len(t.seeds))
	for name := range t.seeds {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "copied %s %s\n", t.seeds[name], name)
	}
	return replace(filepath.Join(t.path, templateMark), []byte(b.String()), 0o666)
}

// foreign lists what is in the folder that was neither copied nor made by us: the user has put
// it there, or changed it. Our hooks must be out of it already.
func (t *template) foreign() ([]string, error) {
	var names []string
	err := filepath.WalkDir(t.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(t.path, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		content, err := contentOf(path, d)
		if err != nil {
			return err
		}
		if rel != templateMark && t.seeds[rel] != digest(content) {
			names = append(names, rel)
		}
		return nil
	})
	return names, err
}

// contentOf is a file's content or a link's target.
func contentOf(path string, d fs.DirEntry) ([]byte, error) {
	if d.Type()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		return []byte(to), err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// remove removes the folder. Nothing of the user's may be in it.
func (t *template) remove() error {
	for name := range t.seeds {
		if err := os.Remove(filepath.Join(t.path, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(filepath.Join(t.path, templateMark)); err != nil {
		return err
	}
	var dirs []string
	err := filepath.WalkDir(t.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != t.path {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	removeEmpty(t.path, max(t.folders, 1))
	return nil
}

// disown leaves the folder to the user, who has put things into it: without the mark it is one that they have
// set up themselves.
func (t *template) disown() error {
	return os.Remove(filepath.Join(t.path, templateMark))
}
