package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CommitOptions says what to commit and how.
type CommitOptions struct {
	Path    string // relative to Top
	Message string // subject and body; "" only with Amend, which then keeps HEAD's
	Amend   bool   // put the path into HEAD's commit
	// Stdin, Stdout and Stderr are the streams of git and of the user's hooks. Both
	// of the latter may be written to at the same time.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Commit is what CommitFile made.
type Commit struct {
	ID    string
	Short string // abbreviated as git does
}

// CommitFile commits one file as it is in the worktree, whatever else is
// staged, and leaves what is staged as it is. An ignored file is committed too.
//
// It is `git commit -m <message> -- <path>`, so the user's hooks, identity,
// commit.gpgSign, commit.cleanup and everything else apply as they do there.
// With a message given git does not open an editor, and therefore does not use
// commit.template either (see CommitTemplate); a prepare-commit-msg hook is told
// that the message came from -m.
//
// It returns ErrInProgress during a merge, rebase, cherry-pick or revert, where
// git makes no partial commit; ErrOverlooked and ErrNoIdentity, as CheckCommittable
// does; ErrNothingToCommit where the file is as HEAD has it; and a CommandError where
// git, a hook or signing fails. After an error the index is as it was.
func (r *Repository) CommitFile(ctx context.Context, o CommitOptions) (Commit, error) {
	if err := r.checkCommit(ctx, o); err != nil {
		return Commit{}, err
	}
	undo, err := r.makeKnown(ctx, o.Path)
	if err != nil {
		return Commit{}, err
	}
	args := []string{"commit", "--only"}
	if o.Amend {
		args = append(args, "--amend")
	}
	if o.Message == "" {
		args = append(args, "--no-edit")
	} else {
		args = append(args, "--message="+o.Message)
	}
	if err := r.write(ctx, o, append(args, "--", literal(o.Path))...); err != nil {
		return Commit{}, errors.Join(err, undo())
	}
	// The commit is made, and that is to be told even if ctx has ended.
	return r.describeHead(context.WithoutCancel(ctx))
}

// literal makes a path a pathspec for itself only. The environment variable
// for that would be inherited by the user's hooks.
func literal(path string) string { return ":(top,literal)" + path }

// write runs a command that changes the repository, with the user's language.
func (r *Repository) write(ctx context.Context, o CommitOptions, args ...string) error {
	g := r.git
	g.env = writeEnv(g.env)
	// To a sparse index git adds a path of a folder that is left out so that the others of it are lost.
	cmd, err := g.command(ctx, append([]string{"-c", "index.sparse=false"}, args...)...)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	return run(ctx, cmd)
}

// checkCommit finds what would make the commit fail before anything is changed.
func (r *Repository) checkCommit(ctx context.Context, o CommitOptions) error {
	if r.Top == "" {
		return fmt.Errorf("committing %s: %w", o.Path, ErrNoWorktree)
	}
	if strings.ContainsRune(o.Message, 0) {
		return errors.New("commit message holds a NUL byte")
	}
	if strings.TrimSpace(o.Message) == "" && !o.Amend {
		return errors.New("commit message is empty")
	}
	info, err := os.Lstat(filepath.Join(r.Top, filepath.FromSlash(o.Path)))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("committing %s: not a regular file", o.Path)
	}
	if !o.Amend {
		if err := r.checkDiffers(ctx, o.Path); err != nil {
			return err
		}
	}
	return r.CheckCommittable(ctx, o.Path, o.Amend)
}

// CheckCommittable returns ErrInProgress, ErrOverlooked or ErrNoIdentity where git
// would not commit a file now, so that a caller can know before it does its work.
func (r *Repository) CheckCommittable(ctx context.Context, path string, amend bool) error {
	operation, err := r.inProgress(ctx)
	if err != nil {
		return err
	}
	if operation != "" {
		return fmt.Errorf("a %s is %w; finish it first", operation, ErrInProgress)
	}
	if err := r.checkLookedAt(ctx, path); err != nil {
		return err
	}
	idents := []string{"GIT_COMMITTER_IDENT"}
	if !amend { // the author stays
		idents = append(idents, "GIT_AUTHOR_IDENT")
	}
	for _, ident := range idents {
		if _, err := r.git.output(ctx, nil, "var", ident); err != nil {
			return fmt.Errorf("%w: %w", ErrNoIdentity, err)
		}
	}
	return nil
}

// checkLookedAt returns ErrOverlooked for a path whose changes git was told to pass
// over. In a sparse checkout it takes that back by itself where there is a file.
func (r *Repository) checkLookedAt(ctx context.Context, path string) error {
	out, err := r.git.output(ctx, nil, underPath([]string{"ls-files", "-v", "-z", "--"}, path)...)
	if err != nil || len(out) == 0 {
		return err
	}
	switch tag := out[0]; {
	case tag >= 'a' && tag <= 'z':
		return fmt.Errorf("%s: %w", path, ErrOverlooked)
	case tag == 'S':
		set := map[string]bool{}
		vars, err := r.variables(ctx, `^(core\.sparsecheckout|sparse\.expectfilesoutsideofpatterns)$`)
		if err != nil {
			return err
		}
		for _, v := range vars {
			set[v.key] = !isFalse(v.value)
		}
		if !set["core.sparsecheckout"] || set["sparse.expectfilesoutsideofpatterns"] {
			return fmt.Errorf("%s: %w", path, ErrOverlooked)
		}
	}
	return nil
}

// inProgress names an operation that is under way, "" if there is none.
func (r *Repository) inProgress(ctx context.Context) (string, error) {
	for _, op := range []struct{ file, name string }{{"MERGE_HEAD", "merge"}, {"rebase-merge", "rebase"}, {"rebase-apply", "rebase"}} {
		if _, err := os.Stat(filepath.Join(r.GitDir, op.file)); err == nil {
			return op.name, nil
		}
	}
	// These are refs, which need not be files.
	for _, op := range []struct{ ref, name string }{{"CHERRY_PICK_HEAD", "cherry-pick"}, {"REVERT_HEAD", "revert"}} {
		id, err := r.resolve(ctx, op.ref)
		if err != nil {
			return "", err
		}
		if id != "" {
			return op.name, nil
		}
	}
	return "", nil
}

// checkDiffers returns ErrNothingToCommit if the path is as HEAD has it.
func (r *Repository) checkDiffers(ctx context.Context, path string) error {
	head, err := r.HeadCommit(ctx)
	if err != nil || head == "" {
		return err
	}
	held, err := r.CommitEntries(ctx, head, path)
	if err != nil || len(held) == 0 {
		return err
	}
	_, err = r.git.output(ctx, nil, "diff", "--quiet", "--no-ext-diff", "--no-textconv", head, "--", path)
	if err == nil {
		return fmt.Errorf("%s: %w", path, ErrNothingToCommit)
	}
	if exitedWith(err, 1) {
		return nil
	}
	return err
}

// undoTimeout is how long taking back our own change to the index may take,
// after an interrupt too.
const undoTimeout = 30 * time.Second

// makeKnown makes the path one that git can commit by name, with an intent to
// add, and returns what takes that back. git commits a path only if the index
// knows it.
func (r *Repository) makeKnown(ctx context.Context, path string) (undo func() error, err error) {
	entries, err := r.Index(ctx, path)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return func() error { return nil }, nil
	}
	args := []string{"add", "--intent-to-add", "--force"}
	if major, minor, err := Version(ctx); err != nil {
		return nil, err
	} else if major > 2 || minor >= 34 {
		// The model may be checked out beside the sparse-checkout's own folders.
		args = append(args, "--sparse")
	}
	undo = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		return r.forgetIntent(ctx, path)
	}
	if err := r.write(ctx, CommitOptions{}, append(args, "--", literal(path))...); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// forgetIntent takes an intent to add out of the index, and nothing else: where
// the path has got content meanwhile, that stays.
func (r *Repository) forgetIntent(ctx context.Context, path string) error {
	entries, err := gitReader{r}.index(ctx, path)
	if err != nil {
		return fmt.Errorf("taking the intent to add %s out of the index: %w", path, err)
	}
	if len(entries) != 1 || entries[0].Path != path || !entries[0].IntentToAdd {
		return nil
	}
	err = r.write(ctx, CommitOptions{}, "update-index", "--force-remove", "--", path)
	if err != nil {
		return fmt.Errorf("taking the intent to add %s out of the index: %w", path, err)
	}
	return nil
}

func (r *Repository) describeHead(ctx context.Context) (Commit, error) {
	out, err := r.git.output(ctx, nil, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return Commit{}, err
	}
	short, err := r.git.output(ctx, nil, "rev-parse", "--short", "HEAD")
	return Commit{ID: strings.TrimSpace(string(out)), Short: strings.TrimSpace(string(short))}, err
}

// HeadMessage returns the message of the last commit, encoded as those of commits that
// are made here.
func (r *Repository) HeadMessage(ctx context.Context) (string, error) {
	encoding, set, err := r.ConfigGet(ctx, "i18n.commitEncoding")
	if err != nil {
		return "", err
	}
	if !set {
		encoding = "UTF-8"
	}
	out, err := r.git.output(ctx, nil, "log", "-1", "--no-show-signature", "--encoding="+encoding, "--format=%B", "HEAD")
	return strings.TrimRight(string(out), "\n"), err
}

// CommitTemplate returns what the user's commit.template asks to be written in
// a message, without the comments in it, "" if there is none. git itself shows a
// template in an editor only, so whoever opens none puts it into the message.
func (r *Repository) CommitTemplate(ctx context.Context) (string, error) {
	name, set, err := r.ConfigGet(ctx, "commit.template")
	if err != nil || !set || name == "" {
		return "", err
	}
	if name, err = ExpandPath(ctx, name); err != nil {
		return "", err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.base(), name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading commit.template: %w", err)
	}
	defer f.Close()
	// git knows what begins a comment for this user.
	out, err := r.git.output(ctx, io.LimitReader(f, maxTemplate), "stripspace", "--strip-comments")
	return string(out), err
}

// maxTemplate bounds what is read of a commit template, in bytes.
const maxTemplate = 64 << 10
