// Package walk takes the two walks of the design from one end to the other:
// [Sign] from a path to a committed signature, and [Verify] from a signature to
// a verdict. [Signatures] finds what a hook verifies.
//
// It joins the rooms below it and owns what is between them: which files are
// the model, where its signature lies, in which order things are refused. It
// parses no flags, and leaves the result to be printed; what must be said before
// there is one, a warning or progress, goes to the terminal that it is given.
package walk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// SignatureName is the name of a signature in the folder that it covers.
const SignatureName = "model.sig"

// Place is where a model lies: a folder or a single file, in a git worktree or not.
type Place struct {
	// Path is the absolute path of the model, and Name what the user called it.
	Path, Name string
	// Single says that the model is one file.
	Single bool
	// Signature is the absolute path of the signature file.
	Signature string
	// Repo is the repository whose worktree holds the model; nil outside one.
	Repo *gitrepo.Repository
	// Cached is the snapshot of a Hugging Face cache that the model is; nil for
	// anything else.
	Cached *hub.Snapshot
	// Internal says that the model lies in a bare repository or a git folder, and
	// in no worktree.
	Internal bool
	// Commit is "" for the worktree, a full commit id for what that commit holds,
	// or [Staged] for what is staged. For the latter two Path and Signature are
	// relative to the top of the repository, with slashes, Path "" for the top
	// itself, and nothing of the worktree is looked at: there need not be one.
	Commit string
	// Detached says that the signature is a file outside of the commit, and
	// Signature its absolute path.
	Detached bool

	named    bool              // the user has named the signature
	snapshot *gitrepo.Snapshot // of Commit, once it was read
	remote   *remote           // where Commit is one of a repository on the Hub
	several  error             // why no signature can be judged by itself: there are several, and none of the usual name
	fetched  int               // blobs that a partial clone lacked
	ignored  []string          // paths relative to the model that are no part of it
}

// Locate finds out what name is. An empty signature means the usual place:
// model.sig in a folder, and beside a file its name with ".sig".
func Locate(ctx context.Context, name, signature string, noGit bool) (*Place, error) {
	if name == "" {
		name = "."
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, ui.Trouble("", "finding %s: %w", ui.Quote(name), err)
	}
	info, err := os.Stat(abs)
	switch {
	case notExist(err):
		return nil, ui.Usage("the model is a folder or a file, by default the current folder; -h lists the commands",
			"opening the model: %w", err)
	case err != nil:
		return nil, ui.Trouble("", "opening the model: %w", err)
	}
	p := &Place{Path: abs, Name: name, Single: !info.IsDir(), Signature: signature, named: signature != ""}
	switch {
	case signature != "":
		if p.Signature, err = filepath.Abs(signature); err != nil {
			return nil, ui.Trouble("", "finding %s: %w", ui.Quote(signature), err)
		}
	case p.Single:
		p.Signature = abs + ".sig"
	default:
		p.Signature = filepath.Join(abs, SignatureName)
	}
	if noGit {
		return p, nil
	}
	p.Repo, p.Internal, err = worktree(ctx, p.folder())
	if err != nil {
		return nil, err
	}
	return p, nil
}

// CheckCommits refuses a place whose signature git cannot commit, for whoever has
// asked for something of the commit.
func (p *Place) CheckCommits() error {
	const hint = "without them the signature is written"
	if p.Repo == nil {
		return ui.Usage(hint, "--amend and --message are for commits, and %s is taken for a plain folder", ui.Quote(p.Name))
	}
	if _, inRepo := p.signatureInRepo(); !inRepo {
		return ui.Usage(hint, "--amend and --message are for commits, and the signature %s lies outside the worktree of %s", ui.Quote(p.signatureName()), ui.Quote(p.Name))
	}
	return nil
}

// folder is the model's folder, or the one that its file lies in.
func (p *Place) folder() string {
	if p.Single {
		return filepath.Dir(p.Path)
	}
	return p.Path
}

// worktree opens the repository whose worktree holds dir; nil where there is
// none. A folder that looks like a bare repository may have come with the
// worktree that it lies in, to be taken for a repository with a configuration of
// its own: so the worktree around it is looked for. Where there is none, internal
// says so.
func worktree(ctx context.Context, dir string) (repo *gitrepo.Repository, internal bool, err error) {
	for at := dir; ; {
		repo, err = gitrepo.Open(ctx, at)
		switch {
		case errors.Is(err, gitrepo.ErrNotRepository), errors.Is(err, gitrepo.ErrNoGit) && !looksLikeWorktree(dir):
			return nil, internal, nil
		case errors.Is(err, gitrepo.ErrNoGit):
			return nil, false, ui.Trouble("install git, or use --no-git to take every file of the folder", "%w", err)
		case err != nil:
			return nil, false, ui.Trouble("", "%w", err)
		}
		if repo.Top != "" {
			if within(repo.GitDir, dir) || within(repo.CommonDir, dir) {
				return nil, true, nil
			}
			return repo, false, nil
		}
		internal = true
		if above := filepath.Dir(repo.GitDir); above != repo.GitDir && within(repo.GitDir, at) {
			at = above
			continue
		}
		return nil, true, nil
	}
}

// Around is the repository in whose worktree another one lies that has none, and with
// which that may have come; nil where there is none, as for what is named by GIT_DIR.
func Around(ctx context.Context, repo *gitrepo.Repository) (*gitrepo.Repository, error) {
	if repo.Top != "" || repo.Named {
		return nil, nil
	}
	around, _, err := worktree(ctx, repo.GitDir)
	return around, err
}

// looksLikeWorktree says whether dir or a folder above it holds a .git, for the
// case that git is not there to be asked.
func looksLikeWorktree(dir string) bool {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}

// within says whether path is dir or lies below it. Both are absolute.
func within(dir, path string) bool {
	_, inside := gitrepo.Within(dir, path)
	return inside
}

// open lists the model's files.
func (p *Place) open(ctx context.Context, o tree.Options) (*tree.Tree, error) {
	o.Signature = p.Signature
	var t *tree.Tree
	var err error
	switch {
	case p.remote != nil:
		return p.remote.open(ctx, o), nil
	case p.Commit != "":
		return p.openAt(ctx, o)
	}
	if p.Repo != nil {
		t, err = tree.OpenWorktree(ctx, p.Repo, p.Path, o)
	} else {
		t, err = tree.OpenFolder(ctx, p.Path, o)
	}
	if err != nil {
		return nil, ui.Trouble("", "listing the model %s: %w", ui.Quote(p.Name), err)
	}
	return t, nil
}

// Ignored turns the ignore paths that a user gives, absolute or relative to the
// current folder, into paths relative to the model, as they are recorded. A
// path outside the model is an error: it would do nothing. Where the model is on
// the Hub, there is no folder here that they could be relative to but its own.
func (p *Place) Ignored(paths []string) ([]string, error) {
	var out []string
	for _, given := range paths {
		abs, err := filepath.Abs(given)
		if err != nil {
			return nil, ui.Trouble("", "finding %s: %w", ui.Quote(given), err)
		}
		root := p.Path
		switch {
		case p.remote != nil:
			root, abs = string(filepath.Separator), filepath.Join(string(filepath.Separator), given)
		case p.Commit != "":
			root = filepath.Join(repoRoot(p.Repo), filepath.FromSlash(p.Path))
		}
		rel, inside := gitrepo.Within(root, abs)
		if !inside || rel == "" {
			return nil, ui.Usage("an ignore path is absolute or relative to the current folder, and lies in the model",
				"--ignore-paths %s: not inside the model %s", ui.Quote(given), ui.Quote(p.Name))
		}
		if strings.ContainsAny(rel, "*?[") {
			return nil, ui.Usage("ignore paths are exact names, with all below them; the signature format allows no patterns",
				"--ignore-paths %s: holds a character of a pattern", ui.Quote(given))
		}
		out = append(out, rel)
	}
	return out, nil
}

// siblings are the other signatures for the same folder, relative to the model.
// Each is for the files and not for the others, which may come and go; only what
// is a well-formed signature passes for one.
func (p *Place) siblings(ctx context.Context) ([]string, error) {
	if p.Single {
		return nil, nil
	}
	switch {
	case p.remote != nil:
		return p.remote.siblings(ctx, p.Signature)
	case p.Commit != "":
		return p.siblingsAt(ctx)
	}
	entries, err := os.ReadDir(p.Path)
	if err != nil {
		return nil, ui.Trouble("", "looking for signatures: %w", err)
	}
	held := func(name string) bool {
		return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name && !e.IsDir() })
	}
	var found siblingNames
	for _, e := range entries {
		name := e.Name()
		file := filepath.Join(p.Path, name)
		isFile := e.Type().IsRegular() || p.Cached != nil && p.Cached.Follows(file)
		if !signs(name, held) || file == p.Signature || !isFile {
			continue
		}
		raw, err := bounded.ReadRegular(file, oms.MaxBundleSize)
		if err != nil {
			continue // it is compared as any other file
		}
		if err := found.add(name, raw); err != nil {
			return nil, err
		}
	}
	return found.names, nil
}

// signatureName is the signature's path as the user would type it.
func (p *Place) signatureName() string {
	if p.Commit != "" && !p.Detached {
		return p.Signature
	}
	return displayPath(p.Signature)
}

// signatureTitle is signatureName with its commit, as git writes that.
func (p *Place) signatureTitle() string {
	switch {
	case p.Commit == "" || p.Detached:
		return p.signatureName()
	case p.Commit == Staged:
		return ":" + p.Signature
	}
	title := p.Commit[:min(len(p.Commit), ui.Short)] + ":" + p.Signature
	if p.remote != nil {
		return p.Name + "@" + title
	}
	return title
}

// displayPath is path relative to the current folder where that is shorter to read.
func displayPath(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, inside := gitrepo.Within(cwd, path)
	if !inside {
		return path
	}
	return filepath.Clean(filepath.FromSlash(rel))
}

// notExist says whether err means that a file is not there.
func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
