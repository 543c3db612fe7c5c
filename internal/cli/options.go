package cli

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// Output holds the options of what is printed.
type Output struct {
	JSON, Quiet, NoProgress bool
}

// Register declares the options of a command that draws progress.
func (o *Output) Register(flags *pflag.FlagSet) {
	o.RegisterStill(flags)
	flags.BoolVar(&o.NoProgress, "no-progress", false, "do not draw progress on the terminal")
}

// RegisterStill declares the options of a command that draws none.
func (o *Output) RegisterStill(flags *pflag.FlagSet) {
	flags.BoolVar(&o.JSON, "json", false, "print the result as one JSON object")
	flags.BoolVarP(&o.Quiet, "quiet", "q", false, "print results and errors only")
}

// Apply has t behave as the options say.
func (o *Output) Apply(t *ui.Terminal) {
	t.Quiet = t.Quiet || o.Quiet || o.JSON
	t.Live = t.Live && !o.NoProgress
}

// Place holds the options of where a model and its signature lie.
type Place struct {
	Signature string
	NoGit     bool
}

// Register declares the options; the use of --signature differs.
func (p *Place) Register(flags *pflag.FlagSet, signatureUse string) {
	flags.StringVar(&p.Signature, "signature", "", signatureUse)
	flags.BoolVar(&p.NoGit, "no-git", false, "take every file of the folder, also in a git worktree")
}

// Content holds the options of how files become a manifest.
type Content struct {
	ignore   []string
	symlinks bool
	hash     string
	shards   string
}

// Register declares the options; the use of --allow-symlinks differs.
func (c *Content) Register(flags *pflag.FlagSet, symlinksUse string) {
	flags.StringArrayVar(&c.ignore, "ignore-paths", nil, "leave out `PATH` and what is below it; may be repeated")
	flags.BoolVar(&c.symlinks, "allow-symlinks", false, symlinksUse)
	flags.StringVar(&c.hash, "hash", string(oms.SHA256), "hash files with `ALGORITHM`: sha256, blake3 or blake2b")
	flags.StringVar(&c.shards, "shards", "", "hash files in shards of `SIZE` bytes, or units such as 256MB")
	flags.Lookup("shards").NoOptDefVal = defaultShardSize
}

// Serialization is what the options ask for, for the model at p.
func (c *Content) Serialization(p *walk.Place) (oms.Serialization, error) {
	s := oms.Serialization{Method: oms.Files, HashType: oms.Algorithm(c.hash), AllowSymlinks: c.symlinks}
	if s.HashType.Size() == 0 {
		return s, ui.Usage("the algorithms are sha256, blake3 and blake2b", "--hash %s: unknown algorithm", ui.Quote(c.hash))
	}
	if c.shards != "" {
		size, err := ParseSize(c.shards)
		if err != nil {
			return s, ui.Usage("", "--shards: %w", err)
		}
		s.Method, s.ShardSize = oms.Shards, size
	}
	var err error
	s.IgnorePaths, err = p.Ignored(c.ignore)
	return s, err
}

// Conclude prints a verdict and ends the program with its exit code.
func Conclude(ctx context.Context, t *ui.Terminal, v *ui.Verdict, asJSON bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		if err := ui.WriteJSON(t.Out, v.JSON()); err != nil {
			return err
		}
		if v.Err != nil {
			t.Fail(v.Err)
		}
	} else {
		t.Verdict(v)
	}
	return end(ctx, v.ExitCode())
}

// ConcludeError has an error that came before there was any verdict on the model, as
// the user calls it, be one object too where JSON was asked for.
func ConcludeError(ctx context.Context, t *ui.Terminal, model string, err error, asJSON bool) error {
	if said := Exit(0); err == nil || !asJSON || errors.As(err, &said) {
		return err
	}
	return Conclude(ctx, t, &ui.Verdict{Model: model, Err: err}, true)
}

// ConcludeCache prints what was found in a cache and ends the program with its exit code.
func ConcludeCache(ctx context.Context, t *ui.Terminal, r *ui.CacheReport, asJSON bool) error {
	if asJSON {
		if err := ui.WriteJSON(t.Out, r.JSON()); err != nil {
			return err
		}
	} else {
		t.CacheReport(r)
	}
	return end(ctx, r.ExitCode())
}

// ConcludeRev verifies a model in every commit of a revision, prints each verdict
// once it is there, and ends the program with the worst exit code.
func ConcludeRev(ctx context.Context, t *ui.Terminal, r *walk.Revision, ignore []string, o walk.VerifyOptions, asJSON bool) error {
	if !asJSON {
		code := ui.ExitOK
		walk.VerifyRev(ctx, r, ignore, o, func(v *ui.Verdict) {
			t.Verdict(v)
			code = ui.Worse(code, v.ExitCode())
		})
		if r.Range {
			t.Range(len(r.Commits))
		}
		return end(ctx, code)
	}
	var verdicts []*ui.Verdict
	walk.VerifyRev(ctx, r, ignore, o, func(v *ui.Verdict) { verdicts = append(verdicts, v) })
	if err := ctx.Err(); err != nil {
		return err
	}
	if !r.Range {
		return Conclude(ctx, t, verdicts[0], true)
	}
	all := ui.NewRangeJSON(verdicts)
	if err := ui.WriteJSON(t.Out, all); err != nil {
		return err
	}
	return end(ctx, all.ExitCode)
}

// end ends the program with an exit code, or because ctx has ended.
func end(ctx context.Context, code int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if code != ui.ExitOK {
		return Exit(code)
	}
	return nil
}
