package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// verify checks one model and says what was found.
func (o *options) verify(ctx context.Context, args []string, t *ui.Terminal) error {
	o.output.Apply(t)
	if len(args) != 1 {
		return ui.Usage("hf-model-verify -h lists the options", "expected one repository id or path, found %d arguments", len(args))
	}
	snapshot, err := o.snapshot(args[0])
	if err != nil {
		return err
	}
	path := args[0]
	if snapshot != nil {
		path = snapshot.Path
	}
	p, err := o.place(ctx, path, snapshot != nil)
	if err != nil {
		return err
	}
	config, err := loadConfig(ctx, p, snapshot)
	if err != nil {
		return err
	}
	v := walk.VerifyOptions{URL: config.URL, Check: o.strict, Terminal: t}
	if v.Policy, err = o.trust.Resolve(config); err != nil {
		return err
	}
	if v.Ignore, err = p.Ignored(o.ignore); err != nil {
		return err
	}
	if v.Hasher, err = o.hashing.Hasher(config); err != nil {
		return err
	}
	switch {
	case snapshot != nil:
		v.LinksInto, p.Root = snapshot.Blobs, snapshot.Path
	case p.Repo == nil && !p.Single:
		v.Ignore = append(v.Ignore, hub.LocalFolder)
	}
	return cli.Conclude(ctx, t, walk.Verify(ctx, p, v), o.output.JSON)
}

// snapshot finds what name is: a path wins over a repository id; nil means a
// path that is no snapshot of a cache.
func (o *options) snapshot(name string) (*hub.Snapshot, error) {
	env, err := hub.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, ui.Usage("", "%w", err)
	}
	if _, err := os.Stat(name); err == nil {
		return hub.SnapshotOf(env.Cache, name), nil
	}
	t, ok := hub.ParseRepoType(o.repoType)
	if !ok {
		return nil, ui.Usage("the types are model, dataset and space", "--repo-type %s: unknown type", ui.Quote(o.repoType))
	}
	if !hub.IsRepoID(name) {
		return nil, ui.Usage("a repository id is org/name", "%s: neither a path nor a repository id", ui.Quote(name))
	}
	s, err := hub.FindSnapshot(env.Cache, hub.Repo{Type: t, ID: name}, o.revision)
	switch {
	case errors.Is(err, hub.ErrNotCached):
		return nil, ui.Trouble("hf download "+name+" puts it there", "%w", err)
	case err != nil:
		return nil, ui.Usage("", "%w", err)
	}
	return s, nil
}

// place finds the model and its signature: model.sig, or else the one *.oms.sig
// of its folder.
func (o *options) place(ctx context.Context, path string, noGit bool) (*walk.Place, error) {
	p, err := walk.Locate(ctx, path, o.signature, noGit)
	if err != nil || o.signature != "" || p.Single {
		return p, err
	}
	if _, err := os.Lstat(p.Signature); err == nil {
		return p, nil
	}
	found, err := signatures(p.Path)
	switch {
	case err != nil:
		return nil, ui.Trouble("", "looking for a signature: %w", err)
	case len(found) > 1:
		return nil, ui.Usage("name one with --signature", "%s holds several signatures: %s", ui.Quote(path), ui.QuoteAll(found))
	case len(found) == 1:
		p.Signature = filepath.Join(p.Path, found[0])
	}
	return p, nil
}

// signatures lists the names that end in .oms.sig in a folder. They are
// compared as text: a folder's own name is never a pattern.
func signatures(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), walk.SignatureSuffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// loadConfig reads the policy for the repository that the model came from, as
// far as that can be told.
func loadConfig(ctx context.Context, p *walk.Place, s *hub.Snapshot) (*cli.Config, error) {
	if s != nil {
		return cli.LoadConfigFor(ctx, nil, s.URL())
	}
	return cli.LoadConfig(ctx, p.Repo)
}
