package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// committing is a repository with something staged beside the file to commit.
type committing struct {
	*gittest.Sandbox
	dir string
	r   *Repository
}

func newCommitting(t *testing.T) *committing {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"weights": "1\n", "notes": "1\n", "gone": "1\n"})
	s.Write(dir, "notes", "staged\n")
	s.Write(dir, "new", "staged too\n")
	s.Git(dir, "add", "notes", "new")
	s.Git(dir, "rm", "-q", "--cached", "gone")
	s.Write(dir, "weights", "not staged\n")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return &committing{s, dir, r}
}

// staged is all that the index holds, with flags.
func (c *committing) staged() string {
	c.Helper()
	entries, err := gitReader{c.r}.index(c.Context(), "")
	if err != nil {
		c.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IntentToAdd {
			b.WriteString("intent ")
		}
		b.WriteString(e.OID + " " + e.Path + "\n")
	}
	return b.String()
}

// changed lists what the current commit changed.
func (c *committing) changed() string {
	return c.Git(c.dir, "show", "--format=", "--name-status", "-z", "HEAD")
}

func TestCommitFile(t *testing.T) {
	names := []string{"model.sig", "sub/model.sig", "with space.sig", "größe.sig", "-x.sig", ":(top)x.sig", "*.sig"}
	if runtime.GOOS != "windows" {
		names = append(names, "line\nend.sig", "q\"uote\\.sig")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := newCommitting(t)
			before := c.staged()
			c.Write(c.dir, name, "signature 1\n")
			var out, said bytes.Buffer
			got, err := c.r.CommitFile(t.Context(), CommitOptions{Path: name, Message: "Sign model: 2 files\n\n# not a comment\n- a dash\n", Stdout: &out, Stderr: &said})
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSpace(c.Git(c.dir, "rev-parse", "HEAD")); got.ID != want || !strings.HasPrefix(want, got.Short) || len(got.Short) < 4 {
				t.Errorf("commit %+v, want %s", got, want)
			}
			if want := "A\x00" + name + "\x00"; c.changed() != want {
				t.Errorf("the commit changed %q, want %q", c.changed(), want)
			}
			if want := "Sign model: 2 files\n\n# not a comment\n- a dash\n\n"; c.Git(c.dir, "log", "-1", "--format=%B") != want {
				t.Errorf("message %q, want %q", c.Git(c.dir, "log", "-1", "--format=%B"), want)
			}
			if !strings.Contains(out.String(), "Sign model: 2 files") {
				t.Errorf("git's own words are not passed on: %q, %q", out.String(), said.String())
			}
			if got := c.withoutPath(c.staged(), name); got != before {
				t.Errorf("the index holds\n%s\nwant beside the file\n%s", got, before)
			}
			c.Write(c.dir, name, "signature 2\n")
			if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: name, Message: "again"}); err != nil {
				t.Fatal(err)
			}
			if want := "M\x00" + name + "\x00"; c.changed() != want {
				t.Errorf("the second commit changed %q, want %q", c.changed(), want)
			}
			if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: name, Message: "x"}); !errors.Is(err, ErrNothingToCommit) {
				t.Errorf("error %v, want ErrNothingToCommit", err)
			}
			if got := c.withoutPath(c.staged(), name); got != before {
				t.Errorf("the index holds\n%s\nwant beside the file\n%s", got, before)
			}
		})
	}
}

// withoutPath takes the line of a path out of what staged returned.
func (c *committing) withoutPath(staged, path string) string {
	line := strings.Index(staged, " "+path+"\n")
	if line < 0 {
		c.Fatalf("%q is not in the index:\n%s", path, staged)
	}
	start := strings.LastIndexByte(staged[:line], '\n') + 1
	return staged[:start] + staged[line+len(path)+2:]
}

func TestCommitStates(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *committing){
		"ignored":          func(t *testing.T, c *committing) { c.Write(c.dir, ".git/info/exclude", "*.sig\n") },
		"detached":         func(t *testing.T, c *committing) { c.Git(c.dir, "checkout", "-q", "--detach") },
		"already intended": func(t *testing.T, c *committing) { c.Git(c.dir, "add", "-N", "model.sig") },
		"already staged":   func(t *testing.T, c *committing) { c.Git(c.dir, "add", "model.sig") },
		"staged differently": func(t *testing.T, c *committing) {
			c.Git(c.dir, "add", "model.sig")
			c.Write(c.dir, "model.sig", "2\n")
		},
		"from a hook": func(t *testing.T, c *committing) {
			t.Chdir(c.dir)
			t.Setenv("GIT_DIR", ".git")
			c.reopen(t, ".")
		},
		"linked worktree": func(t *testing.T, c *committing) {
			c.Git(c.dir, "worktree", "add", "-q", c.Path("w"))
			c.dir = c.Path("w")
			c.Write(c.dir, "model.sig", "1\n")
			c.reopen(t, c.dir)
		},
		"sparse": func(t *testing.T, c *committing) {
			c.NeedGit(2, 36, "a sparse cone")
			c.Git(c.dir, "reset", "-q", "--hard")
			c.Git(c.dir, "sparse-checkout", "set", "--no-cone", "/weights")
		},
		"signed": func(t *testing.T, c *committing) {
			c.Git(c.dir, "config", "commit.gpgSign", "true")
			c.Git(c.dir, "config", "gpg.program", gittest.Script(c.Sandbox, "gpg", `cat >/dev/null; echo >&2; echo "[GNUPG:] SIG_CREATED " >&2; echo "-----BEGIN PGP SIGNATURE-----"; echo; echo "-----END PGP SIGNATURE-----"`))
		},
		"hooks": func(t *testing.T, c *committing) {
			// A hook must see paths as git gives them, globs included.
			gittest.Hook(c.Sandbox, c.dir, "pre-commit", `test "$(git diff --cached --name-only -- '*.sig')" = model.sig && cd .. && ! git rev-parse --git-dir 2>/dev/null || test -n "$GIT_DIR"`)
			gittest.Hook(c.Sandbox, c.dir, "prepare-commit-msg", `test "$2" = message && echo "Reviewed-by: hook" >>"$1"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommitting(t)
			c.Write(c.dir, "model.sig", "1\n")
			prepare(t, c)
			if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign"}); err != nil {
				t.Fatal(err)
			}
			if want := "A\x00model.sig\x00"; c.changed() != want {
				t.Errorf("the commit changed %q, want %q", c.changed(), want)
			}
			message := c.Git(c.dir, "log", "-1", "--format=%B")
			if (name == "hooks") != strings.Contains(message, "Reviewed-by: hook") {
				t.Errorf("message %q", message)
			}
			if raw := c.Git(c.dir, "cat-file", "commit", "HEAD"); (name == "signed") != strings.Contains(raw, "\ngpgsig ") {
				t.Errorf("commit:\n%s", raw)
			}
		})
	}
}

func (c *committing) reopen(t *testing.T, dir string) {
	t.Helper()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.r = r
}

func TestFirstCommit(t *testing.T) {
	s := gittest.New(t)
	dir := s.Empty("r")
	s.WriteFiles(dir, map[string]string{"staged": "1\n", "model.sig": "1\n"})
	s.Git(dir, "add", "staged")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign"}); err != nil {
		t.Fatal(err)
	}
	if got := s.Git(dir, "ls-tree", "-r", "--name-only", "HEAD"); got != "model.sig\n" {
		t.Errorf("the commit holds %q", got)
	}
	if got := s.Git(dir, "diff", "--cached", "--name-only"); got != "staged\n" {
		t.Errorf("staged is %q", got)
	}
}

func TestAmend(t *testing.T) {
	c := newCommitting(t)
	before := c.staged()
	parent := c.Git(c.dir, "rev-parse", "HEAD")
	c.Write(c.dir, "model.sig", "1\n")
	commit := func(o CommitOptions) {
		t.Helper()
		o.Path = "model.sig"
		if _, err := c.r.CommitFile(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	commit(CommitOptions{Message: "sign"})
	c.Write(c.dir, "model.sig", "2\n")
	commit(CommitOptions{Amend: true})
	if got := c.Git(c.dir, "log", "-1", "--format=%B"); got != "sign\n\n" {
		t.Errorf("message %q, want the old one", got)
	}
	commit(CommitOptions{Amend: true, Message: "sign anew"})
	if got := c.Git(c.dir, "log", "-1", "--format=%B"); got != "sign anew\n\n" {
		t.Errorf("message %q, want the new one", got)
	}
	if got := c.Git(c.dir, "rev-parse", "HEAD^"); got != parent {
		t.Errorf("parent %s, want %s", got, parent)
	}
	if got := c.Git(c.dir, "show", "HEAD:model.sig"); got != "2\n" || c.changed() != "A\x00model.sig\x00" {
		t.Errorf("the commit holds %q and changed %q", got, c.changed())
	}
	if got := c.withoutPath(c.staged(), "model.sig"); got != before {
		t.Errorf("the index holds\n%s\nwant beside the file\n%s", got, before)
	}
}

func TestCommitFailuresLeaveTheIndexAlone(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T, *committing)
		says    string
		is      error
	}{
		"pre-commit hook": {func(t *testing.T, c *committing) {
			gittest.Hook(c.Sandbox, c.dir, "pre-commit", "echo not today >&2; exit 1")
		}, "not today", nil},
		"commit-msg hook": {func(t *testing.T, c *committing) {
			gittest.Hook(c.Sandbox, c.dir, "commit-msg", "echo bad words >&2; exit 1")
		}, "bad words", nil},
		"signing": {func(t *testing.T, c *committing) {
			c.Git(c.dir, "config", "commit.gpgSign", "true")
			c.Git(c.dir, "config", "gpg.program", gittest.Script(c.Sandbox, "gpg", "exit 2"))
		}, "gpg failed to sign", nil},
		"identity": {func(t *testing.T, c *committing) {
			c.Git(c.dir, "config", "user.useConfigOnly", "true")
			for _, name := range []string{"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} {
				os.Unsetenv(name)
			}
			c.reopen(t, c.dir)
		}, "tell me who you are", nil},
		"message cleaned to nothing": {func(t *testing.T, c *committing) {
			gittest.Hook(c.Sandbox, c.dir, "prepare-commit-msg", `: >"$1"`)
		}, "empty commit message", nil},
		"locked index": {func(t *testing.T, c *committing) {
			c.Write(c.dir, ".git/index.lock", "")
			t.Cleanup(func() { os.Remove(filepath.Join(c.dir, ".git", "index.lock")) })
		}, "index.lock", nil},
		"merge": {func(t *testing.T, c *committing) {
			c.Write(c.dir, ".git/MERGE_HEAD", c.Git(c.dir, "rev-parse", "HEAD"))
		}, "merge", ErrInProgress},
		"rebase": {func(t *testing.T, c *committing) {
			if err := os.Mkdir(filepath.Join(c.dir, ".git", "rebase-merge"), 0o777); err != nil {
				t.Fatal(err)
			}
		}, "rebase", ErrInProgress},
		"cherry-pick": {func(t *testing.T, c *committing) {
			c.Git(c.dir, "update-ref", "--no-deref", "CHERRY_PICK_HEAD", "HEAD")
		}, "cherry-pick", ErrInProgress},
		"missing":   {func(t *testing.T, c *committing) { os.Remove(filepath.Join(c.dir, "model.sig")) }, "model.sig", os.ErrNotExist},
		"no HEAD":   {func(t *testing.T, c *committing) { c.Write(c.dir, ".git/HEAD", "broken\n") }, "", nil},
		"directory": {func(t *testing.T, c *committing) { c.becomeFolder() }, "regular file", nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCommitting(t)
			k.Write(k.dir, "model.sig", "1\n")
			before := k.staged()
			index, err := os.ReadFile(filepath.Join(k.dir, ".git", "index"))
			if err != nil {
				t.Fatal(err)
			}
			c.prepare(t, k)
			var stderr bytes.Buffer
			_, err = k.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign", Stderr: &stderr})
			if err == nil {
				t.Fatal("committed")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want %v", err, c.is)
			}
			if !strings.Contains(strings.ToLower(err.Error()), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if name == "no HEAD" {
				now, err := os.ReadFile(filepath.Join(k.dir, ".git", "index"))
				if err != nil || !bytes.Equal(now, index) {
					t.Errorf("the index has changed: %v", err)
				}
				return
			}
			if got := k.staged(); got != before {
				t.Errorf("the index holds\n%s\nwant\n%s", got, before)
			}
			if head := k.Git(k.dir, "log", "--format=%s"); head != "first\n" {
				t.Errorf("there are commits %q", head)
			}
		})
	}
}

func (c *committing) becomeFolder() {
	p := filepath.Join(c.dir, "model.sig")
	if err := errors.Join(os.Remove(p), os.Mkdir(p, 0o777)); err != nil {
		c.Fatal(err)
	}
}

func TestFailedCommitKeepsWhatTheUserHadStaged(t *testing.T) {
	for name, stage := range map[string][]string{"staged": {"add", "model.sig"}, "intended": {"add", "-N", "model.sig"}} {
		t.Run(name, func(t *testing.T) {
			c := newCommitting(t)
			c.Write(c.dir, "model.sig", "the user's\n")
			c.Git(c.dir, stage...)
			before := c.staged()
			c.Write(c.dir, "model.sig", "ours\n")
			gittest.Hook(c.Sandbox, c.dir, "pre-commit", "exit 1")
			if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign"}); err == nil {
				t.Fatal("committed")
			}
			if got := c.staged(); got != before {
				t.Errorf("the index holds\n%s\nwant\n%s", got, before)
			}
		})
	}
}

func TestInterruptedCommit(t *testing.T) {
	c := newCommitting(t)
	c.Write(c.dir, "model.sig", "1\n")
	before := c.staged()
	mark := c.Path("started")
	gittest.Hook(c.Sandbox, c.dir, "pre-commit", "echo >'"+mark+"'; exec sleep 20 </dev/null >/dev/null 2>&1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			if _, err := os.Lstat(mark); err == nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := c.r.CommitFile(ctx, CommitOptions{Path: "model.sig", Message: "sign"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	if got := c.staged(); got != before {
		t.Errorf("the index holds\n%s\nwant\n%s", got, before)
	}
	locks, err := filepath.Glob(filepath.Join(c.dir, ".git", "*.lock"))
	if err != nil || len(locks) != 0 {
		t.Errorf("locks are left: %q, %v", locks, err)
	}
	os.Remove(filepath.Join(c.dir, ".git", "hooks", "pre-commit"))
	if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign"}); err != nil {
		t.Errorf("committing afterwards: %v", err)
	}
}

func TestCommitNeedsAMessage(t *testing.T) {
	c := newCommitting(t)
	c.Write(c.dir, "model.sig", "1\n")
	for _, message := range []string{"", " \n", "a\x00b"} {
		if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: message}); err == nil {
			t.Errorf("message %q is taken", message)
		}
	}
}

func TestCommitTemplate(t *testing.T) {
	c := newCommitting(t)
	if got, err := c.r.CommitTemplate(t.Context()); got != "" || err != nil {
		t.Errorf("without one: %q, %v", got, err)
	}
	c.Write(c.dir, "../home/template", "\n\n# what for\nTicket:  \n; not a comment here\n\n\n\nReviewed-by:\n\n")
	c.Git(c.dir, "config", "commit.template", "~/template")
	if got, err := c.r.CommitTemplate(t.Context()); got != "Ticket:\n; not a comment here\n\nReviewed-by:\n" || err != nil {
		t.Errorf("template %q, %v", got, err)
	}
	c.Git(c.dir, "config", "core.commentChar", ";")
	if got, err := c.r.CommitTemplate(t.Context()); got != "# what for\nTicket:\n\nReviewed-by:\n" || err != nil {
		t.Errorf("template with another comment character %q, %v", got, err)
	}
	c.Git(c.dir, "config", "commit.template", "none")
	if got, err := c.r.CommitTemplate(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a template that is not there: %q, %v", got, err)
	}
}

func TestSparseEntriesStaySparse(t *testing.T) {
	c := newCommitting(t)
	c.NeedGit(2, 36, "a sparse cone")
	c.Git(c.dir, "reset", "-q", "--hard")
	c.Git(c.dir, "sparse-checkout", "set", "--no-cone", "/weights")
	c.Write(c.dir, "model.sig", "1\n")
	if _, err := c.r.CommitFile(t.Context(), CommitOptions{Path: "model.sig", Message: "sign"}); err != nil {
		t.Fatal(err)
	}
	entries, err := c.r.Index(t.Context(), "")
	sparse := slices.ContainsFunc(entries, func(e Entry) bool { return e.Path == "notes" && e.SkipWorktree })
	if err != nil || !sparse {
		t.Errorf("index %v, %v", entries, err)
	}
}

func TestUndoTakesBackNothingButTheIntent(t *testing.T) {
	c := newCommitting(t)
	c.Write(c.dir, "model.sig", "1\n")
	undo, err := c.r.makeKnown(t.Context(), "model.sig")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.staged(), "intent ") {
		t.Fatal("the path is not known to the index")
	}
	// Meanwhile somebody stages it for good.
	c.Git(c.dir, "add", "model.sig")
	before := c.staged()
	if err := undo(); err != nil || c.staged() != before {
		t.Errorf("the index holds\n%s, %v\nwant\n%s", c.staged(), err, before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Write(c.dir, "other.sig", "1\n")
	if undo, err = c.r.makeKnown(ctx, "other.sig"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := undo(); err != nil || c.staged() != before {
		t.Errorf("after an interrupt the index holds\n%s, %v\nwant\n%s", c.staged(), err, before)
	}
}
