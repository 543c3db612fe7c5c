package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ConfigGet returns the value of a configuration key as the folder's repository
// has it, or outside of one the global and system configuration, and whether
// it is set. Of several values it is the last.
func ConfigGet(ctx context.Context, dir, key string) (value string, set bool, err error) {
	return configGet(ctx, configGit(dir), key)
}

// ConfigGetAll is ConfigGet for all values of a key, in git's order.
func ConfigGetAll(ctx context.Context, dir, key string) ([]string, error) {
	return configGetAll(ctx, configGit(dir), key)
}

// ConfigURLMatch returns the variables of a section that hold for a URL, by
// variable name in lower case. As with git's own urlmatch the most specific
// <section>.<url>.<name> wins for each name, and <section>.<name> holds where
// no URL matches. All values that a name has at the winning place are given, in
// git's order. A variable without a value counts as "true", as in git. An empty
// URL asks for <section>.<name> only.
//
// The names of a group are also matched together: the most specific place that
// has any of them wins for all of them, so that what belongs together is never put
// together from several places. There is a result for each group.
func ConfigURLMatch(ctx context.Context, dir, section, url string, groups ...[]string) (values map[string][]string, together []map[string][]string, err error) {
	g := configGit(dir)
	vars, err := configSection(ctx, g, section)
	if err != nil {
		return nil, nil, err
	}
	return urlMatch(ctx, g, vars, section, url, groups)
}

// ConfigGet is the function of that name for this repository.
func (r *Repository) ConfigGet(ctx context.Context, key string) (value string, set bool, err error) {
	return configGet(ctx, r.git, key)
}

// ConfigGetAll is the function of that name for this repository.
func (r *Repository) ConfigGetAll(ctx context.Context, key string) ([]string, error) {
	return configGetAll(ctx, r.git, key)
}

// ConfigURLMatch is the function of that name for this repository. It returns
// ErrWorktreeConfig, wrapped, for a variable that the repository brought along.
func (r *Repository) ConfigURLMatch(ctx context.Context, section, url string, groups ...[]string) (values map[string][]string, together []map[string][]string, err error) {
	vars, err := configSection(ctx, r.git, section)
	if err == nil {
		err = r.notOfWorktree(vars)
	}
	if err != nil {
		return nil, nil, err
	}
	return urlMatch(ctx, r.git, vars, section, url, groups)
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

func configGet(ctx context.Context, g git, key string) (string, bool, error) {
	all, err := configGetAll(ctx, g, key)
	if err != nil || len(all) == 0 {
		return "", false, err
	}
	return all[len(all)-1], true, nil
}

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

// configVariables reads the variables whose keys match an expression.
func configVariables(ctx context.Context, g git, expression string) ([]variable, error) {
	out, err := configOutput(ctx, g, nil, "--show-origin", "--get-regexp", expression)
	if err != nil {
		return nil, err
	}
	records := splitNUL(out)
	if len(records)%2 != 0 {
		return nil, fmt.Errorf("git config: %w: %q", errRecord, out)
	}
	var vars []variable
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

// configSection reads all variables of a section, wherever their place.
func configSection(ctx context.Context, g git, section string) ([]variable, error) {
	return configVariables(ctx, g, `^`+regexp.QuoteMeta(strings.ToLower(section))+`\.`)
}

// ErrWorktreeConfig says that a variable of the configuration stands in a file
// of the worktree, which came with the repository: somebody has included it.
var ErrWorktreeConfig = errors.New("configuration in a file of the worktree")

// notOfWorktree refuses variables whose values came with the repository. A
// worktree that the home folder lies in is its owner's, as are the files there.
func (r *Repository) notOfWorktree(vars []variable) error {
	if home, err := os.UserHomeDir(); r.Top == "" || err == nil && inside(r.Top, resolvedOrSame(home)) {
		return nil
	}
	for _, v := range vars {
		file, isFile := strings.CutPrefix(v.origin, "file:")
		if !isFile {
			continue
		}
		named := absolute(r.git.dir, file)
		if foreign := func(p string) bool { return inside(r.Top, p) && !inside(r.GitDir, p) && !inside(r.CommonDir, p) }; foreign(named) || foreign(resolvedOrSame(named)) {
			return fmt.Errorf("%w: %s is set in %q, by an include.path", ErrWorktreeConfig, v.key, named)
		}
	}
	return nil
}

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

// urlMatch asks git which place wins for each name and each group.
func urlMatch(ctx context.Context, g git, vars []variable, section, url string, groups [][]string) (values map[string][]string, together []map[string][]string, err error) {
	copied := withGroups(vars, groups)
	winner := map[string]string{}
	byURL := false
	for _, v := range copied {
		byURL = byURL || v.place != ""
		winner[v.name] = ""
	}
	if byURL && url != "" {
		if winner, err = urlWinners(ctx, g, copied, section, url); err != nil {
			return nil, nil, err
		}
	}
	values = at(vars, func(name string) (string, bool) { place, ok := winner[name]; return place, ok })
	together = make([]map[string][]string, len(groups))
	for i, names := range groups {
		together[i] = at(vars, func(name string) (string, bool) {
			place, ok := winner[groupName(i)]
			return place, ok && slices.Contains(names, name)
		})
	}
	return values, together, nil
}

// groupName is the variable that stands for a group in the question to git. It
// has a form that no variable of a configuration can have more than by chance.
func groupName(i int) string { return fmt.Sprintf("together-%d-of-names", i) }

// withGroups adds to each place that has a variable of a group one for the group itself.
func withGroups(vars []variable, groups [][]string) []variable {
	out := slices.Clone(vars)
	for i, names := range groups {
		for _, v := range vars {
			if slices.Contains(names, v.name) {
				out = append(out, variable{place: v.place, name: groupName(i)})
			}
		}
	}
	return out
}

// at lists the values by name that stand at the place which won for the name.
func at(vars []variable, won func(name string) (place string, ok bool)) map[string][]string {
	values := map[string][]string{}
	for _, v := range vars {
		if place, ok := won(v.name); ok && place == v.place {
			values[v.name] = append(values[v.name], v.value)
		}
	}
	return values
}

// urlWinners returns the winning place of each name that holds for the URL. git's
// own urlmatch gives one value a name, so it is asked about a copy of the section
// in which each variable holds the number of its place instead of its value.
func urlWinners(ctx context.Context, g git, vars []variable, section, url string) (map[string]string, error) {
	var copied strings.Builder
	for i, v := range vars {
		if v.place == "" {
			fmt.Fprintf(&copied, "[%s]\n\t%s = %d\n", section, v.name, i)
		} else {
			fmt.Fprintf(&copied, "[%s \"%s\"]\n\t%s = %d\n", section, escapeConfig(v.place), v.name, i)
		}
	}
	out, err := configOutput(ctx, g, strings.NewReader(copied.String()), "--file", "-", "--get-urlmatch", section, url)
	if err != nil {
		return nil, err
	}
	winner := map[string]string{}
	for _, record := range splitNUL(out) {
		key, number, _ := strings.Cut(record, "\n")
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= len(vars) || !strings.HasSuffix(key, "."+vars[i].name) {
			return nil, fmt.Errorf("git config: %w: %q", errRecord, record)
		}
		winner[vars[i].name] = vars[i].place
	}
	return winner, nil
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
