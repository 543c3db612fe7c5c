package main

import (
	"context"
	"os"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

const listsOptions = "hf-model-verify -h lists the options"

// verify checks one model, or the whole cache, and says what was found.
func (o *options) verify(ctx context.Context, args []string, t *ui.Terminal) error {
	o.output.Apply(t)
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	return cli.ConcludeError(ctx, t, name, o.judge(ctx, args, t), o.output.JSON)
}

func (o *options) judge(ctx context.Context, args []string, t *ui.Terminal) error {
	env, err := hub.FromEnvironment(os.Getenv)
	if err != nil {
		return ui.Usage("", "%w", err)
	}
	if o.allCached {
		return o.verifyCache(ctx, env.Cache, args, t)
	}
	if len(args) != 1 {
		return ui.Usage(listsOptions, "expected one repository id or path, found %d arguments", len(args))
	}
	p, err := walk.LocateModel(ctx, args[0], walk.ModelOptions{Signature: o.signature, Environment: env, Cached: o.cached,
		Type: o.repoType, Revision: o.revision, Client: o.client(env, t), Fetch: o.download != ""})
	if err != nil {
		return err
	}
	config, err := cli.LoadConfigAt(ctx, p)
	if err != nil {
		return err
	}
	v, err := o.how(config, t)
	if err != nil {
		return err
	}
	if v.Ignore, err = p.Ignored(o.ignore); err != nil {
		return err
	}
	if o.download != "" {
		return cli.Conclude(ctx, t, walk.Download(ctx, p, o.destination(env), v), o.output.JSON)
	}
	return cli.Conclude(ctx, t, walk.Verify(ctx, p, v), o.output.JSON)
}

// client asks the Hub; nil where the network is not to be used.
func (o *options) client(env hub.Environment, t *ui.Terminal) *hub.Client {
	if env.Offline {
		return nil
	}
	return hub.NewClient(env, hub.ClientOptions{UserAgent: "hf-model-verify/" + cli.Version(), Waiting: t.Waiting})
}

// destination is what --download names.
func (o *options) destination(env hub.Environment) walk.Destination {
	d := walk.Destination{Environment: env}
	if o.download != "cache" {
		d.Folder = o.download
	}
	return d
}

// verifyCache checks every snapshot of the cache.
func (o *options) verifyCache(ctx context.Context, cache string, args []string, t *ui.Terminal) error {
	if len(args) > 0 {
		return ui.Usage(listsOptions, "--all-cached takes no argument, found %s", ui.QuoteAll(args))
	}
	for _, name := range ofOneModel {
		if o.flags.Changed(name) {
			return ui.Usage(listsOptions, "--%s is about one model, and does not go with --all-cached", name)
		}
	}
	config, err := cli.LoadConfigs(ctx)
	if err != nil {
		return err
	}
	report, err := walk.VerifyCache(ctx, cache, func(ctx context.Context, url string) (walk.VerifyOptions, error) {
		c, err := config(ctx, url)
		if err != nil {
			return walk.VerifyOptions{}, err
		}
		return o.how(c, t)
	})
	if err != nil {
		return err
	}
	return cli.ConcludeCache(ctx, t, report, o.output.JSON)
}

// how is how a model is verified for which config holds.
func (o *options) how(config *cli.Config, t *ui.Terminal) (v walk.VerifyOptions, err error) {
	v = walk.VerifyOptions{URL: config.URL, Check: o.strict, Terminal: t}
	if v.Policy, err = o.trust.Resolve(config); err != nil {
		return v, err
	}
	v.Hasher, err = o.hashing.Hasher(config)
	return v, err
}
