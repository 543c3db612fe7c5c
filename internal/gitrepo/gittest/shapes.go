package gittest

import (
	"path/filepath"
	"runtime"
)

// Files are the tracked files of every shape, by path, with their content.
func Files() map[string]string {
	files := map[string]string{
		"config.json":             "{}\n",
		"weights.bin":             string(make([]byte, 5000)),
		"empty":                   "",
		"sub/tokenizer.json":      "[1, 2]\n",
		"sub/deep/er/vocab.txt":   "a\nb\n",
		"sub.txt":                 "sorts before sub/\n",
		"other/readme":            "x\n",
		"name with spaces/a b c":  "spaces\n",
		"-leading-dash":           "dash\n",
		"unicode/größe-模型-é.json": "{\"n\": 1}\n",
		"star[1]/*.txt":           "not a pattern\n",
		":(top)magic":             "not magic\n",
		"#comment":                "#\n",
	}
	if runtime.GOOS == "windows" {
		for _, name := range []string{"star[1]/*.txt", ":(top)magic"} {
			delete(files, name)
		}
		return files
	}
	files["line\nend.txt"] = "line end\n"
	files["tab\tand\"quote\\.txt"] = "quotes\n"
	return files
}

// Shape is one way in which a repository can be laid out.
type Shape struct {
	Name string
	// Build makes the repository and returns a folder in its worktree's top, or
	// the repository if it is bare. It skips the test where this git cannot.
	Build func(s *Sandbox) string
	// PlainIndex says that the index can be read without git, PlainBlobs the
	// same of all blobs.
	PlainIndex, PlainBlobs bool
	// Sparse says that some files are not in the worktree.
	Sparse bool
	Bare   bool
}

// Shapes are all of them.
func Shapes() []Shape {
	return []Shape{
		{Name: "plain", Build: plain, PlainIndex: true, PlainBlobs: true},
		{Name: "packed", Build: packed, PlainIndex: true, PlainBlobs: true},
		{Name: "multi-pack-index", Build: multiPack, PlainIndex: true, PlainBlobs: true},
		{Name: "linked-worktree", Build: linkedWorktree, PlainIndex: true, PlainBlobs: true},
		{Name: "relative-worktree", Build: relativeWorktree, PlainIndex: true, PlainBlobs: true},
		{Name: "sparse-cone", Build: sparse("--cone"), PlainIndex: true, PlainBlobs: true, Sparse: true},
		{Name: "sparse-no-cone", Build: sparse("--no-cone"), PlainIndex: true, PlainBlobs: true, Sparse: true},
		{Name: "sparse-index", Build: sparseIndex, PlainBlobs: true, Sparse: true},
		{Name: "split-index", Build: splitIndex, PlainBlobs: true},
		{Name: "sha256", Build: sha256},
		{Name: "reftable", Build: reftable, PlainIndex: true, PlainBlobs: true},
		{Name: "alternates", Build: alternates, PlainIndex: true},
		{Name: "shallow", Build: shallow, PlainIndex: true, PlainBlobs: true},
		{Name: "partial", Build: partial, PlainIndex: true, PlainBlobs: true},
		{Name: "partial-sparse", Build: partialSparse, PlainIndex: true, Sparse: true},
		{Name: "submodule", Build: submodule, PlainIndex: true, PlainBlobs: true},
		{Name: "separate-git-dir", Build: separateGitDir, PlainIndex: true, PlainBlobs: true},
		{Name: "fsmonitor", Build: fsmonitor, PlainIndex: true, PlainBlobs: true},
		{Name: "untracked-cache", Build: untrackedCache, PlainIndex: true, PlainBlobs: true},
		{Name: "index-v2", Build: indexVersion("2"), PlainIndex: true, PlainBlobs: true},
		{Name: "index-v3", Build: indexVersion3, PlainIndex: true, PlainBlobs: true},
		{Name: "index-v4", Build: indexVersion("4"), PlainIndex: true, PlainBlobs: true},
		{Name: "index-without-checksum", Build: skipHash, PlainBlobs: true},
		{Name: "many-index-threads", Build: indexThreads, PlainIndex: true, PlainBlobs: true},
		{Name: "precious-objects", Build: preciousObjects, PlainIndex: true, PlainBlobs: true},
		{Name: "worktree-config", Build: worktreeConfig, PlainIndex: true, PlainBlobs: true},
		{Name: "assume-unchanged", Build: assumeUnchanged, PlainIndex: true, PlainBlobs: true},
		{Name: "bare", Build: bare, PlainBlobs: true, Bare: true},
	}
}

func plain(s *Sandbox) string { return s.Init("plain", Files()) }

func packed(s *Sandbox) string {
	dir := plain(s)
	s.Write(dir, "weights.bin", Files()["weights.bin"]+"x")
	s.CommitAll(dir, "a delta")
	s.Write(dir, "weights.bin", Files()["weights.bin"])
	s.CommitAll(dir, "back")
	s.Git(dir, "gc", "-q", "--aggressive")
	return dir
}

func multiPack(s *Sandbox) string {
	dir := packed(s)
	s.Git(dir, "multi-pack-index", "write")
	return dir
}

func linkedWorktree(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "worktree", "add", "-q", s.Path("linked"))
	return s.Path("linked")
}

func relativeWorktree(s *Sandbox) string {
	s.NeedGit(2, 48, "worktree add --relative-paths")
	dir := plain(s)
	s.Git(dir, "worktree", "add", "-q", "--relative-paths", s.Path("linked"))
	return s.Path("linked")
}

func sparse(mode string) func(*Sandbox) string {
	return func(s *Sandbox) string {
		s.NeedGit(2, 36, "sparse-checkout set "+mode)
		dir := plain(s)
		if mode == "--cone" {
			s.Git(dir, "sparse-checkout", "set", mode, "sub", "unicode")
		} else {
			s.Git(dir, "sparse-checkout", "set", mode, "/*", "!/sub/deep/", "!/other/")
		}
		return dir
	}
}

func sparseIndex(s *Sandbox) string {
	s.NeedGit(2, 36, "a sparse index")
	dir := plain(s)
	s.Git(dir, "sparse-checkout", "set", "--cone", "--sparse-index", "sub")
	return dir
}

func splitIndex(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "update-index", "--split-index")
	s.Write(dir, "later", "in the second part of the index\n")
	s.Git(dir, "add", "later")
	s.Git(dir, "rm", "-q", "-f", "later")
	return dir
}

func sha256(s *Sandbox) string {
	s.NeedGit(2, 29, "SHA-256 objects")
	return s.Init("sha256", Files(), "--object-format=sha256")
}

func reftable(s *Sandbox) string {
	s.NeedGit(2, 45, "reftable")
	return s.Init("reftable", Files(), "--ref-format=reftable")
}

func alternates(s *Sandbox) string {
	dir := plain(s)
	s.Git(s.Dir, "clone", "-q", "--shared", dir, s.Path("shared"))
	return s.Path("shared")
}

func shallow(s *Sandbox) string {
	dir := packed(s)
	s.Git(s.Dir, "clone", "-q", "--depth", "1", "file://"+filepath.ToSlash(dir), s.Path("shallow"))
	return s.Path("shallow")
}

func partialClone(s *Sandbox, args ...string) string {
	dir := plain(s)
	s.Git(dir, "config", "uploadpack.allowFilter", "true")
	s.Git(dir, "config", "uploadpack.allowAnySHA1InWant", "true")
	s.Git(s.Dir, append(append([]string{"clone", "-q", "--filter=blob:none"}, args...), "file://"+filepath.ToSlash(dir), s.Path("partial"))...)
	return s.Path("partial")
}

func partial(s *Sandbox) string { return partialClone(s) }

func partialSparse(s *Sandbox) string {
	s.NeedGit(2, 36, "clone --sparse with cones")
	dir := partialClone(s, "--sparse")
	s.Git(dir, "sparse-checkout", "set", "--cone", "sub")
	return dir
}

func submodule(s *Sandbox) string {
	dir := plain(s)
	super := s.Init("super", map[string]string{"readme": "x\n"})
	s.Git(super, "submodule", "--quiet", "add", dir, "module")
	s.Git(super, "commit", "-q", "-m", "module")
	return filepath.Join(super, "module")
}

func separateGitDir(s *Sandbox) string {
	return s.Init("apart", Files(), "--separate-git-dir="+s.Path("elsewhere.git"))
}

// fsmonitor installs a monitor that says that nothing ever changes.
func fsmonitor(s *Sandbox) string {
	dir := plain(s)
	if runtime.GOOS != "windows" {
		s.Git(dir, "config", "core.fsmonitor", Script(s, "monitor", "printf 'token\\0'"))
	}
	s.Git(dir, "update-index", "--fsmonitor")
	s.Git(dir, "status")
	return dir
}

func untrackedCache(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "config", "core.untrackedCache", "true")
	s.Git(dir, "update-index", "--force-untracked-cache")
	s.Git(dir, "status")
	return dir
}

func indexVersion(v string) func(*Sandbox) string {
	return func(s *Sandbox) string {
		dir := plain(s)
		s.Git(dir, "update-index", "--index-version", v)
		return dir
	}
}

// indexVersion3 needs an extended flag, which git writes version 3 for.
func indexVersion3(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "update-index", "--index-version", "3")
	s.Git(dir, "update-index", "--skip-worktree", "config.json")
	return dir
}

func skipHash(s *Sandbox) string {
	s.NeedGit(2, 40, "index.skipHash")
	dir := plain(s)
	s.Git(dir, "config", "index.skipHash", "true")
	s.Git(dir, "update-index", "--force-write-index")
	return dir
}

func indexThreads(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "config", "index.threads", "2")
	s.Git(dir, "update-index", "--index-version", "4")
	return dir
}

func preciousObjects(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "config", "core.repositoryFormatVersion", "1")
	s.Git(dir, "config", "extensions.preciousObjects", "true")
	return dir
}

func worktreeConfig(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "config", "extensions.worktreeConfig", "true")
	return dir
}

func assumeUnchanged(s *Sandbox) string {
	dir := plain(s)
	s.Git(dir, "update-index", "--assume-unchanged", "config.json")
	return dir
}

func bare(s *Sandbox) string {
	dir := plain(s)
	s.Git(s.Dir, "clone", "-q", "--bare", dir, s.Path("bare.git"))
	return s.Path("bare.git")
}
