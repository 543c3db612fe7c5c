// Package gitrepo is what we ask of git.
//
// Everything that must be exactly git's answer is asked of the git program:
// where a repository is, its configuration, its status, its attributes, and a
// commit. What a plain repository keeps in a well-known form (the index, HEAD, blobs,
// blob ids) is read in-process, in part with go-git, and asked of git wherever the
// repository is of another shape or anything is met that is not understood.
// The two readers give the same answer or the plain one is not used; no shape
// that git opens is refused.
//
// The package executes nothing that came with a repository. What git itself
// executes is what the user's own configuration says; reading commands take no
// optional locks, start no fsmonitor hook and open no pager.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Errors that a caller must tell apart.
var (
	// ErrNoGit says that there is no git program on PATH.
	ErrNoGit = errors.New("git is not on PATH")
	// ErrGitTooOld says that git is older than MinVersion.
	ErrGitTooOld = errors.New("git is too old")
	// ErrNotRepository says that a folder lies in no git repository.
	ErrNotRepository = errors.New("not a git repository")
	// ErrDubiousOwnership says that git will not use the repository because it
	// belongs to somebody else. The error's text holds git's own advice.
	ErrDubiousOwnership = errors.New("git does not trust the owner of the repository")
	// ErrNoWorktree says that what was asked needs a worktree and the repository
	// has none.
	ErrNoWorktree = errors.New("the repository has no worktree")
	// ErrInProgress says that a merge, rebase, cherry-pick or revert is under way.
	ErrInProgress = errors.New("in progress")
	// ErrOverlooked says that git was told to pass over changes of a file.
	ErrOverlooked = errors.New("marked in the index as skip-worktree or assume-unchanged, and git would commit no change of it")
	// ErrNoIdentity says that git does not know in whose name to commit.
	ErrNoIdentity = errors.New("nobody to commit as")
	// ErrNothingToCommit says that the path is committed as it is already.
	ErrNothingToCommit = errors.New("nothing to commit")
	// ErrObject says that an object is not there, is not a blob, or is not what
	// its id says.
	ErrObject = errors.New("bad object")
)

// MinVersion is the oldest git that is supported, major and minor.
var MinVersion = [2]int{2, 25}

// Object formats that a repository may have.
const (
	SHA1   = "sha1"
	SHA256 = "sha256"
)

// Repository is a git repository as seen from one folder. It holds no open
// files and may be used from several goroutines. Its configuration is read once,
// when it is first needed.
type Repository struct {
	// Top is the absolute root folder of the worktree, "" if there is none: in a
	// bare repository, or inside the git folder.
	Top string
	// GitDir is the absolute git folder; in a linked worktree its own.
	GitDir string
	// CommonDir is the absolute git folder that linked worktrees share.
	CommonDir string
	// ObjectFormat is SHA1 or SHA256.
	ObjectFormat string
	// Bare says that the repository is bare.
	Bare bool
	// Named says that GIT_DIR names the repository, as git --git-dir has it.
	Named bool
	// Prefix is the path of the folder that was opened, relative to Top, with
	// slashes and without one at its end; "" for Top itself.
	Prefix string

	git     git
	config  *configuration
	fetches *fetches
}

// Open finds the repository of a folder as git does, GIT_DIR and GIT_WORK_TREE
// included. Where those name a repository that the folder is not part of, the
// folder's own repository is found instead.
//
// It returns ErrNoGit, ErrGitTooOld, ErrNotRepository or ErrDubiousOwnership,
// wrapped, where they are the cause.
func Open(ctx context.Context, dir string) (*Repository, error) {
	dir, err := resolved(dir)
	if err != nil {
		return nil, err
	}
	env := readEnv(os.Environ())
	if named(env, "GIT_DIR") {
		r, err := openNamed(ctx, dir, env)
		if r != nil || err != nil {
			return r, err
		}
		env = withoutLocal(env)
	}
	r, err := discover(ctx, git{dir: dir, env: env})
	if err != nil {
		return nil, err
	}
	return r.settle(), nil
}

// openNamed opens the repository that GIT_DIR names, from the current folder as
// git would. It returns nil if dir is not part of that repository.
func openNamed(ctx context.Context, dir string, env []string) (*Repository, error) {
	cwd, err := resolved(".")
	if err != nil {
		return nil, err
	}
	r, err := discover(ctx, git{dir: cwd, env: env})
	if err != nil {
		return nil, err
	}
	r.Named = true
	home := r.Top
	if home == "" {
		home = r.GitDir
	}
	rel, inside := Within(home, dir)
	if !inside && dir != cwd {
		return nil, nil
	}
	if r.Top != "" && inside {
		r.Prefix = rel
	}
	return r.settle(), nil
}

// resolved makes a path absolute and free of symbolic links, as git sees it.
func resolved(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// separator stands between the paths that rev-parse prints, which may hold line
// ends. rev-parse prints an option that it does not know as it is.
const separator = "--model-sign-separator"

// discover asks git where it is.
func discover(ctx context.Context, g git) (*Repository, error) {
	out, err := g.output(ctx, nil, "rev-parse", "--show-object-format", "--is-bare-repository", "--is-inside-work-tree",
		separator, "--absolute-git-dir", separator, "--git-common-dir", separator, "--show-prefix", separator, "--show-toplevel")
	parts := strings.Split(string(out), separator+"\n")
	facts := strings.Fields(parts[0])
	understood := len(parts) == 5 && len(facts) == 3
	// Without a worktree rev-parse fails at --show-toplevel and has printed all
	// that stands before it.
	noTop := err != nil && understood && facts[2] == "false"
	if err != nil && !noTop {
		return nil, openError(err)
	}
	if !understood {
		return nil, fmt.Errorf("git rev-parse: answer %q is not understood", out)
	}
	if facts[0] != SHA1 && facts[0] != SHA256 {
		return nil, tooOld(ctx)
	}
	r := &Repository{ObjectFormat: facts[0], Bare: facts[1] == "true", git: g, config: &configuration{}, fetches: &fetches{}}
	r.GitDir = absolute(g.dir, parts[1])
	r.CommonDir = absolute(g.dir, parts[2])
	r.Prefix = strings.TrimSuffix(strings.TrimSuffix(parts[3], "\n"), "/")
	if !noTop {
		r.Top = absolute(g.dir, parts[4])
	}
	return r, nil
}

// absolute makes a path that git printed one of this system.
func absolute(dir, printed string) string {
	p := filepath.FromSlash(strings.TrimSuffix(printed, "\n"))
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, p)
	}
	return filepath.Clean(p)
}

// settle fixes the folder and environment in which later commands run: the top
// of the worktree, so that every path is relative to it. Where git might not
// find the same repository from there by itself, it is told which one it is;
// otherwise not, as the hooks that git starts would inherit that.
func (r *Repository) settle() *Repository {
	r.git.dir = r.Top
	if r.Top == "" {
		r.git.dir = r.GitDir
	}
	found := r.Bare
	if r.Top != "" {
		_, err := os.Lstat(filepath.Join(r.Top, ".git"))
		found = err == nil
	}
	if found && !named(r.git.env, "GIT_DIR") && !named(r.git.env, "GIT_WORK_TREE") {
		return r
	}
	r.git.env = with(r.git.env, "GIT_DIR", r.GitDir)
	if r.Top != "" {
		r.git.env = with(r.git.env, "GIT_WORK_TREE", r.Top)
	}
	return r
}

// PathOf returns the path of a file or folder, which need not exist, relative to
// Top. It is an error if it does not lie there. Links in the folders on the way
// count as what they lead to, the last name stays as it is. Letters stay as they
// were given: where a file system takes another case or another Unicode form for
// the same name, the path is the index's only if it was given like that.
func (r *Repository) PathOf(path string) (string, error) {
	if r.Top == "" {
		return "", ErrNoWorktree
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, base := filepath.Dir(abs), filepath.Base(abs)
	if resolved, err := filepath.EvalSymlinks(abs); err == nil && resolved == r.Top {
		return "", nil
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	rel, inside := Within(r.Top, filepath.Join(dir, base))
	if !inside {
		return "", fmt.Errorf("%s is not in %s", path, r.Top)
	}
	return rel, nil
}

// Within returns the path of target relative to base with slashes, "" for base
// itself, and whether it lies there. Both are absolute.
func Within(base, target string) (string, bool) {
	rel, err := filepath.Rel(base, target)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	if rel == "." {
		return "", true
	}
	return filepath.ToSlash(rel), true
}
