package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func TestOpen(t *testing.T) {
	files := map[string]string{"a": "1\n", "sub/dir/b": "2\n"}
	// Each case returns the folder to open, and what is to be found; an empty
	// git folder means <top>/.git.
	for name, build := range map[string]func(*testing.T, *gittest.Sandbox) (dir string, want Repository){
		"top": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			return dir, Repository{Top: dir}
		},
		"subfolder": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			return filepath.Join(dir, "sub", "dir"), Repository{Top: dir, Prefix: "sub/dir"}
		},
		"relative": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			t.Chdir(filepath.Join(dir, "sub"))
			return "dir", Repository{Top: dir, Prefix: "sub/dir"}
		},
		"through a link": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			symlink(t, dir, s.Path("link"))
			return s.Path("link", "sub"), Repository{Top: dir, Prefix: "sub"}
		},
		"odd name": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r \n"+separator+"x \"q\"", files)
			return filepath.Join(dir, "sub"), Repository{Top: dir, Prefix: "sub"}
		},
		"inside the git folder": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			return filepath.Join(dir, ".git", "objects"), Repository{GitDir: filepath.Join(dir, ".git")}
		},
		"bare": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Path("bare.git")
			s.Git(s.Dir, "clone", "-q", "--bare", s.Init("r", files), dir)
			return filepath.Join(dir, "objects"), Repository{GitDir: dir, Bare: true}
		},
		"linked worktree": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			s.Git(dir, "worktree", "add", "-q", s.Path("w"))
			return s.Path("w", "sub"), Repository{Top: s.Path("w"), Prefix: "sub", GitDir: filepath.Join(dir, ".git", "worktrees", "w"), CommonDir: filepath.Join(dir, ".git")}
		},
		"core.worktree": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			s.Git(dir, "config", "core.worktree", s.Path("r"))
			if err := os.Rename(filepath.Join(dir, ".git"), s.Path("lone")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("GIT_DIR", s.Path("lone"))
			return dir, Repository{Top: dir, GitDir: s.Path("lone")}
		},
		"GIT_DIR as a hook sees it": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			t.Chdir(dir)
			t.Setenv("GIT_DIR", ".git")
			return "sub", Repository{Top: dir, Prefix: "sub"}
		},
		"GIT_DIR and GIT_WORK_TREE": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			t.Chdir(s.Dir)
			t.Setenv("GIT_DIR", "r/.git")
			t.Setenv("GIT_WORK_TREE", "r")
			return filepath.Join("r", "sub"), Repository{Top: dir, Prefix: "sub"}
		},
		"GIT_DIR of a submodule, as its hooks see it": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			super := s.Init("super", map[string]string{"z": "1\n"})
			s.Git(super, "submodule", "--quiet", "add", s.Init("r", files), "m")
			dir := filepath.Join(super, "m")
			gitDir := filepath.Join(super, ".git", "modules", "m")
			t.Chdir(dir)
			t.Setenv("GIT_DIR", gitDir)
			return filepath.Join(dir, "sub"), Repository{Top: dir, Prefix: "sub", GitDir: gitDir}
		},
		"worktree of a bare repository": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			bare := s.Path("project", ".bare")
			s.Git(s.Dir, "clone", "-q", "--bare", s.Init("r", files), bare)
			s.Git(bare, "worktree", "add", "-q", s.Path("project", "main"), "main")
			return s.Path("project", "main"), Repository{Top: s.Path("project", "main"), GitDir: filepath.Join(bare, "worktrees", "main"), CommonDir: bare}
		},
		"GIT_DIR of another repository": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			other := s.Init("other", map[string]string{"z": "1\n"})
			t.Chdir(other)
			t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
			t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git", "index"))
			return filepath.Join(dir, "sub"), Repository{Top: dir, Prefix: "sub"}
		},
		"GIT_DIR of a bare repository, as pre-receive sees it": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Path("bare.git")
			s.Git(s.Dir, "clone", "-q", "--bare", s.Init("r", files), dir)
			t.Chdir(dir)
			t.Setenv("GIT_DIR", ".")
			return ".", Repository{GitDir: dir, Bare: true}
		},
		"pathspec variables": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			t.Setenv("GIT_GLOB_PATHSPECS", "1")
			t.Setenv("GIT_ICASE_PATHSPECS", "1")
			return dir, Repository{Top: dir}
		},
		"another language": func(t *testing.T, s *gittest.Sandbox) (string, Repository) {
			dir := s.Init("r", files)
			t.Setenv("LC_ALL", "de_DE.UTF-8")
			return dir, Repository{Top: dir}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			dir, want := build(t, s)
			if want.GitDir == "" {
				want.GitDir = filepath.Join(want.Top, ".git")
			}
			if want.CommonDir == "" {
				want.CommonDir = want.GitDir
			}
			want.ObjectFormat = SHA1
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			got := *r
			got.git = git{}
			if got.GitDir != want.GitDir || got.Top != want.Top || got.CommonDir != want.CommonDir || got.Prefix != want.Prefix || got.Bare != want.Bare || got.ObjectFormat != want.ObjectFormat {
				t.Errorf("Open(%q)\n got %+v\nwant %+v", dir, got, want)
			}
			checkUsable(t, r)
		})
	}
}

// checkUsable sees that later commands speak of the same repository.
func checkUsable(t *testing.T, r *Repository) {
	t.Helper()
	head, err := r.HeadCommit(t.Context())
	if err != nil || head == "" {
		t.Fatalf("HeadCommit = %q, %v", head, err)
	}
	entries, err := r.CommitEntries(t.Context(), head, "")
	if err != nil || len(entries) != 2 || entries[0].Path != "a" {
		t.Errorf("HEAD holds %v, %v", entries, err)
	}
	if r.Top == "" {
		return
	}
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		if got, err := rd.index(t.Context(), ""); err != nil || !slices.Equal(got, entries) {
			t.Errorf("%s index = %v, %v; want %v", name, got, err, entries)
		}
	}
	if changes, err := r.Changes(t.Context()); err != nil || len(changes) != 0 {
		t.Errorf("Changes = %v, %v; want none", changes, err)
	}
	if attrs, err := r.Attributes(t.Context(), []string{"a"}, "text"); err != nil || len(attrs) != 0 {
		t.Errorf("Attributes = %v, %v; want none", attrs, err)
	}
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
}

func TestOpenRefusals(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	empty := s.Path("empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), empty); !errors.Is(err, ErrNotRepository) {
		t.Errorf("outside of a repository: %v", err)
	}
	if _, err := Open(t.Context(), s.Path("no such")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	t.Run("not ours", func(t *testing.T) {
		gittest.New(t).NeedGit(2, 36, "a check of ownership")
		t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
		_, err := Open(t.Context(), dir)
		if !errors.Is(err, ErrDubiousOwnership) || !strings.Contains(err.Error(), "safe.directory "+dir) {
			t.Errorf("error %v, want ErrDubiousOwnership with git's advice", err)
		}
	})
	t.Run("old git", func(t *testing.T) {
		gittest.Script(s, "git", `case " $* " in *" version "*) echo git version 2.20.1;; *) echo --show-object-format; printf 'false\ntrue\n'; for i in 1 2 3 4; do echo `+separator+`; echo /x; done;; esac`)
		t.Setenv("PATH", s.Path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
		if _, err := Open(t.Context(), dir); !errors.Is(err, ErrGitTooOld) || !strings.Contains(err.Error(), "2.20") {
			t.Errorf("error %v, want ErrGitTooOld with the version", err)
		}
	})
	t.Run("no git", func(t *testing.T) {
		t.Setenv("PATH", empty)
		if _, err := Open(t.Context(), dir); !errors.Is(err, ErrNoGit) {
			t.Errorf("error %v, want ErrNoGit", err)
		}
		if _, _, err := Version(t.Context()); !errors.Is(err, ErrNoGit) {
			t.Errorf("error %v, want ErrNoGit", err)
		}
	})
}

func TestUnbornAndOddStates(t *testing.T) {
	s := gittest.New(t)
	dir := s.Empty("r")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := r.HeadCommit(t.Context()); head != "" || err != nil {
		t.Errorf("HeadCommit = %q, %v; want none", head, err)
	}
	if entries, err := r.Index(t.Context(), ""); len(entries) != 0 || err != nil {
		t.Errorf("Index = %v, %v; want none", entries, err)
	}
	s.WriteFiles(dir, map[string]string{"empty": "", "intent": "", "gone": "x", "sub/a": "1\n"})
	s.Git(dir, "add", "empty", "gone", "sub")
	s.Git(dir, "commit", "-q", "-m", "1")
	s.Git(dir, "add", "-N", "intent")
	s.Git(dir, "rm", "-q", "--cached", "gone")
	s.Write(dir, "sub/a", "2\n")
	s.Write(dir, "staged", "s\n")
	s.Git(dir, "add", "staged")
	want := []Entry{
		{Mode: ModeFile, OID: emptySHA1, Path: "empty"},
		{Mode: ModeFile, OID: emptySHA1, Path: "intent", IntentToAdd: true},
		{Mode: ModeFile, OID: "b0bd0dbffd6c3cfc34f0bf4ebb9ce5f3dde8dd87", Path: "staged"},
		{Mode: ModeFile, OID: "d00491fd7e5bb6fa28c517a0bb32b8b506539d4d", Path: "sub/a"},
	}
	want[2].OID = strings.TrimSpace(s.Git(dir, "hash-object", "staged"))
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		if got, err := rd.index(t.Context(), ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s index = %v, %v\nwant %v", name, got, err, want)
		}
	}
	changes, err := r.Changes(t.Context(), "")
	wantChanges := []Change{{"gone", Staged | Deleted}, {"intent", Unstaged | IntentToAdd}, {"staged", Staged}, {"sub/a", Unstaged}, {"gone", Untracked}}
	if err != nil || !slices.Equal(changes, wantChanges) {
		t.Errorf("Changes = %v, %v\nwant %v", changes, err, wantChanges)
	}
	if changes, err = r.Changes(t.Context(), "sub", "staged"); err != nil || !slices.Equal(changes, wantChanges[2:4]) {
		t.Errorf("Changes under two paths = %v, %v\nwant %v", changes, err, wantChanges[2:4])
	}
}

func TestConflict(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Git(dir, "checkout", "-q", "-b", "other")
	s.Write(dir, "a", "2\n")
	s.CommitAll(dir, "2")
	s.Git(dir, "checkout", "-q", "main")
	s.Write(dir, "a", "3\n")
	s.CommitAll(dir, "3")
	if out, err := s.TryGit(dir, "merge", "other"); err == nil {
		t.Fatal("no conflict:", out)
	}
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, rd := range map[string]reader{"plain": plainReader{r}, "git": gitReader{r}} {
		got, err := rd.index(t.Context(), "")
		if err != nil || len(got) != 3 || got[0].Stage != 1 || got[1].Stage != 2 || got[2].Stage != 3 {
			t.Errorf("%s index = %v, %v; want three stages", name, got, err)
		}
	}
	changes, err := r.Changes(t.Context())
	if err != nil || !slices.Equal(changes, []Change{{"a", Unmerged}}) {
		t.Errorf("Changes = %v, %v", changes, err)
	}
}

func TestAttributes(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{
		".gitattributes": "*.bin filter=lfs -text\n*.txt text eol=crlf\n\"line\\nend.bin\" filter=other\n",
		"a.bin":          "1\n", "b.txt": "2\n", "c": "3\n", "sub/.gitattributes": "*.bin !filter\n", "sub/d.bin": "4\n",
	})
	r, err := Open(t.Context(), filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Attributes(t.Context(), []string{"a.bin", "b.txt", "c", "sub/d.bin", "line\nend.bin", "not/there.bin"}, "filter", "text", "eol")
	want := map[string]map[string]string{
		"a.bin": {"filter": "lfs", "text": AttrUnset}, "b.txt": {"text": "set", "eol": "crlf"}, "sub/d.bin": {"text": AttrUnset},
		"line\nend.bin": {"filter": "other", "text": AttrUnset}, "not/there.bin": {"filter": "lfs", "text": AttrUnset},
	}
	if err != nil || len(got) != len(want) {
		t.Errorf("Attributes = %v, %v\nwant %v", got, err, want)
	}
	for path, attrs := range want {
		for name, value := range attrs {
			if got[path][name] != value || len(got[path]) != len(attrs) {
				t.Errorf("%q: %v, want %v", path, got[path], attrs)
			}
		}
	}
	if got, err := r.Attributes(t.Context(), nil, "filter"); len(got) != 0 || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestCommandErrorHoldsNoSecretsAndIsBounded(t *testing.T) {
	s := gittest.New(t)
	gittest.Script(s, "git", `i=0; while [ $i -lt 3000 ]; do echo "fatal: https://me:hunter2@example.com/x refused"; i=$((i+1)); done >&2; exit 3`)
	t.Setenv("PATH", s.Path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := configGit(s.Dir).output(t.Context(), nil, "fetch", "https://me:hunter2@example.com/x")
	var e *CommandError
	if !errors.As(err, &e) || e.ExitCode != 3 || len(e.Stderr) > maxStderr {
		t.Fatalf("error %#v", err)
	}
	if all := e.Error() + strings.Join(e.Args, " "); strings.Contains(all, "hunter2") || !strings.Contains(all, "https://example.com/x") {
		t.Errorf("error %.300s", all)
	}
	if !strings.HasPrefix(e.Error(), "git fetch: fatal: ") {
		t.Errorf("error %.60q", e.Error())
	}
}

func TestPathOf(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"sub/a": "1\n"})
	symlink(t, dir, s.Path("link"))
	symlink(t, "sub", filepath.Join(dir, "inner"))
	r, err := Open(t.Context(), filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "sub"))
	for path, want := range map[string]string{
		dir: "", ".": "sub", "..": "", "a": "sub/a", "new": "sub/new", "../x y": "x y", s.Path("link"): "", s.Path("link", "sub", "a"): "sub/a",
		filepath.Join(dir, "inner"): "inner", filepath.Join(dir, "inner", "a"): "sub/a", filepath.Join(dir, "..x"): "..x",
	} {
		if got, err := r.PathOf(path); err != nil || got != want {
			t.Errorf("PathOf(%q) = %q, %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{s.Dir, s.Path("rx"), filepath.Join(dir, "none", "x"), "../.."} {
		if got, err := r.PathOf(path); err == nil {
			t.Errorf("PathOf(%q) = %q, want an error", path, got)
		}
	}
	if _, err := (&Repository{}).PathOf(dir); !errors.Is(err, ErrNoWorktree) {
		t.Errorf("without a worktree: %v", err)
	}
}

// TestCommitEntriesOfABomb lists a commit of seventeen trees with 65,536 long paths.
func TestCommitEntriesOfABomb(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	blob := strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:a"))
	at, mode := blob, "100644"
	for range 16 {
		id, _ := rawID(at)
		list := ""
		for _, first := range []string{"a", "b"} {
			list += mode + " " + first + strings.Repeat("n", 300) + "\x00" + string(id[:])
		}
		s.Write(dir, "tree", list)
		at, mode = strings.TrimSpace(s.Git(dir, "hash-object", "-t", "tree", "-w", "tree")), "40000"
	}
	commit := strings.TrimSpace(s.Git(dir, "commit-tree", "-m", "Many paths", at))
	if entries, err := openAt(t, dir).CommitEntries(t.Context(), commit, ""); !errors.Is(err, errManyPaths) {
		t.Errorf("%d paths, %v", len(entries), err)
	}
}

func TestCommitEntriesUnder(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", gittest.Files())
	r, err := Open(t.Context(), filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	for under, want := range map[string][]string{
		"sub": {"sub/deep/er/vocab.txt", "sub/tokenizer.json"}, "config.json": {"config.json"}, "-leading-dash": {"-leading-dash"},
		"star[1]": {"star[1]/*.txt"}, ":(top)magic": {":(top)magic"}, "none": nil,
	} {
		var got []string
		entries, err := r.CommitEntries(t.Context(), "main", under)
		for _, e := range entries {
			got = append(got, e.Path)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("under %q: %q, %v; want %q", under, got, err, want)
		}
	}
	for _, rev := range []string{"--help", "none", ""} {
		if _, err := r.CommitEntries(t.Context(), rev, ""); err == nil {
			t.Errorf("revision %q is taken", rev)
		}
	}
}

func TestCleanBlobIDs(t *testing.T) {
	s := gittest.New(t)
	files := gittest.Files()
	files[".gitattributes"] = "*.txt text eol=crlf\n"
	dir := s.Init("r", files)
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Index(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.Path)
		if strings.HasSuffix(e.Path, ".txt") {
			s.Write(dir, e.Path, strings.ReplaceAll(files[e.Path], "\n", "\r\n"))
		}
	}
	ids, err := r.CleanBlobIDs(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if ids[e.Path] != e.OID {
			t.Errorf("%q: %s, want %s", e.Path, ids[e.Path], e.OID)
		}
	}
}
