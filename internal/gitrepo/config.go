package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	boundedfile "github.com/git-model-sign/git-model-sign/internal/bounded"
)

// ConfigGet returns the value of a configuration key as the repository has it,
// and whether it is set. Of several values it is the last.
func (r *Repository) ConfigGet(ctx context.Context, key string) (value string, set bool, err error) {
	all, err := configGetAll(ctx, r.git, key)
	if err != nil || len(all) == 0 {
		return "", false, err
	}
	return all[len(all)-1], true, nil
}

// configGit runs git in a folder that need not be part of a repository. Without
// a folder no repository's configuration is read, the current one's neither: any
// folder with the right names in it passes for a bare repository, and its config
// may have come with a download.
func configGit(dir string) git {
	env := readEnv(os.Environ())
	if dir == "" {
		env = with(withoutLocal(env), "GIT_DIR", filepath.Join(os.DevNull, "no-repository"))
	}
	return git{dir: dir, env: env}
}

// configGetAll returns all values of a key, in git's order.
func configGetAll(ctx context.Context, g git, key string) ([]string, error) {
	// git has one exit status for a key that is not set and for what is no key.
	if strings.Trim(key, ".") != key || !strings.Contains(key, ".") {
		return nil, fmt.Errorf("%q is no configuration key", key)
	}
	out, err := configOutput(ctx, g, nil, "--get-all", key)
	return splitNUL(out), err
}

// configOutput runs `git config`. That nothing was found is no error.
func configOutput(ctx context.Context, g git, stdin io.Reader, args ...string) (string, error) {
	out, err := g.output(ctx, stdin, append([]string{"config", "-z"}, args...)...)
	if exitedWith(err, 1) {
		return "", nil
	}
	return string(out), err
}

// variable is one line of configuration.
type variable struct {
	key    string // all of it, as git has it
	place  string // the part between section and name, "" for <section>.<name>
	name   string // in lower case
	value  string
	origin string // as git names it, such as file:.git/config
}

// configVariables reads all variables, in git's order: of all files together, or of those
// that options of git config name.
func configVariables(ctx context.Context, g git, files ...string) ([]variable, error) {
	out, err := configOutput(ctx, g, nil, append(files, "--show-origin", "--list")...)
	if err != nil {
		return nil, err
	}
	return parseVariables(out)
}

// parseVariables reads records of origin, NUL, key, line end, value, NUL. The line
// end and the value are not there for a variable without one.
func parseVariables(out string) ([]variable, error) {
	records := splitNUL(out)
	if len(records)%2 != 0 {
		return nil, fmt.Errorf("git config: %w: %q", errRecord, out)
	}
	vars := make([]variable, 0, len(records)/2)
	for pair := range slices.Chunk(records, 2) {
		key, value, hasValue := strings.Cut(pair[1], "\n")
		if !hasValue {
			value = "true"
		}
		first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
		if first < 0 {
			return nil, fmt.Errorf("git config: %w: %q", errRecord, key)
		}
		vars = append(vars, variable{key: key, place: key[min(first+1, last):last], name: key[last+1:], value: value, origin: pair[0]})
	}
	return vars, nil
}

// matching are the variables whose keys match an expression.
func matching(vars []variable, expression string) []variable {
	keys := regexp.MustCompile(expression)
	return slices.DeleteFunc(slices.Clone(vars), func(v variable) bool { return !keys.MatchString(v.key) })
}

// configuration is what a repository's configuration held when it was first read,
// which is once for all that this program asks of it at about the same time.
type configuration struct {
	mu   sync.Mutex
	read bool
	vars []variable
}

// variables are those of the configuration whose keys match an expression.
func (r *Repository) variables(ctx context.Context, expression string) ([]variable, error) {
	c := r.config
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.read {
		vars, err := configVariables(ctx, r.git)
		if err != nil {
			return nil, err
		}
		c.vars, c.read = vars, true
	}
	return matching(c.vars, expression), nil
}

// ErrWorktreeConfig says that a variable of the configuration stands in a file
// of the worktree, which came with the repository: somebody has included it.
var ErrWorktreeConfig = errors.New("configuration in a file of the worktree")

// notOfWorktree refuses variables whose values came with the repository, in any of
// its worktrees. A worktree that the home folder lies in is its owner's, as are the
// files there.
func (r *Repository) notOfWorktree(ctx context.Context, vars []variable) error {
	tops, err := r.worktrees(ctx)
	if err != nil {
		return err
	}
	if home, err := os.UserHomeDir(); err == nil {
		home = resolvedOrSame(home)
		tops = slices.DeleteFunc(tops, func(top string) bool { return inside(top, home) })
	}
	foreign := func(p string) bool {
		return slices.ContainsFunc(tops, func(top string) bool { return inside(top, p) }) && !inside(r.GitDir, p) && !inside(r.CommonDir, p)
	}
	for _, v := range vars {
		file, isFile := strings.CutPrefix(v.origin, "file:")
		if !isFile {
			continue
		}
		if named := absolute(r.git.dir, file); foreign(named) || foreign(resolvedOrSame(named)) {
			return fmt.Errorf("%w: %s is set in %q, by an include.path", ErrWorktreeConfig, redactText(v.key), named)
		}
	}
	return nil
}

// worktrees lists the tops of the repository's worktrees: the one that is open, the
// main one, and those that are linked, of which some may be gone.
func (r *Repository) worktrees(ctx context.Context) ([]string, error) {
	var tops []string
	if r.Top != "" {
		tops = append(tops, r.Top)
	}
	if filepath.Base(r.CommonDir) == ".git" {
		tops = append(tops, filepath.Dir(r.CommonDir))
	}
	linked := filepath.Join(r.CommonDir, "worktrees")
	entries, err := os.ReadDir(linked)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing worktrees: %w", err)
	}
	for _, e := range entries {
		b, err := boundedfile.ReadRegular(filepath.Join(linked, e.Name(), "gitdir"), maxGitdir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing worktrees: %w", err)
		}
		dotGit := absolute(filepath.Join(linked, e.Name()), filepath.FromSlash(strings.TrimRight(string(b), "\r\n")))
		tops = append(tops, resolvedOrSame(filepath.Dir(dotGit)))
	}
	if r.GitDir != r.CommonDir {
		// Of a module, say, the main worktree is where the configuration has it.
		main, err := r.variables(ctx, `^core\.worktree$`)
		if err != nil {
			return nil, err
		}
		if len(main) > 0 {
			tops = append(tops, resolvedOrSame(absolute(r.CommonDir, filepath.FromSlash(main[len(main)-1].value))))
		}
	}
	return tops, nil
}

// maxGitdir bounds the file in which git keeps where a linked worktree is, in bytes.
const maxGitdir = 64 << 10

// inside says whether an absolute path is dir or lies below it.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func resolvedOrSame(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return path
}

// escapeConfig writes a text between double quotes of a configuration file.
func escapeConfig(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s)
}

// ParseBool reads a boolean as git config spells it. A variable without a value
// has been read as "true" before.
func ParseBool(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off", "":
		return false, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return false, fmt.Errorf("expected true or false, found %q", value)
	}
	return n != 0, nil
}

// ExpandPath expands ~/, ~user/ and %(prefix)/ at the beginning of a
// configuration value as git does for values that are paths. A relative path
// stays relative.
func ExpandPath(ctx context.Context, value string) (string, error) {
	if !strings.HasPrefix(value, "~") && !strings.HasPrefix(value, "%") && !strings.HasPrefix(value, ":") {
		return value, nil
	}
	stdin := strings.NewReader("[modelsign]\n\tpath = \"" + escapeConfig(value) + "\"\n")
	out, err := configOutput(ctx, configGit(""), stdin, "--file", "-", "--type=path", "--get", "modelsign.path")
	if err != nil {
		return "", fmt.Errorf("expanding path %q: %w", value, err)
	}
	return strings.TrimSuffix(out, "\x00"), nil
}
