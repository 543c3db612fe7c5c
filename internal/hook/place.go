package hook

import (
	"context"
	"path/filepath"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// place is where the scripts of a scope go.
type place struct {
	hooks     string // the folder of the hooks
	mechanism Mechanism
	// template is our own template folder around the hooks, nil where they are somewhere else. set says that
	// the configuration names it; inherited is the template folder that holds without it, "" for git's own.
	template  *template
	set       bool
	inherited string
	// worktree is the repository's, "" where there is none. project says that the hooks are part of its files.
	worktree string
	project  bool
}

const (
	templateKey  = "init.templateDir"
	hooksPathKey = "core.hooksPath"
)

// findPlace is where scripts of the scope have to go to be run.
func (s *setup) findPlace(ctx context.Context) (*place, error) {
	if s.Scope == Local {
		return s.repository(ctx)
	}
	if p, err := s.sharedHooks(ctx); p != nil || err != nil {
		return p, err
	}
	return s.templatePlace(ctx)
}

// places are all the places where scripts of the scope may have gone. Those that cannot be used are left out.
func (s *setup) places(ctx context.Context) ([]*place, error) {
	var found []*place
	if s.Scope == Local {
		p, err := s.repository(ctx)
		if err == nil && !p.project {
			found = append(found, p)
		}
		own, err := s.ownHooks(ctx)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 || found[0].hooks != own {
			found = append(found, &place{hooks: own, mechanism: HooksFolder})
		}
		return found, nil
	}
	if p, err := s.sharedHooks(ctx); err == nil && p != nil {
		found = append(found, p)
	}
	if p, err := s.templatePlace(ctx); err == nil {
		found = append(found, p)
		// Ours may be left from the time before the user named another.
		if own, err := s.ownTemplate(); err == nil && (p.template == nil || own.path != p.template.path) {
			found = append(found, &place{hooks: filepath.Join(own.path, "hooks"), mechanism: TemplateFolder, template: own})
		}
	}
	return found, nil
}

// repository is the hooks folder of one repository.
func (s *setup) repository(ctx context.Context) (*place, error) {
	own, err := s.ownHooks(ctx)
	if err != nil {
		return nil, err
	}
	p := &place{hooks: own, mechanism: HooksFolder}
	if top, err := s.git.output(ctx, "rev-parse", "--show-toplevel"); err == nil {
		p.worktree = filepath.FromSlash(top)
	}
	if p.hooks, err = s.namedHooks(ctx, p.worktree, own); err != nil {
		return nil, err
	}
	// A folder that core.hooksPath names may be part of the project, and so may a linked one.
	p.project = p.worktree != "" && within(p.worktree, p.hooks) && !within(filepath.Dir(own), p.hooks)
	return p, usable(p.hooks)
}

// namedHooks is the folder that core.hooksPath names in a repository, or else its own.
func (s *setup) namedHooks(ctx context.Context, worktree, own string) (string, error) {
	value, set, err := s.git.get(ctx, hooksPathKey, "--type=path")
	if err != nil || !set {
		return own, err
	}
	wider, _, err := s.widerHooksPath(ctx)
	if err != nil {
		return "", err
	}
	if value == wider {
		return "", refuse("install it there as well: git model-sign install --global",
			"%s is set to %s for every repository, so git does not look into %s", hooksPathKey, value, own)
	}
	path := filepath.FromSlash(value)
	switch {
	case filepath.IsAbs(path):
	case worktree != "":
		path = filepath.Join(worktree, path)
	default:
		path = filepath.Join(filepath.Dir(own), path)
	}
	return path, nil
}

// ownHooks is the folder in which a repository keeps its hooks, whatever core.hooksPath says.
func (s *setup) ownHooks(ctx context.Context) (string, error) {
	common, err := s.git.output(ctx, "rev-parse", "--git-common-dir")
	if err != nil {
		return "", err
	}
	if common = filepath.FromSlash(common); !filepath.IsAbs(common) {
		common = filepath.Join(s.git.dir, common)
	}
	return filepath.Join(common, "hooks"), nil
}

// widerHooksPath is what core.hooksPath is outside of any repository.
func (s *setup) widerHooksPath(ctx context.Context) (string, bool, error) {
	return s.outside(ctx, hooksPathKey, Global, System)
}

// outside reads a path from the configuration of scopes, the first that has it.
func (s *setup) outside(ctx context.Context, key string, scopes ...Scope) (string, bool, error) {
	for _, scope := range scopes {
		value, set, err := s.git.get(ctx, key, "--"+string(scope), "--includes", "--type=path")
		if err != nil || set {
			return value, set, err
		}
	}
	return "", false, nil
}

// wider are the scopes whose settings hold for what is installed in ours.
func (s *setup) wider() []Scope {
	if s.Scope == System {
		return []Scope{System}
	}
	return []Scope{Global, System}
}

// sharedHooks is the folder of hooks that core.hooksPath names for all repositories, nil if none.
func (s *setup) sharedHooks(ctx context.Context) (*place, error) {
	value, set, err := s.outside(ctx, hooksPathKey, s.wider()...)
	if err != nil || !set {
		return nil, err
	}
	path := filepath.FromSlash(value)
	if !filepath.IsAbs(path) {
		return nil, refuse("run git model-sign install --local in the repository",
			"%s is set to %s, which is another folder in every repository", hooksPathKey, value)
	}
	return &place{hooks: path, mechanism: HooksFolder}, usable(path)
}

// usable refuses what is not a folder: core.hooksPath=/dev/null turns hooks off.
func usable(path string) error {
	if missing(path) == 0 && !folderExists(path) {
		return refuse("take the setting "+hooksPathKey+" away, or use git 2.54 or newer", "%s is where git looks for hooks, and is not a folder", path)
	}
	return nil
}

// templatePlace is the template folder that git uses in the scope, or one of our own.
func (s *setup) templatePlace(ctx context.Context) (*place, error) {
	value, set, err := s.outside(ctx, templateKey, s.Scope)
	if err != nil {
		return nil, err
	}
	if set {
		path := filepath.FromSlash(value)
		if !filepath.IsAbs(path) {
			return nil, refuse("set it to an absolute path", "%s is set to %s, which depends on the folder that git runs in", templateKey, value)
		}
		t, err := openTemplate(path)
		if err != nil {
			return nil, err
		}
		p := &place{hooks: filepath.Join(path, "hooks"), mechanism: TemplateFolder}
		if t.made {
			p.template, p.set = t, true
		}
		return p, nil
	}
	t, err := s.ownTemplate()
	if err != nil {
		return nil, err
	}
	p := &place{hooks: filepath.Join(t.path, "hooks"), mechanism: TemplateFolder, template: t}
	if s.Scope == Global {
		p.inherited, _, err = s.outside(ctx, templateKey, System)
		p.inherited = filepath.FromSlash(p.inherited)
	}
	return p, err
}

// ownTemplate is the template folder of our own in the scope, there or not.
func (s *setup) ownTemplate() (*template, error) {
	if s.DataDir != "" {
		return openTemplate(filepath.Join(s.DataDir, string(s.Scope), "template"))
	}
	data, err := userData()
	if s.Scope == System {
		data, err = systemData()
	}
	if err != nil {
		return nil, err
	}
	return openTemplate(filepath.Join(data, "git-model-sign", "template"))
}

// within says whether path is dir or below it.
func within(dir, path string) bool {
	_, inside := gitrepo.Within(resolved(dir), resolved(path))
	return inside
}

// resolved is a path without symbolic links, as far as it is there.
func resolved(path string) string {
	for p, rest := path, ""; ; p, rest = filepath.Dir(p), filepath.Join(filepath.Base(p), rest) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
	}
}
