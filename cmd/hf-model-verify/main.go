// Command hf-model-verify checks models on the Hugging Face Hub before they are
// downloaded, gets them, and checks them where Hugging Face's clients put them: in
// a snapshot of the local cache, or in a folder that was downloaded to.
//
// As git-model-sign, it turns flags and git config into the options of the
// rooms below, and their answers into words and exit codes.
package main

import (
	"context"
	"os"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

func main() { os.Exit(cli.Main(run)) }

// options are what the command line says.
type options struct {
	trust     cli.Trust
	hashing   cli.Hashing
	output    cli.Output
	signature string
	ignore    []string
	cached    bool
	allCached bool
	download  string
	revision  string
	repoType  string
	strict    check.Options
	flags     *pflag.FlagSet
}

// ofOneModel are the options that say which model is meant, or what belongs to it.
var ofOneModel = []string{"cached", "revision", "repo-type", "signature", "ignore-paths", "download"}

func run(ctx context.Context, args []string, t *ui.Terminal) int {
	// `hf extensions exec model-verify -- …` passes its own "--" on. What is a command, and no option, is none behind it:
	// it may be a name that comes from elsewhere.
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	} else if len(args) > 0 {
		switch args[0] {
		case "--version":
			t.Result("hf-model-verify version %s", cli.Version())
			return ui.ExitOK
		case installCommand:
			return installExtension(ctx, args[1:], t)
		case uninstallCommand:
			return uninstallExtension(ctx, args[1:], t)
		}
	}
	var o options
	flags := cli.NewFlagSet("hf-model-verify")
	o.flags = flags
	flags.BoolVar(&o.cached, "cached", false, "check the repository as the local cache has it, without the network")
	flags.BoolVar(&o.allCached, "all-cached", false, "check every snapshot of the local cache")
	flags.StringVar(&o.download, "download", "", "get the model if it is as signed, into the folder `DIR`, or with \"cache\" into the local cache")
	flags.StringVar(&o.revision, "revision", "", "check the branch, tag or commit `REVISION` of a repository, instead of main")
	flags.StringVar(&o.repoType, "repo-type", "", "the `TYPE` of a repository: model, dataset or space")
	flags.StringVar(&o.signature, "signature", "", "read the signature from `FILE` instead of model.sig or *.oms.sig in the model's folder")
	o.trust.Register(flags)
	flags.StringArrayVar(&o.ignore, "ignore-paths", nil, "leave out `PATH` and what is below it; may be repeated")
	flags.BoolVar(&o.strict.IgnoreUnsigned, "ignore-unsigned-files", false, "accept files that the signature does not name")
	flags.BoolVar(&o.strict.RequireRead, "require-read", false, "fail for files that are not downloaded, though their LFS pointers promise the signed content")
	o.hashing.Register(flags)
	o.output.Register(flags)
	return cli.Command{
		Usage:   "hf-model-verify [<options>] <repo-id | URL | path>\n   or: hf-model-verify [<options>] --all-cached\n   or: hf-model-verify install-extension | uninstall-extension",
		Summary: "Check a model on the Hugging Face Hub, in the local cache or in a folder against its signature",
		Flags:   flags,
		Run:     func(ctx context.Context, args []string) error { return o.verify(ctx, args, t) },
	}.Execute(ctx, args, t)
}
