package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Section is what a section of the configuration holds: <section>.<name>, and
// <section>.<url>.<name> for what some URLs are about.
type Section struct {
	git  git
	name string
	vars []variable
}

// ConfigSection reads a section as the folder's repository has it, or outside of
// one as the global and system configuration has.
func ConfigSection(ctx context.Context, dir, section string) (*Section, error) {
	g := configGit(dir)
	vars, err := configVariables(ctx, g)
	return newSection(g, section, matching(vars, inSection(section))), err
}

// ConfigSection is the function of that name for this repository. It returns
// ErrWorktreeConfig, wrapped, for a variable that the repository brought along.
func (r *Repository) ConfigSection(ctx context.Context, section string) (*Section, error) {
	vars, err := r.variables(ctx, inSection(section))
	if err == nil {
		err = r.notOfWorktree(ctx, vars)
	}
	if err != nil {
		return nil, err
	}
	return newSection(r.git, section, vars), nil
}

// OwnKeys lists the keys of a section that the repository's own configuration has, with
// what that includes.
func (r *Repository) OwnKeys(ctx context.Context, section string) ([]Key, error) {
	var keys []Key
	for _, file := range []string{filepath.Join(r.CommonDir, "config"), filepath.Join(r.GitDir, "config.worktree")} {
		if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		vars, err := configVariables(ctx, r.git, "--includes", "--file", file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, newSection(r.git, section, matching(vars, inSection(section))).Keys()...)
	}
	return keys, nil
}

// inSection matches the keys of a section.
func inSection(section string) string { return `^` + regexp.QuoteMeta(strings.ToLower(section)) + `\.` }

func newSection(g git, section string, vars []variable) *Section {
	return &Section{git: g, name: section, vars: vars}
}

// Key is the key of a variable.
type Key struct {
	// Full is all of it, as git has it, without secrets.
	Full string
	// Place is what stands between section and name, "" if nothing does.
	Place string
	// Name is in lower case.
	Name string
}

// Keys lists the keys of the section, once for each value.
func (s *Section) Keys() []Key {
	keys := make([]Key, len(s.vars))
	for i, v := range s.vars {
		keys[i] = Key{Full: redactText(v.key), Place: v.place, Name: v.name}
	}
	return keys
}

// Match returns the variables that hold for a URL, by variable name in lower case.
// As with git's own urlmatch the most specific <section>.<url>.<name> wins for each
// name, and <section>.<name> holds where no URL matches. All values that a name has
// at the winning place are given, in git's order. A variable without a value counts
// as "true", as in git. An empty URL asks for <section>.<name> only.
//
// URLs are compared in the form of [ComparedURL], so that a spelling of an address does
// not escape what is configured for another. That two hosts, schemes or paths lead to
// one repository it knows of the Hugging Face Hub only.
//
// The names of a group are also matched together: the most specific place that
// has any of them wins for all of them, so that what belongs together is never put
// together from several places. There is a result for each group.
func (s *Section) Match(ctx context.Context, url string, groups ...[]string) (values map[string][]string, together []map[string][]string, err error) {
	return urlMatch(ctx, s.git, s.normalized(url), s.name, ComparedURL(url), groups)
}

// Own says whether anything of the section is about the URL in particular.
func (s *Section) Own(ctx context.Context, url string) (bool, error) {
	vars := slices.DeleteFunc(s.normalized(url), func(v variable) bool { return v.place == "" })
	if url == "" || len(vars) == 0 {
		return false, nil
	}
	winners, err := urlWinners(ctx, s.git, vars, s.name, ComparedURL(url))
	return len(winners) > 0, err
}

// ByURL says whether anything of the section is about some URLs in particular.
func (s *Section) ByURL() bool {
	return slices.ContainsFunc(s.vars, func(v variable) bool { return v.place != "" })
}

// normalized are the variables with their places in the form that is compared with
// a URL. A place that has none is left to git. For a URL on the Hub a place with
// stars is one there too: they may stand for its host.
func (s *Section) normalized(url string) []variable {
	normal, err := NormalURL(url)
	hub := err == nil && onTheHub(normal)
	vars := slices.Clone(s.vars)
	for i, v := range vars {
		if place, err := normalPlace(v.place, hub); err == nil {
			vars[i].place = place
		}
	}
	return vars
}

// CheckPlace says why a place of a key can be no URL, or nil.
func CheckPlace(place string) error {
	_, err := normalPlace(place, false)
	return err
}

// anyLabel stands for the star of a host while a place is brought into its form.
const anyLabel = "any-0-label"

// normalPlace is [ComparedURL] for the URL of a key, whose host may have labels
// that are a star; hub says that these stand for the Hub's. A user is dropped where
// addresses are compared without one.
func normalPlace(place string, hub bool) (string, error) {
	if place == "" {
		return "", nil
	}
	opening := scheme.FindString(place)
	host, rest, _ := strings.Cut(place[len(opening):], "/")
	u, err := url.Parse(opening + strings.ReplaceAll(host, "*", anyLabel) + "/" + rest)
	if opening == "" || err != nil {
		return "", errURL
	}
	if _, secret := u.User.Password(); !secret && !isSSH(u.Scheme) {
		u.User = nil
	}
	normal, err := NormalURL(u.String())
	if err == nil && (onTheHub(normal) || hub && strings.Contains(normal, anyLabel)) {
		normal = hubURL(normal)
	}
	return strings.ReplaceAll(withoutGit(normal), anyLabel, "*"), err
}

// ComparedURL is what two addresses of one repository have in common: its
// [NormalURL] without the .git at the end that hosting services do with or without,
// and on the Hugging Face Hub the one form of all its hosts, schemes and cases. It is for comparing; people are
// shown what they wrote. What has no normal form stays as it is.
func ComparedURL(address string) string {
	normal, err := NormalURL(address)
	if err != nil {
		return address
	}
	if onTheHub(normal) {
		normal = hubURL(normal)
	}
	return withoutGit(normal)
}

func withoutGit(normal string) string {
	if short, found := strings.CutSuffix(normal, ".git"); found && !strings.HasSuffix(short, "/") {
		return short
	}
	return normal
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
