package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Checkout is how this repository's configuration has files checked out, beside
// what attributes say, and where git gets the objects that a partial clone has
// left out.
type Checkout struct {
	// CRLF says that text files may get CRLF line ends without an attribute
	// asking for them.
	CRLF bool
	// Drivers are the names of the filters that are configured.
	Drivers map[string]bool
	// Promisors are the remotes that missing objects can be fetched from, in
	// git's order. There are none unless this is a partial clone.
	Promisors []string
}

// Checkout reads the configuration.
func (r *Repository) Checkout(ctx context.Context) (Checkout, error) {
	c := Checkout{Drivers: map[string]bool{}}
	vars, err := r.variables(ctx, `^(core\.(autocrlf|eol)|extensions\.partialclone|remote\..*\.promisor|filter\..*\..*)$`)
	if err != nil {
		return c, err
	}
	autocrlf, eol, last := "", "native", ""
	for _, v := range vars {
		switch section, _, _ := strings.Cut(v.key, "."); {
		case v.key == "core.autocrlf":
			autocrlf = strings.ToLower(v.value)
		case v.key == "core.eol":
			eol = strings.ToLower(v.value)
		case v.key == "extensions.partialclone":
			last = v.value
		case section == "filter":
			c.Drivers[v.place] = true
		case !isFalse(v.value):
			c.Promisors = append(c.Promisors, v.place)
		}
	}
	if last != "" {
		// git asks the one that the extension names after all others.
		c.Promisors = append(slices.DeleteFunc(c.Promisors, func(name string) bool { return name == last }), last)
	}
	switch {
	case autocrlf == "input":
	case !isFalse(autocrlf), eol == "crlf", eol == "native" && runtime.GOOS == "windows":
		c.CRLF = true
	}
	return c, nil
}

// isFalse reports whether git takes a value for false.
func isFalse(value string) bool {
	switch strings.ToLower(value) {
	case "", "false", "no", "off", "0":
		return true
	}
	return false
}

// notSparse has git read every .gitattributes of an index. In a sparse checkout of whole
// folders it passes over those of folders that are left out.
const notSparse = "core.sparseCheckout=false"

// stagedAttributes is [Snapshot.StagedAttributes].
func (r *Repository) stagedAttributes(ctx context.Context, paths, names []string) ([][]string, error) {
	stream := func(ctx context.Context, stdin io.Reader, read func(*bufio.Reader) error, args ...string) error {
		return r.git.stream(ctx, stdin, read, slices.Concat([]string{"-c", notSparse}, args)...)
	}
	return attributeTable(ctx, stream, []string{"--cached"}, paths, names)
}

// Scratch is a temporary index with an empty worktree of its own, in which git
// is asked about files that are in no index and no worktree: those of a commit,
// in a bare repository too. Objects and configuration are the repository's.
type Scratch struct {
	r   *Repository
	dir string
	git git
	// options go before every command: the index that it writes is a whole file
	// of its own, and nothing of the user's is run because of it.
	options []string
}

// output runs a git command in the scratch.
func (s *Scratch) output(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	return s.git.output(ctx, stdin, slices.Concat(s.options, args)...)
}

// stream is [Scratch.output] for what is read while git writes it.
func (s *Scratch) stream(ctx context.Context, stdin io.Reader, read func(*bufio.Reader) error, args ...string) error {
	return s.git.stream(ctx, stdin, read, slices.Concat(s.options, args)...)
}

// NewScratch makes one. The caller closes it.
func (r *Repository) NewScratch(ctx context.Context) (*Scratch, error) {
	hooks, err := r.configuredHooks(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "git-model-sign-scratch-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary worktree: %w", err)
	}
	s := &Scratch{r: r, dir: dir, git: r.git}
	if s.dir, err = filepath.EvalSymlinks(dir); err == nil {
		err = errors.Join(os.Mkdir(s.worktree(), 0o700), os.Mkdir(s.hooks(), 0o700))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a temporary worktree: %w", err), os.RemoveAll(dir))
	}
	// A split index would leave its shared part in the repository. A folder
	// without hooks is empty on every system, unlike what /dev/null is.
	s.options = []string{"-c", "core.splitIndex=false", "-c", "core.untrackedCache=false", "-c", notSparse, "-c", "core.hooksPath=" + s.hooks()}
	s.git.dir = s.worktree()
	env := without(s.git.env, "GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE", "GIT_ATTR_SOURCE")
	env = with(env, "GIT_DIR", r.GitDir)
	env = with(env, "GIT_WORK_TREE", s.worktree())
	env = with(env, "GIT_INDEX_FILE", filepath.Join(s.dir, "index"))
	for _, name := range hooks {
		env = withConfig(env, "hook."+name+".enabled", "false")
	}
	s.git.env = with(env, "GIT_NO_REPLACE_OBJECTS", "1")
	return s, nil
}

// configuredHooks are the names of the hooks that the configuration holds, which a
// folder without hooks does not keep git 2.54 and newer from running.
func (r *Repository) configuredHooks(ctx context.Context) ([]string, error) {
	vars, err := r.variables(ctx, `^hook\..*\.event$`)
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = v.place
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

func (s *Scratch) worktree() string { return filepath.Join(s.dir, "worktree") }

func (s *Scratch) hooks() string { return filepath.Join(s.dir, "hooks") }

// Close removes the temporary folder with the files that were checked out.
func (s *Scratch) Close() error { return os.RemoveAll(s.dir) }

// Add puts entries into the index. Objects are not looked at.
func (s *Scratch) Add(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var stdin strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&stdin, "%o %s\t%s\x00", e.Mode, e.OID, e.Path)
	}
	_, err := s.output(ctx, strings.NewReader(stdin.String()), "update-index", "-z", "--index-info")
	return err
}

// Attributes is [Snapshot.StagedAttributes] by the .gitattributes files that
// were added.
func (s *Scratch) Attributes(ctx context.Context, paths []string, names ...string) ([][]string, error) {
	return attributeTable(ctx, s.stream, []string{"--cached"}, paths, names)
}

// CheckOut writes the files at paths, which were added, as git would check them
// out here: with line ends, encoding, ident and the user's own filters as the
// attributes and the configuration have it. The LFS filter is not run. It
// returns the absolute path of each temporary file, by the path that it is for.
func (s *Scratch) CheckOut(ctx context.Context, paths []string) (map[string]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	stdin := strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	out, err := s.output(ctx, stdin, "-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false",
		"checkout-index", "--temp", "-z", "--stdin")
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(paths))
	for _, record := range splitNUL(string(out)) {
		name, path, ok := strings.Cut(record, "\t")
		if !ok || name != filepath.Base(name) || name == "." {
			return nil, fmt.Errorf("git checkout-index: %w: %q", errRecord, record)
		}
		files[path] = filepath.Join(s.worktree(), name)
	}
	for _, path := range paths {
		if files[path] == "" {
			return nil, fmt.Errorf("git checkout-index: %q was not written", path)
		}
	}
	return files, nil
}
